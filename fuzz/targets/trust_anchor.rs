//! A trust anchor, a `did:jwk` or a PEM bundle is taken, or refused with the field at fault.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use pavilion_jose::base64url;
use pavilion_json::{Limits, read};
use pavilion_proofs::{IssuerKeys, PreparedAnchors, TrustAnchor, TrustedIssuer, X509Keys};

fn anchor(issuer: Option<String>, keys: IssuerKeys) -> TrustAnchor {
    TrustAnchor {
        credential_types: vec!["urn:eudi:pid:1".to_owned()],
        issuers: vec![TrustedIssuer { issuer, keys }],
        status: pavilion_proofs::StatusRules::default(),
        algorithms: pavilion_proofs::default_algorithms(),
        assurance: None,
    }
}

fn prepare(anchor: TrustAnchor) {
    if let Err(error) = PreparedAnchors::new(&BTreeMap::from([("a", anchor)])) {
        assert!(!error.path.is_empty() && !error.message.is_empty());
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(document) = read::<TrustAnchor>(bytes, Limits::DOCUMENT) {
        prepare(document);
    }
    let did = format!("did:jwk:{}", base64url(bytes));
    prepare(anchor(Some(did), IssuerKeys::DidJwk));
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    prepare(anchor(Some(text.to_owned()), IssuerKeys::DidJwk));
    let keys = X509Keys {
        ca_bundle: text.to_owned(),
        san_dns: vec!["*.pid.example".to_owned()],
        san_uri: Vec::new(),
    };
    prepare(anchor(None, IssuerKeys::X509(keys)));
});
