//! No chain of certificates in a header makes a token count that nobody signed.
//!
//! An input is a chain, each certificate after its length in two bytes.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use pavilion_jose::base64url;
use pavilion_proofs::sd_jwt::{Expected, verify};
use pavilion_proofs::{IssuerKeys, PreparedAnchors, TrustAnchor, TrustedIssuer, X509Keys};
use serde_json::json;

static ANCHORS: LazyLock<PreparedAnchors> = LazyLock::new(|| {
    let anchor = TrustAnchor {
        credential_types: vec!["urn:eudi:pid:1".to_owned()],
        issuers: vec![TrustedIssuer {
            issuer: None,
            keys: IssuerKeys::X509(X509Keys {
                ca_bundle: include_str!("../material/ca.pem").to_owned(),
                san_dns: vec!["*.pid.example".to_owned()],
                san_uri: vec!["https://pid.example".to_owned()],
            }),
        }],
        status: pavilion_proofs::StatusRules::default(),
        algorithms: pavilion_proofs::default_algorithms(),
        assurance: None,
    };
    PreparedAnchors::new(&BTreeMap::from([("ca", anchor)])).expect("a usable anchor")
});

fn chain(mut bytes: &[u8]) -> Vec<String> {
    let mut chain = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (certificate, rest) = rest.split_at(length);
        chain.push(STANDARD.encode(certificate));
        bytes = rest;
    }
    chain
}

fuzz_target!(|bytes: &[u8]| {
    let header = json!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": chain(bytes)});
    let token = format!(
        "{}.{}.{}~",
        base64url(header.to_string().as_bytes()),
        base64url(br#"{"vct":"urn:eudi:pid:1"}"#),
        base64url(&[1; 64]),
    );
    let expected = Expected {
        evidence_id: "pid",
        types: &["urn:eudi:pid:1".to_owned()],
        anchors: &ANCHORS,
        trust: &["ca".to_owned()],
        nonce: "",
        audience: "",
        now: Timestamp::from_second(1_795_560_024).expect("a time"),
        leeway: Duration::from_mins(1),
        key_binding_max_age: Duration::from_mins(5),
        holder_binding: false,
    };
    let error = verify(&token, &expected).expect_err("nobody signed it");
    assert!(error.detail.ends_with('.'));
});
