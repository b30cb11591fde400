//! Trust anchors: keys that can be used, authorities that parse.

use std::collections::BTreeMap;

use pavilion_catalogue::manifest;
use pavilion_crds::{
    Algorithm, Assurance, OnUnreachable, StatusRules, TrustAnchorSpec, TrustedIssuer,
};
use pavilion_proofs as proofs;
use serde_json::Value;

use super::{Belongings, Check, keys};
use crate::manifests::Object;

pub(super) fn read(check: &mut Check<'_>, object: &Object, value: &Value, tenant: &mut Belongings) {
    let spec: TrustAnchorSpec = match serde_json::from_value(value["spec"].clone()) {
        Ok(spec) => spec,
        Err(error) => {
            return check.refuse(object, "spec", &manifest::FIELD_INVALID, error.to_string());
        }
    };
    let issuers: Vec<_> = spec
        .issuers
        .iter()
        .enumerate()
        .map(|(index, spec)| issuer(check, object, &format!("spec.issuers[{index}]"), spec))
        .collect();
    let before = check.refusals.len();
    let status = status(check, object, &spec.status);
    let Some(issuers) = issuers.into_iter().collect::<Option<Vec<_>>>() else {
        return;
    };
    if check.refusals.len() > before {
        return;
    }
    let anchor = proofs::TrustAnchor {
        credential_types: spec.credential_types,
        issuers,
        status,
        algorithms: spec.algorithms.into_iter().map(algorithm).collect(),
        assurance: spec.assurance.map(assurance),
    };
    usable(check, object, &anchor);
    if let Ok(name) = object.key.name.parse() {
        tenant.trust_anchors.insert(name, anchor);
    }
}

/// What the data plane would refuse is refused here, with its field.
fn usable(check: &mut Check<'_>, object: &Object, anchor: &proofs::TrustAnchor) {
    let alone = BTreeMap::from([(object.key.name.clone(), anchor.clone())]);
    if let Err(error) = proofs::PreparedAnchors::new(&alone) {
        // The bundle says `issuers[0].keys.x509` for what the manifest says `issuers[0].x509`.
        let field = format!("spec.{}", error.path.replace(".keys", ""));
        check.refuse(object, &field, &manifest::KEY_SET_INVALID, error.message);
    }
}

fn issuer(
    check: &mut Check<'_>,
    object: &Object,
    field: &str,
    spec: &TrustedIssuer,
) -> Option<proofs::TrustedIssuer> {
    let keys = match &spec.x509 {
        Some(x509) => proofs::IssuerKeys::X509(proofs::X509Keys {
            ca_bundle: keys::authorities(check, object, &format!("{field}.x509"), x509)?,
            san_dns: x509.san_dns.clone(),
            san_uri: Vec::new(),
        }),
        None if spec.jwks.is_none() && spec.jwks_file.is_none() => proofs::IssuerKeys::DidJwk,
        None => proofs::IssuerKeys::Jwks(keys::key_set(
            check,
            object,
            field,
            spec.jwks.as_ref(),
            spec.jwks_file.as_deref(),
        )?),
    };
    Some(proofs::TrustedIssuer {
        issuer: spec.issuer.clone(),
        keys,
    })
}

fn status(check: &mut Check<'_>, object: &Object, rules: &StatusRules) -> proofs::StatusRules {
    let inline = rules.ca_bundle.as_deref();
    let file = rules.ca_bundle_file.as_deref();
    proofs::StatusRules {
        required: rules.required,
        max_age_seconds: rules.max_age.as_seconds(),
        on_unreachable: match rules.on_unreachable {
            OnUnreachable::Indeterminate => proofs::OnUnreachable::Indeterminate,
            OnUnreachable::Fail => proofs::OnUnreachable::Fail,
        },
        allow_private_addresses: rules.allow_private_addresses,
        ca_bundle: keys::pem_bundle(check, object, "spec.status", inline, file),
    }
}

fn algorithm(algorithm: Algorithm) -> pavilion_jose::Algorithm {
    match algorithm {
        Algorithm::Es256 => pavilion_jose::Algorithm::Es256,
        Algorithm::Es384 => pavilion_jose::Algorithm::Es384,
        Algorithm::Es512 => pavilion_jose::Algorithm::Es512,
        Algorithm::EdDsa => pavilion_jose::Algorithm::EdDsa,
    }
}

fn assurance(level: Assurance) -> proofs::Assurance {
    match level {
        Assurance::Low => proofs::Assurance::Low,
        Assurance::Substantial => proofs::Assurance::Substantial,
        Assurance::High => proofs::Assurance::High,
    }
}
