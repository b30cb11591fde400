//! What a data plane takes for a tenant's bundle, byte for byte, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use pavilion_bundle::{Document, LoadError, Named, TenantBundle};
use pavilion_json::Digest;
use pavilion_policy::{Policy, revision_digest};
use serde_json::{Value, json};

fn policy() -> Value {
    json!({
        "title": "Is of age",
        "purposes": ["age-restricted-sale"],
        "evidence": [{
            "id": "pid", "optional": false, "format": "dc+sd-jwt", "types": ["urn:eudi:pid:1"],
            "trust": ["pid-issuers"], "holderBinding": true,
            "claims": [{"id": "birthdate", "path": ["birthdate"]}],
        }],
        "rule": {"claim": "pid.birthdate", "age": {"atLeast": 18}},
        "disclose": ["pid.birthdate"],
    })
}

/// A bundle with one of everything.
fn bundle() -> Value {
    let read: Policy = serde_json::from_value(policy()).unwrap();
    let key = json!({
        "kty": "EC", "crv": "P-256", "kid": "k1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    json!({
        "version": 7,
        "tenant": "acme",
        "region": "eu-central",
        "issuer": "https://verify.acme.example/",
        "hosts": ["verify.acme.example"],
        "lifetimes": {
            "verificationSeconds": 600, "keepResultSeconds": 900, "answerSeconds": 600,
            "tokenSeconds": 300, "clockLeewaySeconds": 60,
        },
        "audit": {"origin": "log.example/3f2a"},
        "relyingParties": {"shop": {
            "uid": "1", "audience": "shop", "authentication": {"privateKeyJwt": {"keys": [key]}},
            "purposes": ["age-restricted-sale"], "policies": ["over18"],
        }},
        "policies": {"over18": {
            "revision": 3, "digest": revision_digest(&read), "policy": policy(),
        }},
        "trustAnchors": {"pid-issuers": {
            "credentialTypes": ["urn:eudi:pid:1"],
            "issuers": [{"issuer": "https://pid.example", "keys": {"jwks": {"keys": [key]}}}],
        }},
    })
}

fn read(bundle: Value) -> Result<Named<TenantBundle>, LoadError> {
    let bundle: TenantBundle = serde_json::from_value(bundle).unwrap();
    Named::read(&bundle.seal().unwrap().0)
}

/// Changes the value at a JSON pointer and says how the bundle is refused.
fn refusal(pointer: &str, value: Value) -> String {
    let mut bundle = bundle();
    *bundle.pointer_mut(pointer).unwrap() = value;
    let refused = read(bundle).unwrap_err();
    assert!(matches!(refused, LoadError::Invalid { .. }), "{refused:?}");
    refused.to_string()
}

/// The document that operators and data planes of one release exchange. It changes on purpose only:
/// `UPDATE=1 cargo test -p pavilion-bundle --test tenant_bundle`.
#[test]
fn a_sealed_bundle_is_the_golden_one_and_reads_back() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tenant_bundle.json");
    let written: TenantBundle = serde_json::from_value(bundle()).unwrap();
    let (bytes, digest) = written.seal().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &bytes).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        String::from_utf8_lossy(&golden)
    );
    let read = Named::<TenantBundle>::read(&golden).unwrap();
    assert_eq!((read.digest(), read.document().version()), (digest, 7));
    assert_eq!(read.into_document(), written);
}

#[test]
fn a_bundle_without_a_host_is_refused() {
    let refused = refusal("/hosts", json!([]));
    assert_eq!(refused, "hosts: must name at least one host");
}

#[test]
fn a_lifetime_of_nothing_is_refused_by_name_and_a_leeway_of_nothing_is_not() {
    for lifetime in [
        "verificationSeconds",
        "keepResultSeconds",
        "answerSeconds",
        "tokenSeconds",
    ] {
        let refused = refusal(&format!("/lifetimes/{lifetime}"), json!(0));
        assert_eq!(refused, format!("lifetimes.{lifetime}: must be at least 1"));
    }
    let mut exact = bundle();
    exact["lifetimes"]["clockLeewaySeconds"] = json!(0);
    read(exact).unwrap();
}

#[test]
fn a_relying_party_that_cannot_prove_who_it_is_is_refused() {
    let refused = refusal("/relyingParties/shop/authentication", json!({}));
    assert_eq!(
        refused,
        "relyingParties.shop.authentication: must name a key set or a client certificate"
    );
    let mut certificate = bundle();
    certificate["relyingParties"]["shop"]["authentication"] =
        json!({"mutualTls": {"caBundle": "PEM", "sanDns": ["shop.example"]}});
    read(certificate).unwrap();
}

#[test]
fn a_relying_party_of_a_policy_that_is_not_there_is_refused() {
    let refused = refusal("/relyingParties/shop/policies", json!(["over18", "over21"]));
    assert_eq!(
        refused,
        "relyingParties.shop.policies: over21 is not in this bundle"
    );
}

#[test]
fn a_policy_of_a_trust_anchor_that_is_not_there_is_refused() {
    let refused = refusal("/trustAnchors", json!({}));
    assert_eq!(
        refused,
        "policies.over18.policy.evidence: pid-issuers is not a trust anchor of this bundle"
    );
}

#[test]
fn a_policy_under_the_digest_of_another_is_refused() {
    let other = json!(Digest::of(b"another policy"));
    let wanted = "policies.over18.digest: is not the digest of this policy under this engine";
    assert_eq!(refusal("/policies/over18/digest", other), wanted);
    let looser = json!(16);
    let changed = refusal("/policies/over18/policy/rule/age/atLeast", looser);
    assert_eq!(changed, wanted);
}

#[test]
fn an_unknown_member_and_another_spelling_are_refused() {
    let golden: TenantBundle = serde_json::from_value(bundle()).unwrap();
    let text = String::from_utf8(golden.seal().unwrap().0).unwrap();
    let more = text.replacen('{', r#"{"a":1,"#, 1);
    let refused = Named::<TenantBundle>::read(more.as_bytes());
    assert!(matches!(refused, Err(LoadError::Json(_))), "{refused:?}");
    let spaced = text.replacen(':', ": ", 1);
    let refused = Named::<TenantBundle>::read(spaced.as_bytes());
    assert!(
        matches!(refused, Err(LoadError::NotCanonical)),
        "{refused:?}"
    );
}
