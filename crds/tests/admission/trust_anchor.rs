//! What a TrustAnchor may say.

use pavilion_crds::{Kind, admission::Fault};
use serde_json::{Value, json};

use crate::objects::{anchor, faults, refused, with};

#[test]
fn an_issuer_is_checked_in_exactly_one_way() {
    let issuer = |value: Value| with(anchor(), "/spec/issuers", json!([value]));
    let keys = json!({"keys": [{"kty": "EC"}]});
    for fine in [
        json!({"issuer": "https://pid.example", "jwksFile": "pid.json"}),
        json!({"issuer": "did:jwk:eyJrdHkiOiJFQyJ9"}),
        json!({"x509": {"caBundleFile": "ca.pem", "sanDns": ["*.pid.example"]}}),
    ] {
        assert_eq!(
            faults(Kind::TrustAnchor, &issuer(fine.clone())),
            [],
            "{fine}"
        );
    }
    for bad in [
        json!({"issuer": "https://pid.example"}),
        json!({"issuer": "https://pid.example", "jwks": keys, "jwksFile": "pid.json"}),
        json!({"issuer": "did:jwk:eyJ9", "jwks": keys}),
        json!({"jwks": keys}),
    ] {
        refused(
            Kind::TrustAnchor,
            &issuer(bad),
            "spec.issuers[0]",
            Fault::Rule,
        );
    }
}

#[test]
fn authorities_come_inline_or_by_file_never_both() {
    for x509 in [
        json!({"sanDns": ["a.example"]}),
        json!({"sanDns": ["a.example"], "caBundle": "x", "caBundleFile": "y"}),
    ] {
        let object = with(anchor(), "/spec/issuers", json!([{"x509": x509}]));
        refused(
            Kind::TrustAnchor,
            &object,
            "spec.issuers[0].x509",
            Fault::Rule,
        );
    }
    let object = with(
        anchor(),
        "/spec/status",
        json!({"caBundle": "x", "caBundleFile": "y"}),
    );
    refused(Kind::TrustAnchor, &object, "spec.status", Fault::Rule);
    let object = with(anchor(), "/spec/status", json!({"maxAge": "10s"}));
    refused(
        Kind::TrustAnchor,
        &object,
        "spec.status.maxAge",
        Fault::Rule,
    );
}
