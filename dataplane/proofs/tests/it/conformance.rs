//! The checks that the `OpenID` conformance suite lists for a verifier of SD-JWT VCs
//! (`vp1finalverifier`), each as a sentence.

use pavilion_jose::{Algorithm, SigningKey, base64url};
use pavilion_proofs::wallet::{Holder, Session};
use serde_json::{Value, json};

use crate::world::{AUDIENCE, ISSUER, VCT, World, code, key, now, paths, seconds, session};

#[test]
fn an_honest_presentation_is_verified_and_says_what_was_disclosed() {
    let world = World::new();
    let presentation = world.present(&world.credential(), &["birthdate", "address.country"]);
    let credential = world.verify(&presentation).unwrap();
    assert_eq!(credential.issuer, ISSUER);
    assert_eq!(credential.credential_type, VCT);
    assert_eq!(credential.evidence_id, "pid");
    assert_eq!(credential.anchor, "pid-issuers");
    assert_eq!(credential.issued_at, Some(now() - seconds(3_600)));
    assert_eq!(credential.claims["birthdate"], "1963-08-12");
    assert_eq!(
        credential.claims["address"],
        json!({"street_address": "Heidestraße 17", "country": "DE"})
    );
    assert_eq!(credential.claims["nationalities"], json!(["DE"]));
    assert!(!credential.claims.contains_key("given_name"));
    assert!(credential.key_binding_digest.is_some());
}

#[test]
fn every_algorithm_on_the_list_verifies() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let key = || SigningKey::generate(algorithm).unwrap();
        let world = World::of(key(), key());
        world
            .verify(&world.presentation_of(&world.draft()))
            .unwrap();
    }
}

#[test]
fn a_credential_with_an_invalid_signature_is_refused() {
    let mut world = World::new();
    world.issuer_key = key();
    // Signed by somebody else under the honest issuer's kid.
    let kid = world.issuer.public().kid().unwrap().to_owned();
    let presentation = world.with_header(|header| header["kid"] = json!(kid));
    assert_eq!(world.refusal(&presentation), "credential_signature_invalid");
}

#[test]
fn a_credential_whose_payload_was_changed_is_refused() {
    let world = World::new();
    let credential = world.credential();
    let (jwt, disclosures) = credential.split_once('~').unwrap();
    let parts: Vec<&str> = jwt.split('.').collect();
    let mut payload: Value =
        serde_json::from_slice(&pavilion_jose::from_base64url(parts[1]).unwrap()).unwrap();
    payload["exp"] = json!(now().as_second() + 999_999);
    let payload = base64url(payload.to_string().as_bytes());
    let changed = format!("{}.{payload}.{}~{disclosures}", parts[0], parts[2]);
    let presentation = world.present(&changed, &["birthdate"]);
    assert_eq!(world.refusal(&presentation), "credential_signature_invalid");
}

#[test]
fn a_key_binding_for_another_audience_is_refused() {
    let world = World::new();
    let audience = "https://verify.acme.example/";
    let session = Session {
        audience,
        ..session()
    };
    let presentation = world
        .holder
        .present(&world.credential(), &[], session)
        .unwrap();
    assert_eq!(
        world.refusal(&presentation),
        "presentation_audience_mismatch"
    );
}

#[test]
fn a_key_binding_with_another_nonce_is_refused() {
    let world = World::new();
    let session = Session {
        nonce: "another",
        ..session()
    };
    let presentation = world
        .holder
        .present(&world.credential(), &[], session)
        .unwrap();
    assert_eq!(world.refusal(&presentation), "presentation_nonce_mismatch");
}

#[test]
fn a_key_binding_signed_by_another_key_is_refused() {
    let world = World::new();
    let presentation = Holder::new(key())
        .present(&world.credential(), &[], session())
        .unwrap();
    assert_eq!(
        world.refusal(&presentation),
        "key_binding_signature_invalid"
    );
}

#[test]
fn a_key_binding_signed_on_another_curve_is_refused() {
    let world = World::new();
    let holder = Holder::new(SigningKey::generate(Algorithm::Es384).unwrap());
    let presentation = holder.present(&world.credential(), &[], session()).unwrap();
    assert_eq!(
        world.refusal(&presentation),
        "key_binding_signature_invalid"
    );
}

fn made_at(world: &World, offset: i64) -> String {
    let session = Session {
        now: now() + seconds(offset),
        ..session()
    };
    world
        .holder
        .present(&world.credential(), &[], session)
        .unwrap()
}

#[test]
fn a_key_binding_from_the_past_is_refused_beyond_its_age_and_the_leeway() {
    let world = World::new();
    assert!(world.verify(&made_at(&world, -360)).is_ok());
    assert_eq!(world.refusal(&made_at(&world, -361)), "key_binding_expired");
}

#[test]
fn a_key_binding_from_the_future_is_refused_beyond_the_leeway() {
    let world = World::new();
    assert!(world.verify(&made_at(&world, 60)).is_ok());
    assert_eq!(
        world.refusal(&made_at(&world, 61)),
        "key_binding_from_the_future"
    );
}

#[test]
fn a_key_binding_over_other_disclosures_is_refused() {
    let world = World::new();
    let credential = world.credential();
    let one = world.present(&credential, &["birthdate"]);
    let two = world.present(&credential, &["birthdate", "given_name"]);
    let (_, key_binding) = one.rsplit_once('~').unwrap();
    let (bound, _) = two.rsplit_once('~').unwrap();
    assert_eq!(
        world.refusal(&format!("{bound}~{key_binding}")),
        "key_binding_sd_hash_mismatch"
    );
}

#[test]
fn a_key_binding_over_another_credential_of_the_same_holder_is_refused() {
    let world = World::new();
    let one = world.present(&world.credential(), &[]);
    let two = world.present(&world.credential(), &[]);
    let (_, key_binding) = one.rsplit_once('~').unwrap();
    let (bound, _) = two.rsplit_once('~').unwrap();
    assert_eq!(
        world.refusal(&format!("{bound}~{key_binding}")),
        "key_binding_sd_hash_mismatch"
    );
}

#[test]
fn a_presentation_without_key_binding_is_refused_where_one_is_demanded() {
    let world = World::new();
    let presentation =
        Holder::present_unbound(&world.credential(), &paths(&["birthdate"])).unwrap();
    assert_eq!(world.refusal(&presentation), "key_binding_missing");
    let unbound = world.verify_with(&presentation, |expected| expected.holder_binding = false);
    let credential = unbound.unwrap();
    assert_eq!(credential.claims["birthdate"], "1963-08-12");
    assert_eq!(credential.key_binding_digest, None);
}

#[test]
fn a_key_binding_that_nobody_asked_for_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential(), &[]);
    let result = world.verify_with(&presentation, |expected| expected.holder_binding = false);
    assert_eq!(code(result), "key_binding_unexpected");
}

/// A presentation with a key-binding JWT written by hand.
fn bound_by(world: &World, header: &Value, change: impl FnOnce(&mut Value)) -> String {
    let honest = world.present(&world.credential(), &[]);
    let (bound, jwt) = honest.rsplit_once('~').unwrap();
    let payload = jwt.split('.').nth(1).unwrap();
    let mut payload: Value =
        serde_json::from_slice(&pavilion_jose::from_base64url(payload).unwrap()).unwrap();
    change(&mut payload);
    let jwt = world
        .holder_key
        .sign_compact(header, payload.to_string().as_bytes())
        .unwrap();
    format!("{bound}~{jwt}")
}

#[test]
fn a_key_binding_needs_its_own_type() {
    let world = World::new();
    for typ in [json!("JWT"), json!("dc+sd-jwt"), Value::Null] {
        let mut header = json!({"alg": "ES256"});
        if typ.is_string() {
            header["typ"] = typ;
        }
        let presentation = bound_by(&world, &header, |_| {});
        assert_eq!(world.refusal(&presentation), "key_binding_invalid");
    }
}

#[test]
fn a_key_binding_needs_every_claim_in_its_own_form() {
    let world = World::new();
    let header = json!({"alg": "ES256", "typ": "kb+jwt"});
    for name in ["nonce", "aud", "iat", "sd_hash"] {
        let without = bound_by(&world, &header, |payload| {
            payload.as_object_mut().unwrap().remove(name);
        });
        assert_eq!(world.refusal(&without), "key_binding_invalid", "{name}");
        let wrong = bound_by(&world, &header, |payload| payload[name] = json!([AUDIENCE]));
        assert_eq!(world.refusal(&wrong), "key_binding_invalid", "{name}");
    }
    let more = bound_by(&world, &header, |payload| {
        payload["more"] = json!("is allowed");
    });
    assert!(world.verify(&more).is_ok());
}

#[test]
fn a_key_binding_that_states_its_own_end_or_start_is_held_to_it() {
    let world = World::new();
    let header = json!({"alg": "ES256", "typ": "kb+jwt"});
    let over = bound_by(&world, &header, |payload| {
        payload["exp"] = json!(now().as_second() - 60);
    });
    assert_eq!(world.refusal(&over), "key_binding_expired");
    let early = bound_by(&world, &header, |payload| {
        payload["nbf"] = json!(now().as_second() + 61);
    });
    assert_eq!(world.refusal(&early), "key_binding_from_the_future");
}

#[test]
fn a_key_binding_without_a_signature_is_refused() {
    let world = World::new();
    let honest = world.present(&world.credential(), &[]);
    let (bound, jwt) = honest.rsplit_once('~').unwrap();
    let payload = jwt.split('.').nth(1).unwrap();
    for alg in ["none", "None", "HS256", "RS256"] {
        let header = base64url(json!({"alg": alg, "typ": "kb+jwt"}).to_string().as_bytes());
        let unsigned = format!("{bound}~{header}.{payload}.");
        assert_eq!(world.refusal(&unsigned), "algorithm_not_allowed", "{alg}");
    }
    assert_eq!(
        world.refusal(&format!("{bound}~nonsense")),
        "key_binding_invalid"
    );
}

#[test]
fn what_an_issuer_signs_with_does_not_bound_what_its_holders_sign_with() {
    let es384 = SigningKey::generate(Algorithm::Es384).unwrap();
    let mut world = World::of(es384, key());
    world.anchor.algorithms = vec![Algorithm::Es384];
    let presentation = world.present(&world.credential(), &[]);
    assert!(world.verify(&presentation).is_ok());
}

#[test]
fn a_type_is_compared_as_a_media_type() {
    let world = World::new();
    for typ in [
        "dc+sd-jwt",
        "application/dc+sd-jwt",
        "DC+SD-JWT",
        "Application/dc+SD-jwt",
    ] {
        let presentation = world.with_header(|header| header["typ"] = json!(typ));
        assert!(world.verify(&presentation).is_ok(), "{typ}");
    }
    for typ in [
        "text/dc+sd-jwt",
        "application/application/dc+sd-jwt",
        "application/",
        "/dc+sd-jwt",
        "dc+sd-jwt ",
        "vc+sd-jwt",
        "JWT",
    ] {
        let presentation = world.with_header(|header| header["typ"] = json!(typ));
        assert_eq!(world.refusal(&presentation), "credential_invalid", "{typ}");
    }
}

#[test]
fn a_credential_is_known_again_and_so_is_its_holder() {
    let world = World::new();
    let credential = world.credential();
    let twice = [&["birthdate"][..], &["given_name", "address"]]
        .map(|reveal| world.verify(&world.present(&credential, reveal)).unwrap());
    assert_eq!(twice[0].issued_digest, twice[1].issued_digest);
    assert_ne!(twice[0].presentation_digest, twice[1].presentation_digest);
    let thumbprint = world.holder_key.public().thumbprint();
    for presented in &twice {
        assert_eq!(presented.holder_thumbprint.as_ref(), Some(&thumbprint));
    }
    let another = world
        .verify(&world.present(&world.credential(), &[]))
        .unwrap();
    assert_ne!(another.issued_digest, twice[0].issued_digest);
}

#[test]
fn a_minimal_cnf_is_enough() {
    let world = World::new();
    let presentation = world.with_payload(|payload| {
        let jwk = payload["cnf"]["jwk"].as_object_mut().unwrap();
        jwk.retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
    });
    assert!(world.verify(&presentation).is_ok());
}

#[test]
fn a_cnf_that_could_mean_another_key_is_refused() {
    let world = World::new();
    let beside = world.with_payload(|payload| payload["cnf"]["kid"] = json!("other"));
    assert_eq!(world.refusal(&beside), "holder_key_unsupported");
    for (cnf, code) in [
        (json!({"kid": "only"}), "holder_key_missing"),
        (json!("text"), "holder_key_missing"),
        (json!({"jwk": "text"}), "holder_key_unsupported"),
        (
            json!({"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}),
            "holder_key_unsupported",
        ),
        (
            json!({"jwk": {"kty": "oct", "k": "AQAB"}}),
            "holder_key_unsupported",
        ),
        (
            json!({"jwk": world.holder_key.to_jwk().unwrap()}),
            "holder_key_unsupported",
        ),
    ] {
        let presentation = world.with_payload(|payload| payload["cnf"] = cnf);
        assert_eq!(world.refusal(&presentation), code);
    }
    let encryption = world.with_payload(|payload| payload["cnf"]["jwk"]["use"] = json!("enc"));
    assert_eq!(world.refusal(&encryption), "holder_key_unsupported");
}

#[test]
fn a_credential_without_a_holder_key_cannot_be_bound() {
    let world = World::new();
    let presentation = world.with_payload(|payload| {
        payload.as_object_mut().unwrap().remove("cnf");
    });
    assert_eq!(world.refusal(&presentation), "holder_key_missing");
}

#[test]
fn a_credential_counts_until_its_expiry_and_the_leeway() {
    let world = World::new();
    let expiring =
        |at: i64| world.with_payload(|payload| payload["exp"] = json!(now().as_second() + at));
    assert!(world.verify(&expiring(-59)).is_ok());
    assert_eq!(world.refusal(&expiring(-60)), "credential_expired");
}

#[test]
fn a_credential_that_does_not_count_yet_is_refused_beyond_the_leeway() {
    let world = World::new();
    for name in ["nbf", "iat"] {
        let starting =
            |at: i64| world.with_payload(|payload| payload[name] = json!(now().as_second() + at));
        assert!(world.verify(&starting(60)).is_ok(), "{name}");
        assert_eq!(
            world.refusal(&starting(61)),
            "credential_not_yet_valid",
            "{name}"
        );
    }
}

#[test]
fn a_time_that_is_no_number_is_refused() {
    let world = World::new();
    for name in ["exp", "nbf", "iat"] {
        let presentation = world.with_payload(|payload| payload[name] = json!("1790000000"));
        assert_eq!(world.refusal(&presentation), "credential_invalid", "{name}");
    }
}

#[test]
fn a_credential_of_another_type_is_refused() {
    let world = World::new();
    let other = world.with_payload(|payload| payload["vct"] = json!("urn:eudi:pid:2"));
    assert_eq!(world.refusal(&other), "credential_type_not_accepted");
    for vct in [json!(null), json!(["urn:eudi:pid:1"])] {
        let none = world.with_payload(|payload| payload["vct"] = vct);
        assert_eq!(world.refusal(&none), "credential_invalid");
    }
}

#[test]
fn a_credential_made_for_certain_audiences_is_for_those_only() {
    let world = World::new();
    for audience in [json!(AUDIENCE), json!(["https://other.example", AUDIENCE])] {
        let presentation = world.with_payload(|payload| payload["aud"] = audience);
        assert!(world.verify(&presentation).is_ok());
    }
    let other = world.with_payload(|payload| payload["aud"] = json!("https://other.example"));
    assert_eq!(world.refusal(&other), "presentation_audience_mismatch");
}

#[test]
fn a_refusal_names_the_evidence_and_repeats_nothing_of_the_presentation() {
    let world = World::new();
    let presentation = world.with_payload(|payload| payload["exp"] = json!("Mustermann"));
    let error = world.verify(&presentation).unwrap_err();
    assert_eq!(error.evidence, "pid");
    assert!(!format!("{error} {error:?}").contains("Mustermann"));
    let credential = world
        .verify(&world.presentation_of(&world.draft()))
        .unwrap();
    let printed = format!("{credential:?}");
    assert!(
        !printed.contains("1963") && printed.contains(ISSUER),
        "{printed}"
    );
}

#[test]
fn two_presentations_have_two_digests_and_one_presentation_has_one() {
    let world = World::new();
    let credential = world.credential();
    let (one, two) = (
        world.present(&credential, &[]),
        world.present(&credential, &["birthdate"]),
    );
    let digests = |text: &str| {
        let credential = world.verify(text).unwrap().into_inner();
        (
            credential.presentation_digest,
            credential.key_binding_digest.unwrap(),
        )
    };
    assert_eq!(digests(&one), digests(&one));
    assert_ne!(digests(&one).0, digests(&two).0);
    assert_ne!(digests(&one).1, digests(&two).1);
}
