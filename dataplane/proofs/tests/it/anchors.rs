//! Who is believed: issuers, their keys, and the types they are believed for.

use std::collections::BTreeMap;

use pavilion_jose::{Algorithm, Jwks, SigningKey};
use pavilion_proofs::sd_jwt::verify;
use pavilion_proofs::wallet::Issuer;
use pavilion_proofs::{
    Assurance, IssuerKeys, OnUnreachable, PreparedAnchors, StatusRules, TrustAnchor, TrustedIssuer,
};
use serde_json::json;

use crate::world::{ISSUER, World, anchor, copy, key, now};

fn refused(change: impl FnOnce(&mut TrustAnchor)) -> String {
    let mut anchor = World::new().anchor;
    change(&mut anchor);
    let anchors = BTreeMap::from([("pid-issuers", anchor)]);
    let error = PreparedAnchors::new(&anchors).expect_err("the anchor was taken");
    assert_eq!(error.anchor, "pid-issuers");
    assert!(error.message.ends_with('.'), "{}", error.message);
    error.path
}

#[test]
fn an_issuer_that_no_anchor_names_is_not_trusted() {
    let world = World::new();
    for issuer in [
        "https://pid.example/",
        "https://PID.example",
        "https://other.example",
        "",
    ] {
        let presentation = world.with_payload(|payload| payload["iss"] = json!(issuer));
        assert_eq!(
            world.refusal(&presentation),
            "issuer_not_trusted",
            "{issuer}"
        );
    }
    let nobody = world.with_payload(|payload| {
        payload.as_object_mut().unwrap().remove("iss");
    });
    assert_eq!(world.refusal(&nobody), "issuer_not_trusted");
    let odd = world.with_payload(|payload| payload["iss"] = json!([ISSUER]));
    assert_eq!(world.refusal(&odd), "credential_invalid");
}

#[test]
fn an_anchor_counts_only_for_the_types_it_lists_and_the_evidence_that_names_it() {
    let mut world = World::new();
    let presentation = world.presentation_of(&world.draft());
    let elsewhere = ["other-issuers".to_owned()];
    let anchors = crate::world::prepared(world.anchor.clone());
    let result = world.verify_with(&presentation, |expected| {
        let mut changed = *expected;
        changed.trust = &[];
        assert_eq!(
            verify(&presentation, &changed).unwrap_err().code.code,
            "issuer_not_trusted"
        );
    });
    assert!(result.is_ok());
    let types = ["urn:eudi:pid:1".to_owned()];
    let expected = pavilion_proofs::sd_jwt::Expected {
        evidence_id: "pid",
        types: &types,
        anchors: &anchors,
        trust: &elsewhere,
        nonce: crate::world::NONCE,
        audience: crate::world::AUDIENCE,
        now: now(),
        leeway: std::time::Duration::ZERO,
        key_binding_max_age: std::time::Duration::from_mins(1),
        holder_binding: true,
    };
    assert_eq!(
        verify(&presentation, &expected).unwrap_err().code.code,
        "issuer_not_trusted"
    );
    world.anchor.credential_types = vec!["urn:eudi:pid:2".to_owned()];
    assert_eq!(world.refusal(&presentation), "issuer_not_trusted");
}

#[test]
fn the_key_is_found_by_its_kid() {
    let mut world = World::new();
    let other = key();
    world.anchor.issuers[0].keys = IssuerKeys::Jwks(Jwks {
        keys: vec![other.public(), world.issuer_key.public()],
    });
    assert!(world.verify(&world.presentation_of(&world.draft())).is_ok());
    let wrong = world.with_header(|header| header["kid"] = json!(other.public().kid()));
    assert_eq!(world.refusal(&wrong), "credential_signature_invalid");
    let unknown = world.with_header(|header| header["kid"] = json!("unknown"));
    assert_eq!(world.refusal(&unknown), "issuer_key_unknown");
}

#[test]
fn without_a_kid_the_algorithm_must_leave_one_key() {
    let mut world = World::new();
    let without = |world: &World| {
        world.with_header(|header| {
            header.as_object_mut().unwrap().remove("kid");
        })
    };
    let set = |keys: Vec<&SigningKey>| {
        IssuerKeys::Jwks(Jwks {
            keys: keys.into_iter().map(SigningKey::public).collect(),
        })
    };
    let (other, curve) = (key(), SigningKey::generate(Algorithm::Es384).unwrap());
    world.anchor.issuers[0].keys = set(vec![&curve, &world.issuer_key]);
    assert!(world.verify(&without(&world)).is_ok());
    world.anchor.issuers[0].keys = set(vec![&other, &world.issuer_key]);
    assert_eq!(world.refusal(&without(&world)), "issuer_key_unknown");
    world.anchor.issuers[0].keys = set(vec![&curve]);
    assert_eq!(world.refusal(&without(&world)), "issuer_key_unknown");
}

#[test]
fn a_kid_of_a_key_for_another_algorithm_is_no_match() {
    let mut world = World::new();
    let curve = SigningKey::generate(Algorithm::Es384).unwrap();
    world.anchor.issuers[0].keys = IssuerKeys::Jwks(Jwks {
        keys: vec![curve.public()],
    });
    let presentation = world.with_header(|header| header["kid"] = json!(curve.public().kid()));
    assert_eq!(world.refusal(&presentation), "issuer_key_unknown");
}

#[test]
fn a_key_for_encryption_is_no_key_for_signatures() {
    let mut world = World::new();
    let mut members = world.issuer_key.public().members().clone();
    members.insert("use".to_owned(), json!("enc"));
    let encryption = pavilion_jose::Jwk::from_members(members).unwrap();
    world.anchor.issuers[0].keys = IssuerKeys::Jwks(Jwks {
        keys: vec![encryption, key().public()],
    });
    assert_eq!(
        world.refusal(&world.presentation_of(&world.draft())),
        "issuer_key_unknown"
    );
}

#[test]
fn an_algorithm_that_the_anchor_does_not_list_is_refused() {
    let key = SigningKey::generate(Algorithm::Es512).unwrap();
    let mut world = World::of(key, SigningKey::generate(Algorithm::Es256).unwrap());
    world.anchor.algorithms = Algorithm::ALL.to_vec();
    let presentation = world.presentation_of(&world.draft());
    assert!(world.verify(&presentation).is_ok());
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    world.anchor.algorithms = vec![Algorithm::Es256];
    world.anchor.issuers[0].keys = IssuerKeys::Jwks(Jwks {
        keys: vec![world.issuer_key.public(), other.public()],
    });
    assert_eq!(world.refusal(&presentation), "algorithm_not_allowed");
}

#[test]
fn the_second_of_two_entries_for_one_issuer_is_tried_too() {
    let mut world = World::new();
    let old = TrustedIssuer {
        issuer: Some(ISSUER.to_owned()),
        keys: IssuerKeys::Jwks(Jwks {
            keys: vec![key().public()],
        }),
    };
    world.anchor.issuers.insert(0, old);
    assert!(world.verify(&world.presentation_of(&world.draft())).is_ok());
}

#[test]
fn an_issuer_may_be_a_listed_did_jwk() {
    let mut world = World::new();
    world.issuer = Issuer::did_jwk(copy(&world.issuer_key)).unwrap();
    let did = world.issuer.name().unwrap().to_owned();
    let presentation = world.presentation_of(&world.draft());
    assert_eq!(world.refusal(&presentation), "issuer_not_trusted");
    world.anchor = anchor(TrustedIssuer {
        issuer: Some(did.clone()),
        keys: IssuerKeys::DidJwk,
    });
    assert_eq!(world.verify(&presentation).unwrap().issuer, did);

    for (kid, verdict) in [("#0", None), ("#1", Some("issuer_key_unknown"))] {
        let mut payload = world.payload();
        payload["iss"] = json!(did);
        let mut header = world.header();
        header["kid"] = json!(kid);
        let presentation = world.forged(&header, &payload);
        match verdict {
            None => assert!(world.verify(&presentation).is_ok()),
            Some(code) => assert_eq!(world.refusal(&presentation), code),
        }
    }
}

#[test]
fn a_did_jwk_signed_with_another_key_or_algorithm_is_refused() {
    let mut world = World::new();
    let did = Issuer::did_jwk(copy(&world.issuer_key))
        .unwrap()
        .name()
        .unwrap()
        .to_owned();
    world.anchor = anchor(TrustedIssuer {
        issuer: Some(did.clone()),
        keys: IssuerKeys::DidJwk,
    });
    let mut payload = world.payload();
    payload["iss"] = json!(did);
    let header = |alg: &str| json!({"alg": alg, "typ": "dc+sd-jwt"});
    world.issuer_key = key();
    assert_eq!(
        world.refusal(&world.forged(&header("ES256"), &payload)),
        "credential_signature_invalid"
    );
    world.issuer_key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    assert_eq!(
        world.refusal(&world.forged(&header("EdDSA"), &payload)),
        "issuer_key_unknown"
    );
}

#[test]
fn the_assurance_comes_from_the_anchor() {
    let mut world = World::new();
    world.anchor.assurance = Some(Assurance::Substantial);
    let credential = world
        .verify(&world.presentation_of(&world.draft()))
        .unwrap();
    assert_eq!(credential.assurance, Some(Assurance::Substantial));
    assert!(Assurance::Low < Assurance::Substantial && Assurance::Substantial < Assurance::High);
}

#[test]
fn an_anchor_that_could_never_be_used_is_refused_at_its_field() {
    assert_eq!(
        refused(|anchor| anchor.credential_types.clear()),
        "credentialTypes"
    );
    assert_eq!(
        refused(|anchor| anchor.credential_types.push(String::new())),
        "credentialTypes"
    );
    assert_eq!(refused(|anchor| anchor.issuers.clear()), "issuers");
    assert_eq!(refused(|anchor| anchor.algorithms.clear()), "algorithms");
    assert_eq!(
        refused(|anchor| anchor.status.max_age_seconds = 0),
        "status.maxAge"
    );
    assert_eq!(
        refused(|anchor| anchor.status.ca_bundle = Some("no".into())),
        "status.caBundle"
    );
    assert_eq!(
        refused(|anchor| anchor.issuers[0].issuer = None),
        "issuers[0].issuer"
    );
    assert_eq!(
        refused(|anchor| anchor.algorithms = vec![Algorithm::EdDsa]),
        "issuers[0].keys.jwks"
    );
    assert_eq!(
        refused(|anchor| anchor.issuers[0].keys = IssuerKeys::Jwks(Jwks::default())),
        "issuers[0].keys.jwks"
    );
    let twice = |anchor: &mut TrustAnchor| {
        let keys = vec![key().public().with_kid("a"), key().public().with_kid("a")];
        anchor.issuers[0].keys = IssuerKeys::Jwks(Jwks { keys });
    };
    assert_eq!(refused(twice), "issuers[0].keys.jwks.keys[1]");
    assert_eq!(
        refused(|anchor| anchor.issuers[0].keys = IssuerKeys::DidJwk),
        "issuers[0].issuer"
    );
}

#[test]
fn a_did_jwk_that_holds_no_usable_key_is_refused_at_its_field() {
    let set = |did: &str, anchor: &mut TrustAnchor| {
        anchor.issuers[0] = TrustedIssuer {
            issuer: Some(did.to_owned()),
            keys: IssuerKeys::DidJwk,
        };
    };
    for did in ["did:web:pid.example", "did:jwk:***", "did:jwk:e30"] {
        assert_eq!(
            refused(|anchor| set(did, anchor)),
            "issuers[0].issuer",
            "{did}"
        );
    }
    let strong = Issuer::did_jwk(SigningKey::generate(Algorithm::Es512).unwrap()).unwrap();
    assert_eq!(
        refused(|anchor| set(strong.name().unwrap(), anchor)),
        "issuers[0].issuer"
    );
}

#[test]
fn an_anchor_has_one_text_and_its_defaults_are_the_safe_ones() {
    let jwks = json!({"keys": [key().public()]});
    let text = json!({
        "credentialTypes": ["urn:eudi:pid:1"],
        "issuers": [
            {"issuer": ISSUER, "keys": {"jwks": jwks}},
            {"keys": {"x509": {"caBundle": "pem", "sanDns": ["*.pid.example"]}}},
            {"issuer": "did:jwk:e30", "keys": "didJwk"},
        ],
    });
    let anchor: TrustAnchor = serde_json::from_value(text).unwrap();
    assert_eq!(
        anchor.algorithms,
        [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa]
    );
    assert_eq!(anchor.status, StatusRules::default());
    assert!(anchor.status.required && !anchor.status.allow_private_addresses);
    assert_eq!(anchor.status.max_age_seconds, 3_600);
    assert_eq!(anchor.status.on_unreachable, OnUnreachable::Indeterminate);
    let again: TrustAnchor =
        serde_json::from_value(serde_json::to_value(&anchor).unwrap()).unwrap();
    assert_eq!(again, anchor);
    let unknown = json!({"credentialTypes": [], "issuers": [], "extra": 1});
    assert!(serde_json::from_value::<TrustAnchor>(unknown).is_err());
}

#[test]
fn prepared_anchors_print_their_names_and_nothing_else() {
    let anchors = crate::world::prepared(World::new().anchor);
    assert_eq!(format!("{anchors:?}"), "{\"pid-issuers\"}");
}
