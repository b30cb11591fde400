//! The examples of RFC 9901 through the same steps; most are no verifiable credentials. The one
//! that is goes the whole way in `tests/it/foreign.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use jiff::Timestamp;
use pavilion_jose::{Algorithm, Jwk, SigningKey};
use pavilion_json::Limits;
use serde_json::{Map, Value};

use super::key_binding::{self, Demand};
use super::{Expected, HashAlgorithm, parse, payload};
use crate::clock::Clock;
use crate::{PreparedAnchors, ProofError};

/// When the holder of the examples signed, for whom, and over which nonce.
const SIGNED_AT: i64 = 1_748_537_243;
const AUDIENCE: &str = "https://verifier.example.org";
const NONCE: &str = "1234567890";

fn vectors() -> (Jwk, Vec<Value>) {
    let vectors: Value =
        serde_json::from_str(include_str!("../../tests/vectors/rfc9901.json")).unwrap();
    let key = serde_json::from_value(vectors["issuer_key"].clone()).unwrap();
    let examples = vectors["examples"].as_array().unwrap().clone();
    assert_eq!(examples.len(), 8);
    (key, examples)
}

fn text(example: &Value) -> &str {
    example["sd_jwt"].as_str().unwrap()
}

/// The processed payload of an example whose signature verifies.
fn processed(sd_jwt: &str, issuer_key: &Jwk) -> Result<Map<String, Value>, String> {
    let presentation = parse(sd_jwt).map_err(|error| error.to_string())?;
    let jws = presentation
        .credential
        .verify(issuer_key.key(), &[Algorithm::Es256])
        .map_err(|error| error.to_string())?;
    let payload = pavilion_json::parse(jws.payload(), Limits::CREDENTIAL).unwrap();
    let payload = payload.as_object().unwrap().clone();
    let hash = HashAlgorithm::of_claim(payload.get(payload::SD_ALG)).unwrap();
    payload::process(payload, presentation.disclosures, hash).map_err(|error| error.to_string())
}

/// The key binding of an example, judged for these claims, audience and nonce at this second.
fn bound(
    sd_jwt: &str,
    claims: &Map<String, Value>,
    (audience, nonce, second): (&str, &str, i64),
) -> Result<(), ProofError> {
    let presentation = parse(sd_jwt).unwrap();
    let anchors = PreparedAnchors::default();
    let now = Timestamp::from_second(second).unwrap();
    let expected = Expected {
        evidence_id: "example",
        types: &[],
        anchors: &anchors,
        trust: &[],
        nonce,
        audience,
        now,
        leeway: Duration::ZERO,
        key_binding_max_age: Duration::from_secs(1),
        holder_binding: true,
    };
    let demand = Demand {
        expected: &expected,
        clock: Clock::new(now, Duration::ZERO),
        holder: claims.get("cnf"),
        hash: HashAlgorithm::Sha256,
        bound: presentation.bound(),
    };
    key_binding::check(presentation.key_binding(), &demand).map(drop)
}

#[test]
fn every_example_verifies_and_is_processed_to_what_the_text_prints() {
    let (key, examples) = vectors();
    for example in &examples {
        let found = processed(text(example), &key).unwrap();
        assert_eq!(
            Value::Object(found),
            example["processed"],
            "section {}",
            example["section"]
        );
    }
}

#[test]
fn no_example_verifies_under_another_key_or_with_a_disclosure_changed() {
    let (key, examples) = vectors();
    let other = SigningKey::generate(Algorithm::Es256).unwrap().public();
    let mut changed = 0;
    for example in &examples {
        assert!(processed(text(example), &other).is_err());
        let (before, after) = text(example).split_once('~').unwrap();
        let (first, rest) = after.split_once('~').unwrap();
        let foreign = pavilion_jose::base64url(br#"["s", "given_name", "Eve"]"#);
        assert_ne!(first, foreign);
        let forged = format!("{before}~{foreign}~{rest}");
        let refused = processed(&forged, &key).unwrap_err();
        assert!(
            refused.starts_with("disclosure_digest_unmatched"),
            "{refused}"
        );
        changed += 1;
    }
    assert_eq!(changed, 8);
}

#[test]
fn the_key_binding_of_every_example_that_has_one_holds_for_its_session_alone() {
    let (key, examples) = vectors();
    let mut held = 0;
    for example in &examples {
        let sd_jwt = text(example);
        if sd_jwt.ends_with('~') {
            continue;
        }
        let claims = processed(sd_jwt, &key).unwrap();
        bound(sd_jwt, &claims, (AUDIENCE, NONCE, SIGNED_AT)).unwrap();
        for (session, code) in [
            (
                ("https://other.example", NONCE, SIGNED_AT),
                "presentation_audience_mismatch",
            ),
            (
                (AUDIENCE, "0987654321", SIGNED_AT),
                "presentation_nonce_mismatch",
            ),
            ((AUDIENCE, NONCE, SIGNED_AT + 2), "key_binding_expired"),
            (
                (AUDIENCE, NONCE, SIGNED_AT - 1),
                "key_binding_from_the_future",
            ),
        ] {
            let refused = bound(sd_jwt, &claims, session).unwrap_err();
            assert_eq!(refused.code.code, code, "section {}", example["section"]);
        }
        // One disclosure fewer is another presentation.
        let (before, after) = sd_jwt.split_once('~').unwrap();
        let fewer = format!("{before}~{}", after.split_once('~').unwrap().1);
        let refused = bound(&fewer, &claims, (AUDIENCE, NONCE, SIGNED_AT)).unwrap_err();
        assert_eq!(refused.code.code, "key_binding_sd_hash_mismatch");
        held += 1;
    }
    assert_eq!(held, 3);
}
