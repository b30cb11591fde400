//! The examples of RFC 9901 that are no verifiable credentials, through the same steps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pavilion_jose::{Algorithm, Jwk};
use pavilion_json::Limits;
use serde_json::Value;

use super::{HashAlgorithm, parse, payload};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/rfc9901.json")).unwrap()
}

/// The processed payload of an example.
fn processed(sd_jwt: &str, issuer_key: &Jwk) -> Value {
    let presentation = parse(sd_jwt).unwrap();
    let jws = presentation
        .credential
        .verify(issuer_key.key(), &[Algorithm::Es256])
        .unwrap();
    let payload = pavilion_json::parse(jws.payload(), Limits::CREDENTIAL).unwrap();
    let payload = payload.as_object().unwrap().clone();
    let hash = HashAlgorithm::of_claim(payload.get(payload::SD_ALG)).unwrap();
    payload::process(payload, presentation.disclosures, hash)
        .unwrap()
        .into()
}

#[test]
fn every_example_of_the_specification_is_processed_to_what_it_prints() {
    let vectors = vectors();
    let key: Jwk = serde_json::from_value(vectors["issuer_key"].clone()).unwrap();
    let mut compared = 0;
    for example in vectors["examples"].as_array().unwrap() {
        let found = processed(example["sd_jwt"].as_str().unwrap(), &key);
        if let Some(printed) = example.get("processed") {
            assert_eq!(found, *printed, "section {}", example["section"]);
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
}

#[test]
fn the_key_binding_of_an_example_covers_exactly_what_precedes_it() {
    let vectors = vectors();
    let bound = vectors["examples"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["section"] == "5.2");
    for example in bound {
        let presentation = parse(example["sd_jwt"].as_str().unwrap()).unwrap();
        let hash = HashAlgorithm::Sha256.digest(presentation.bound());
        assert_eq!(hash, "G3I8z-cFMATAK2ep8MXWk-vnjI3X6-aahYeU9Tvzz3E");
        assert!(presentation.key_binding().is_some());
        assert_eq!(
            presentation.text().len(),
            presentation.bound().len() + presentation.key_binding().unwrap().len()
        );
    }
}
