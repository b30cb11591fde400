//! What is refused before it is looked at closely.

use pavilion_jose::base64url;
use pavilion_proofs::sd_jwt::{MAX_DISCLOSURES, MAX_PRESENTATION_BYTES, parse};
use serde_json::json;

use crate::world::{World, object, paths};

#[test]
fn a_presentation_has_at_most_64_kib() {
    let world = World::new();
    let long = "x".repeat(MAX_PRESENTATION_BYTES + 1);
    assert_eq!(world.refusal(&long), "presentation_too_large");
    let fits = "x".repeat(MAX_PRESENTATION_BYTES);
    assert_eq!(world.refusal(&fits), "presentation_malformed");
}

#[test]
fn a_presentation_has_at_most_256_disclosures() {
    let world = World::new();
    let mut draft = world.draft();
    let names: Vec<String> = (0..=MAX_DISCLOSURES)
        .map(|number| format!("claim{number}"))
        .collect();
    draft.claims = names.iter().map(|name| (name.clone(), json!(1))).collect();
    draft.disclosable = paths(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let too_many = world.issuer.issue(&draft).unwrap();
    assert_eq!(world.refusal(&too_many), "presentation_too_large");
    draft.disclosable.pop();
    let credential = world.issuer.issue(&draft).unwrap();
    assert_eq!(
        parse(&credential).unwrap().disclosures().len(),
        MAX_DISCLOSURES
    );
}

#[test]
fn disclosures_within_disclosures_go_no_deeper_than_32_levels() {
    let world = World::new();
    let nested = |levels: usize| {
        let mut draft = world.draft();
        let mut path = Vec::new();
        let mut value = json!("end");
        for _ in 0..levels {
            value = json!({ "a": value });
        }
        draft.claims = object(value);
        draft.disclosable = (0..levels)
            .map(|_| {
                path.push("a");
                pavilion_proofs::wallet::ClaimPath::of(path.clone())
            })
            .collect();
        let credential = world.issuer.issue(&draft).unwrap();
        world.present(&credential, &["a"])
    };
    assert!(world.verify(&nested(32)).is_ok());
    assert_eq!(world.refusal(&nested(33)), "presentation_too_large");
}

#[test]
fn deep_or_endless_json_is_refused() {
    let world = World::new();
    let deep = format!("[\"s\", \"a\", {}{}]", "[".repeat(40), "]".repeat(40));
    let wide = format!("[\"s\", \"a\", [{}1]]", "1,".repeat(11_000));
    for text in [deep, wide] {
        let credential = world.credential();
        let jwt = credential.split('~').next().unwrap();
        let presentation = format!("{jwt}~{}~", base64url(text.as_bytes()));
        assert_eq!(world.refusal(&presentation), "presentation_too_large");
    }
}

#[test]
fn what_is_no_sd_jwt_is_refused() {
    let world = World::new();
    let honest = world.present(&world.credential(), &[]);
    let jwt = honest.split('~').next().unwrap();
    for bad in [
        "",
        "~",
        "~~",
        "a.b.c",
        "a.b.c~",
        jwt,
        &format!("{jwt}~~"),
        &format!("~{honest}"),
        "{\"payload\": 1}~",
    ] {
        assert_eq!(world.refusal(bad), "presentation_malformed", "{bad}");
    }
}

#[test]
fn an_unsigned_credential_is_refused() {
    let world = World::new();
    let payload = base64url(world.payload().to_string().as_bytes());
    for alg in ["none", "NONE", "HS256", "RS256", "ES256K"] {
        let header = base64url(
            json!({"alg": alg, "typ": "dc+sd-jwt"})
                .to_string()
                .as_bytes(),
        );
        for signature in ["", "AAAA"] {
            let presentation = format!("{header}.{payload}.{signature}~");
            assert_eq!(
                world.refusal(&presentation),
                "algorithm_not_allowed",
                "{alg}"
            );
        }
    }
}

#[test]
fn extensions_that_nobody_here_understands_are_refused() {
    let world = World::new();
    let critical = world.with_header(|header| header["crit"] = json!(["b64"]));
    assert_eq!(world.refusal(&critical), "presentation_malformed");
}

#[test]
fn a_payload_that_is_no_object_or_names_a_key_twice_is_refused() {
    let world = World::new();
    for text in ["[]", "1", "{\"vct\": 1, \"vct\": 2}", "{", ""] {
        let jwt = world
            .issuer_key
            .sign_compact(&world.header(), text.as_bytes())
            .unwrap();
        let code = world.refusal(&format!("{jwt}~"));
        assert!(
            ["presentation_malformed", "credential_invalid"].contains(&code),
            "{text}: {code}"
        );
    }
}
