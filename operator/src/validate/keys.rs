//! Key sets and authorities, inline or from a file.

use pavilion_catalogue::manifest;
use pavilion_crds::{CertificateAuthorities, JsonWebKeys};
use pavilion_jose::Jwks;
use pavilion_json::Limits;
use pavilion_proofs::Authorities;
use serde_json::json;

use super::Check;
use crate::manifests::{NamedFiles, Object};

/// The keys at `field`, from `jwks` or from the file that `jwksFile` names.
pub(super) fn key_set(
    check: &mut Check<'_>,
    object: &Object,
    field: &str,
    inline: Option<&JsonWebKeys>,
    file: Option<&str>,
) -> Option<Jwks> {
    let (field, read) = match (inline, file) {
        (Some(keys), _) => {
            let value = json!({"keys": keys.keys});
            let read =
                serde_json::from_value(value).map_err(|error: serde_json::Error| error.to_string());
            (format!("{field}.jwks"), read)
        }
        (None, Some(name)) => {
            let field = format!("{field}.jwksFile");
            let bytes = check.file(object, &field, name, NamedFiles::get)?;
            let read = pavilion_json::read(bytes, Limits::CREDENTIAL);
            (field, read.map_err(|error| format!("{name}: {error}")))
        }
        (None, None) => return None,
    };
    match read {
        Ok(Jwks { keys }) if keys.is_empty() => {
            let message = "holds no key that can be used for signatures";
            check.refuse(object, &field, &manifest::KEY_SET_INVALID, message);
            None
        }
        Ok(keys) => Some(keys),
        Err(error) => {
            check.refuse(object, &field, &manifest::KEY_SET_INVALID, error);
            None
        }
    }
}

/// The authorities at `field`, as PEM.
pub(super) fn authorities(
    check: &mut Check<'_>,
    object: &Object,
    field: &str,
    authorities: &CertificateAuthorities,
) -> Option<String> {
    let CertificateAuthorities {
        ca_bundle,
        ca_bundle_file,
        ..
    } = authorities;
    pem_bundle(
        check,
        object,
        field,
        ca_bundle.as_deref(),
        ca_bundle_file.as_deref(),
    )
}

/// PEM certificates from `caBundle` or from the file that `caBundleFile` names.
pub(super) fn pem_bundle(
    check: &mut Check<'_>,
    object: &Object,
    field: &str,
    inline: Option<&str>,
    file: Option<&str>,
) -> Option<String> {
    let (field, text) = match (inline, file) {
        (Some(text), _) => (format!("{field}.caBundle"), text),
        (None, Some(name)) => {
            let field = format!("{field}.caBundleFile");
            let text = check.file(object, &field, name, NamedFiles::text)?;
            (field, text)
        }
        (None, None) => return None,
    };
    // Read as a verifier reads it, so that what is accepted here is accepted there.
    if let Err(why) = Authorities::from_pem(text) {
        let message = format!("is not a list of PEM certificates: {why}");
        check.refuse(object, &field, &manifest::CERTIFICATE_INVALID, message);
        return None;
    }
    Some(text.to_owned())
}
