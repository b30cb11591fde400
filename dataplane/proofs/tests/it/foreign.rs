//! Presentations made by implementations that are not ours (the programs are in
//! `tests/foreign/`), and the examples of the specification.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use pavilion_jose::{Jwk, Jwks};
use pavilion_proofs::sd_jwt::{Credential, Expected, verify};
use pavilion_proofs::{IssuerKeys, PreparedAnchors, ProofError, TrustedIssuer, Verified};
use serde_json::Value;

use crate::world::anchor;

/// A request that the presentation answers, and who is trusted.
struct Question<'a> {
    issuer: &'a str,
    issuer_key: &'a Value,
    credential_type: &'a str,
    nonce: &'a str,
    audience: &'a str,
    now: i64,
}

impl Question<'_> {
    fn judge(&self, presentation: &str) -> Result<Verified<Credential>, ProofError> {
        let key: Jwk = serde_json::from_value(self.issuer_key.clone()).unwrap();
        let mut anchor = anchor(TrustedIssuer {
            issuer: Some(self.issuer.to_owned()),
            keys: IssuerKeys::Jwks(Jwks { keys: vec![key] }),
        });
        anchor.credential_types = vec![self.credential_type.to_owned()];
        let anchors = PreparedAnchors::new(&BTreeMap::from([("a", anchor)])).unwrap();
        let expected = Expected {
            evidence_id: "pid",
            types: &[self.credential_type.to_owned()],
            anchors: &anchors,
            trust: &["a".to_owned()],
            nonce: self.nonce,
            audience: self.audience,
            now: Timestamp::from_second(self.now).unwrap(),
            leeway: Duration::ZERO,
            key_binding_max_age: Duration::from_mins(5),
            holder_binding: true,
        };
        verify(presentation, &expected)
    }
}

fn every_presentation_of(corpus: &str) -> usize {
    let corpus: Value = serde_json::from_str(corpus).unwrap();
    let presentations = corpus["presentations"].as_array().unwrap();
    for one in presentations {
        let question = Question {
            issuer: "https://pid.example",
            issuer_key: &one["issuer_key"],
            credential_type: "urn:eudi:pid:1",
            nonce: corpus["nonce"].as_str().unwrap(),
            audience: corpus["audience"].as_str().unwrap(),
            // A holder may take a second to sign.
            now: corpus["now"].as_i64().unwrap() + 5,
        };
        let presentation = one["presentation"].as_str().unwrap();
        let credential = question
            .judge(presentation)
            .unwrap_or_else(|error| panic!("{}: {error}", one["name"]));
        assert_eq!(
            Value::Object(credential.into_inner().claims),
            one["claims"],
            "{}",
            one["name"]
        );
        let late = Question {
            now: question.now + 400,
            ..question
        };
        assert_eq!(
            late.judge(presentation).unwrap_err().code.code,
            "key_binding_expired"
        );
    }
    presentations.len()
}

#[test]
fn presentations_made_by_the_javascript_library_verify_to_what_it_says_they_disclose() {
    assert_eq!(
        every_presentation_of(include_str!("../vectors/foreign/sd-jwt-js.json")),
        11
    );
}

#[test]
fn presentations_made_by_the_python_library_verify_to_what_it_says_they_disclose() {
    assert_eq!(
        every_presentation_of(include_str!("../vectors/foreign/sd-jwt-py.json")),
        8
    );
}

#[test]
fn the_verifiable_credential_of_the_specification_verifies() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/rfc9901.json")).unwrap();
    let example = vectors["examples"].as_array().unwrap().iter();
    let example = example
        .filter(|one| one["section"] == "A.3")
        .nth(1)
        .unwrap();
    let question = Question {
        issuer: "https://pid-issuer.bund.de.example",
        issuer_key: &vectors["issuer_key"],
        credential_type: "urn:eudi:pid:de:1",
        nonce: "1234567890",
        audience: "https://verifier.example.org",
        now: 1_748_537_243,
    };
    let presentation = example["sd_jwt"].as_str().unwrap();
    let credential = question.judge(presentation).unwrap();
    assert_eq!(
        Value::Object(credential.into_inner().claims),
        example["processed"]
    );
    let other = Question {
        nonce: "1234567891",
        ..question
    };
    assert_eq!(
        other.judge(presentation).unwrap_err().code.code,
        "presentation_nonce_mismatch"
    );
}
