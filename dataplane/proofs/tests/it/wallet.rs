//! The wallet side refuses to make what a verifier would refuse.

use pavilion_proofs::sd_jwt::parse;
use pavilion_proofs::wallet::{ClaimPath, Draft, Holder, Issuer, ListDraft, WalletError, claims};
use serde_json::json;

use crate::world::{VCT, World, key, now, object, paths};

#[test]
fn a_reserved_name_cannot_be_issued() {
    let issuer = Issuer::new("https://pid.example", key());
    for claims in [
        json!({"_sd": 1}),
        json!({"a": {"...": 1}}),
        json!({"a": [{"_sd_alg": 1}]}),
        json!({"vct": "x"}),
        json!({"iss": "x"}),
    ] {
        let draft = Draft::new(VCT, object(claims), now());
        assert!(matches!(
            issuer.issue(&draft),
            Err(WalletError::ReservedName(_))
        ));
    }
}

#[test]
fn what_must_always_be_disclosed_cannot_be_made_disclosable() {
    let world = World::new();
    for path in ["status", "cnf.jwk", "vct"] {
        let mut draft = world.draft();
        draft.disclosable = paths(&[path]);
        assert!(matches!(
            world.issuer.issue(&draft),
            Err(WalletError::NotDisclosable(_))
        ));
    }
}

#[test]
fn a_path_to_nowhere_is_named() {
    let world = World::new();
    let mut draft = world.draft();
    draft.disclosable = paths(&["address.planet"]);
    let error = world.issuer.issue(&draft).unwrap_err();
    assert_eq!(error.to_string(), "address.planet: there is no such claim");
    let error = Holder::present_unbound(&world.credential(), &paths(&["shoe_size"])).unwrap_err();
    assert_eq!(error.to_string(), "shoe_size: there is no such claim");
    assert!(Holder::present_unbound("nonsense", &[]).is_err());
}

#[test]
fn revealing_a_claim_reveals_what_it_stands_in_and_what_stands_in_it() {
    let world = World::new();
    let credential = world.credential();
    let revealed = |path: &str| {
        let presentation = Holder::present_unbound(&credential, &paths(&[path])).unwrap();
        parse(&presentation).unwrap().disclosures().len()
    };
    assert_eq!(revealed("birthdate"), 1);
    assert_eq!(revealed("address"), 2);
    assert_eq!(revealed("address.country"), 2);
    assert_eq!(revealed("address.street_address"), 1);
    assert_eq!(revealed("nationalities.0"), 0);
    assert_eq!(revealed("nationalities"), 1);
    assert_eq!(revealed("vct"), 0);
}

#[test]
fn a_holder_reads_what_a_credential_says_before_presenting_it() {
    let world = World::new();
    let all = claims(&world.credential()).unwrap();
    assert_eq!(
        all["address"],
        json!({"street_address": "Heidestraße 17", "country": "DE"})
    );
    let some = claims(&world.present(&world.credential(), &["birthdate"])).unwrap();
    assert!(some.contains_key("birthdate") && !some.contains_key("given_name"));
    assert!(claims("nonsense").is_err());
}

#[test]
fn a_path_reads_as_it_is_written() {
    let path: ClaimPath = "address.country".parse().unwrap();
    assert_eq!(path.to_string(), "address.country");
    assert_eq!(path.steps(), ["address", "country"]);
    assert_eq!(path, ClaimPath::of(["address", "country"]));
    assert_ne!(path, ClaimPath::of(["address.country"]));
}

#[test]
fn a_status_list_has_a_width_that_exists_and_values_that_fit() {
    let issuer = Issuer::new("https://pid.example", key());
    let mut draft = ListDraft::new("https://status.example/1", 8, now());
    for (bits, value, fits) in [
        (1, 1, true),
        (1, 2, false),
        (2, 3, true),
        (3, 1, false),
        (8, 255, true),
    ] {
        draft.bits = bits;
        draft.values[3] = value;
        assert_eq!(
            issuer.status_list(&draft).is_ok(),
            fits,
            "{bits} bits, {value}"
        );
    }
}

#[test]
fn keys_are_never_printed() {
    let world = World::new();
    let secret = world.issuer_key.to_jwk().unwrap()["d"]
        .as_str()
        .unwrap()
        .to_owned();
    let printed = format!("{:?} {:?}", world.issuer, world.holder);
    assert!(!printed.contains(&secret));
}
