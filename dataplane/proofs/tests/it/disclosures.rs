//! Disclosures: each in its place, each once, and none that does not belong (RFC 9901 section 7.1).

use aws_lc_rs::digest;
use pavilion_jose::base64url;
use pavilion_proofs::sd_jwt::{HashAlgorithm, parse};
use serde_json::{Value, json};

use crate::world::{World, object, paths};

/// A disclosure and its SHA-256 digest.
fn disclosure(content: &Value) -> (String, String) {
    let encoded = base64url(content.to_string().as_bytes());
    let digest = base64url(digest::digest(&digest::SHA256, encoded.as_bytes()).as_ref());
    (encoded, digest)
}

/// A presentation of a payload with extra members and these disclosures.
fn presented(world: &World, members: Value, disclosures: &[&str]) -> String {
    let mut payload = world.payload();
    payload.as_object_mut().unwrap().extend(object(members));
    let jwt = world
        .issuer_key
        .sign_compact(&world.header(), payload.to_string().as_bytes())
        .unwrap();
    let bound = disclosures
        .iter()
        .fold(format!("{jwt}~"), |text, one| text + one + "~");
    with_binding(world, &bound)
}

/// The key binding of the holder over exactly these bytes.
fn with_binding(world: &World, bound: &str) -> String {
    let hash = base64url(digest::digest(&digest::SHA256, bound.as_bytes()).as_ref());
    let payload = json!({
        "nonce": crate::world::NONCE,
        "aud": crate::world::AUDIENCE,
        "iat": crate::world::now().as_second(),
        "sd_hash": hash,
    });
    let header = json!({"alg": "ES256", "typ": "kb+jwt"});
    let jwt = world
        .holder_key
        .sign_compact(&header, payload.to_string().as_bytes())
        .unwrap();
    format!("{bound}{jwt}")
}

#[test]
fn members_elements_and_nested_disclosures_find_their_places() {
    let world = World::new();
    let (inner, inner_digest) = disclosure(&json!(["s1", "country", "DE"]));
    let (outer, outer_digest) =
        disclosure(&json!(["s2", "address", {"_sd": [inner_digest], "city": "Köln"}]));
    let (element, element_digest) = disclosure(&json!(["s3", {"code": "FR"}]));
    let members = json!({
        "_sd": ["decoy-of-a-member", outer_digest],
        "nationalities": ["DE", {"...": "decoy-of-an-element"}, {"...": element_digest}],
        "empty": {"_sd": []},
    });
    let presentation = presented(&world, members, &[&element, &outer, &inner]);
    let claims = world.verify(&presentation).unwrap().into_inner().claims;
    assert_eq!(claims["address"], json!({"city": "Köln", "country": "DE"}));
    assert_eq!(claims["nationalities"], json!(["DE", {"code": "FR"}]));
    assert_eq!(claims["empty"], json!({}));
    assert!(!claims.contains_key("_sd") && !claims.contains_key("_sd_alg"));
}

#[test]
fn a_disclosure_whose_parent_was_kept_back_does_not_belong() {
    let world = World::new();
    let (inner, inner_digest) = disclosure(&json!(["s1", "country", "DE"]));
    let (_, outer_digest) = disclosure(&json!(["s2", "address", {"_sd": [inner_digest]}]));
    let presentation = presented(&world, json!({"_sd": [outer_digest]}), &[&inner]);
    assert_eq!(world.refusal(&presentation), "disclosure_digest_unmatched");
}

#[test]
fn a_disclosure_that_was_changed_or_added_is_refused() {
    let world = World::new();
    let (_, digest) = disclosure(&json!(["s1", "age", 17]));
    let (changed, _) = disclosure(&json!(["s1", "age", 18]));
    let presentation = presented(&world, json!({"_sd": [digest]}), &[&changed]);
    assert_eq!(world.refusal(&presentation), "disclosure_digest_unmatched");
}

#[test]
fn the_same_disclosure_twice_is_refused() {
    let world = World::new();
    let (one, digest) = disclosure(&json!(["s1", "age", 18]));
    let presentation = presented(&world, json!({"_sd": [digest]}), &[&one, &one]);
    assert_eq!(world.refusal(&presentation), "disclosure_duplicate");
}

#[test]
fn a_digest_that_stands_twice_is_refused_wherever_it_stands_and_even_if_nothing_belongs_to_it() {
    let world = World::new();
    let (one, digest) = disclosure(&json!(["s1", "age", 18]));
    for members in [
        json!({"_sd": [digest, digest]}),
        json!({"_sd": [digest], "address": {"_sd": [digest]}}),
    ] {
        assert_eq!(
            world.refusal(&presented(&world, members.clone(), &[])),
            "disclosure_duplicate"
        );
        assert_eq!(
            world.refusal(&presented(&world, members, &[&one])),
            "disclosure_duplicate"
        );
    }
    let mixed = json!({"_sd": [digest], "list": [{"...": digest}]});
    assert_eq!(
        world.refusal(&presented(&world, mixed, &[])),
        "disclosure_duplicate"
    );
}

#[test]
fn a_disclosed_claim_that_is_there_already_is_refused() {
    let world = World::new();
    let (one, digest) = disclosure(&json!(["s1", "age", 18]));
    let members = json!({"_sd": [digest], "age": 17});
    assert_eq!(
        world.refusal(&presented(&world, members, &[&one])),
        "disclosure_duplicate"
    );
    let (two, second) = disclosure(&json!(["s2", "age", 19]));
    let members = json!({"_sd": [digest, second]});
    assert_eq!(
        world.refusal(&presented(&world, members, &[&one, &two])),
        "disclosure_duplicate"
    );
}

#[test]
fn reserved_names_are_refused_in_disclosures_and_in_the_payload() {
    let world = World::new();
    for name in ["_sd", "...", "_sd_alg"] {
        let (one, digest) = disclosure(&json!(["s1", name, ["x"]]));
        let presentation = presented(&world, json!({"_sd": [digest]}), &[&one]);
        assert_eq!(
            world.refusal(&presentation),
            "disclosure_reserved_name",
            "{name}"
        );
    }
    for members in [
        json!({"...": "x"}),
        json!({"nested": {"_sd_alg": "sha-256"}}),
        json!({"list": [{"...": "x", "more": 1}]}),
    ] {
        assert_eq!(
            world.refusal(&presented(&world, members, &[])),
            "disclosure_reserved_name"
        );
    }
}

#[test]
fn claims_that_decide_about_the_credential_are_never_selectively_disclosed() {
    let world = World::new();
    for name in [
        "iss",
        "nbf",
        "exp",
        "cnf",
        "vct",
        "vct#integrity",
        "aka_vcts",
        "status",
    ] {
        let (one, digest) = disclosure(&json!(["s1", name, 1]));
        let presentation = presented(&world, json!({"_sd": [digest]}), &[&one]);
        assert_eq!(
            world.refusal(&presentation),
            "disclosure_reserved_name",
            "{name}"
        );
    }
    let (one, digest) = disclosure(&json!(["s1", "uri", "https://status.example/1"]));
    let members = json!({"status": {"status_list": {"idx": 1, "_sd": [digest]}}});
    assert_eq!(
        world.refusal(&presented(&world, members, &[&one])),
        "disclosure_reserved_name"
    );
}

#[test]
fn such_a_name_deeper_down_is_a_claim_like_any_other() {
    let world = World::new();
    let (one, digest) = disclosure(&json!(["s1", "status", "married"]));
    let presentation = presented(&world, json!({"family": {"_sd": [digest]}}), &[&one]);
    let claims = world.verify(&presentation).unwrap().into_inner().claims;
    assert_eq!(claims["family"], json!({"status": "married"}));
}

#[test]
fn the_time_of_issue_may_be_disclosed_selectively_and_is_judged_if_it_is() {
    let world = World::new();
    let ahead = crate::world::now().as_second() + 61;
    for (iat, verdict) in [
        (1_700_000_000, None),
        (ahead, Some("credential_not_yet_valid")),
    ] {
        let (one, digest) = disclosure(&json!(["s1", "iat", iat]));
        let mut payload = world.payload();
        payload.as_object_mut().unwrap().remove("iat");
        payload["_sd"] = json!([digest]);
        let jwt = world
            .issuer_key
            .sign_compact(&world.header(), payload.to_string().as_bytes())
            .unwrap();
        let result = world.verify(&with_binding(&world, &format!("{jwt}~{one}~")));
        match verdict {
            None => assert_eq!(result.unwrap().issued_at.unwrap().as_second(), iat),
            Some(code) => assert_eq!(crate::world::code(result), code),
        }
    }
}

#[test]
fn a_disclosure_of_the_wrong_kind_for_its_place_is_refused() {
    let world = World::new();
    let (element, element_digest) = disclosure(&json!(["s1", "DE"]));
    let (member, member_digest) = disclosure(&json!(["s2", "age", 18]));
    for (members, disclosure) in [
        (json!({"_sd": [element_digest]}), &element),
        (json!({"list": [{"...": member_digest}]}), &member),
    ] {
        assert_eq!(
            world.refusal(&presented(&world, members, &[disclosure])),
            "credential_invalid"
        );
    }
}

#[test]
fn digests_that_are_no_text_are_refused() {
    let world = World::new();
    for members in [
        json!({"_sd": "text"}),
        json!({"_sd": [1]}),
        json!({"list": [{"...": 1}]}),
        json!({"list": [{"...": null}]}),
    ] {
        assert_eq!(
            world.refusal(&presented(&world, members, &[])),
            "credential_invalid"
        );
    }
}

#[test]
fn a_disclosure_that_is_not_strict_is_refused() {
    let world = World::new();
    let strict = |text: &str| base64url(text.as_bytes());
    for bad in [
        strict(r#"["s", "a", 1, 2]"#),
        strict(r#"["s"]"#),
        strict(r"[]"),
        strict(r#"{"s": 1}"#),
        strict(r#"[1, "a", 2]"#),
        strict(r#"["s", 1, 2]"#),
        strict(r#"["s", "a", {"b": 1, "b": 2}]"#),
        strict(r#"["s", "a", 1] x"#),
        strict("\u{feff}[]"),
        base64url(b"[\"s\", \"\xff\", 1]"),
        "not+base64".to_owned(),
        format!("{}=", strict(r#"["s", "a", 1]"#)),
        String::new(),
    ] {
        let presentation = presented(&world, json!({}), &[&bad]);
        assert_eq!(
            world.refusal(&presentation),
            "presentation_malformed",
            "{bad}"
        );
    }
}

#[test]
fn every_hash_function_on_the_list_works_and_no_other() {
    let world = World::new();
    for hash in [
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha384,
        HashAlgorithm::Sha512,
    ] {
        let mut draft = world.draft();
        draft.hash = hash;
        let claims = world
            .verify(&world.presentation_of(&draft))
            .unwrap()
            .into_inner()
            .claims;
        assert_eq!(claims["birthdate"], "1963-08-12", "{}", hash.name());
    }
    for name in [
        json!("sha-1"),
        json!("md5"),
        json!("SHA-256"),
        json!(1),
        json!(null),
    ] {
        let mut payload = world.payload();
        payload["_sd_alg"] = name;
        let jwt = world
            .issuer_key
            .sign_compact(&world.header(), payload.to_string().as_bytes())
            .unwrap();
        let presentation = with_binding(&world, &format!("{jwt}~"));
        assert_eq!(world.refusal(&presentation), "algorithm_not_allowed");
    }
}

#[test]
fn decoys_reveal_nothing_and_disturb_nothing() {
    let world = World::new();
    let mut draft = world.draft();
    draft.decoys = 5;
    let credential = world.issuer.issue(&draft).unwrap();
    assert_eq!(parse(&credential).unwrap().disclosures().len(), 5);
    let presentation = world.holder.present(
        &credential,
        &paths(&["nationalities.1"]),
        crate::world::session(),
    );
    let claims = world
        .verify(&presentation.unwrap())
        .unwrap()
        .into_inner()
        .claims;
    assert_eq!(claims["nationalities"], json!(["DE", "FR"]));
}
