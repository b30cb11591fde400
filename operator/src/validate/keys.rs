//! Key sets and authorities, inline or from a file.

use pavilion_catalogue::manifest;
use pavilion_crds::{CertificateAuthorities, JsonWebKeys};
use pavilion_jose::Jwks;
use pavilion_json::Limits;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::json;
use webpki::anchor_from_trusted_cert;

use super::Check;
use crate::manifests::Object;

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
            match check.files().get(name) {
                Ok(bytes) => {
                    let read = pavilion_json::read(bytes, Limits::CREDENTIAL);
                    (field, read.map_err(|error| format!("{name}: {error}")))
                }
                Err(error) => {
                    check.refuse(
                        object,
                        &field,
                        &manifest::FILE_UNREADABLE,
                        format!("{name} {error}"),
                    );
                    return None;
                }
            }
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
            match check.files().text(name) {
                Ok(text) => (field, text),
                Err(error) => {
                    check.refuse(
                        object,
                        &field,
                        &manifest::FILE_UNREADABLE,
                        format!("{name} {error}"),
                    );
                    return None;
                }
            }
        }
        (None, None) => return None,
    };
    if !is_bundle(text) {
        let message = "is not a list of PEM certificates";
        check.refuse(object, &field, &manifest::CERTIFICATE_INVALID, message);
        return None;
    }
    Some(text.to_owned())
}

/// Read as a verifier reads it, so that what is accepted here is accepted there.
fn is_bundle(text: &str) -> bool {
    let certificates: Result<Vec<CertificateDer<'_>>, _> =
        CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    certificates.is_ok_and(|certificates| {
        !certificates.is_empty()
            && certificates
                .iter()
                .all(|certificate| anchor_from_trusted_cert(certificate).is_ok())
    })
}
