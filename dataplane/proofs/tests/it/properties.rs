//! What holds for every credential.

use std::sync::LazyLock;

use pavilion_jose::base64url;
use pavilion_proofs::sd_jwt::parse;
use pavilion_proofs::wallet::ClaimPath;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::world::{World, session};

static WORLD: LazyLock<World> = LazyLock::new(World::new);

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    // `c_` keeps the names apart from the registered ones.
    prop::collection::btree_map("c_[a-z]{1,4}", tree(), 1..5)
        .prop_map(|members| members.into_iter().collect())
}

/// Every path in a value below `path`.
fn all_paths(value: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
    let steps: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, value)| (i.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (step, value) in steps {
        let path = [path, &[step]].concat();
        all_paths(value, &path, found);
        found.push(path);
    }
}

/// The value without what is disclosable and not revealed: what a verifier must see.
fn visible(value: &Value, path: &[String], hidden: &dyn Fn(&[String]) -> bool) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name, value, [path, std::slice::from_ref(name)].concat()))
            .filter(|(_, _, path)| !hidden(path))
            .map(|(name, value, path)| (name.clone(), visible(value, &path, hidden)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| (value, [path, &[index.to_string()]].concat()))
            .filter(|(_, path)| !hidden(path))
            .map(|(value, path)| visible(value, &path, hidden))
            .collect(),
        scalar => scalar.clone(),
    }
}

fn starts_with(path: &[String], start: &[String]) -> bool {
    path.len() >= start.len() && path[..start.len()] == *start
}

/// The parts of a presentation: nothing of it is signed, so it parses and does not verify.
#[derive(Debug)]
struct Put {
    payload: Vec<u8>,
    signature: Vec<u8>,
    disclosures: Vec<((String, Option<String>), Value)>,
    key_binding: Option<String>,
}

impl Put {
    fn together(&self) -> String {
        let header = base64url(br#"{"alg":"ES256"}"#);
        let (payload, signature) = (base64url(&self.payload), base64url(&self.signature));
        let mut text = format!("{header}.{payload}.{signature}~");
        for ((salt, name), value) in &self.disclosures {
            let parts = match name {
                Some(name) => json!([salt, name, value]),
                None => json!([salt, value]),
            };
            text.push_str(&base64url(parts.to_string().as_bytes()));
            text.push('~');
        }
        text.push_str(self.key_binding.as_deref().unwrap_or_default());
        text
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_verifier_sees_exactly_what_the_holder_revealed(
        claims in claims(),
        disclosable in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        revealed in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        decoys in 0_usize..3,
    ) {
        let mut paths = Vec::new();
        all_paths(&Value::Object(claims.clone()), &[], &mut paths);
        let pick = |indices: &[prop::sample::Index]| {
            let mut picked: Vec<Vec<String>> =
                indices.iter().map(|index| index.get(&paths).clone()).collect();
            picked.sort();
            picked.dedup();
            picked
        };
        let (disclosable, revealed) = (pick(&disclosable), pick(&revealed));

        let mut draft = WORLD.draft();
        draft.claims = claims.clone();
        draft.decoys = decoys;
        draft.disclosable = disclosable.iter().map(|path| ClaimPath::of(path.clone())).collect();
        let credential = WORLD.issuer.issue(&draft).unwrap();
        let reveal: Vec<ClaimPath> = revealed.iter().map(|path| ClaimPath::of(path.clone())).collect();
        let presentation = WORLD.holder.present(&credential, &reveal, session()).unwrap();

        let shown = |path: &[String]| {
            revealed.iter().any(|wanted| starts_with(wanted, path) || starts_with(path, wanted))
        };
        let hidden = |path: &[String]| disclosable.iter().any(|one| one == path) && !shown(path);
        let expected = visible(&Value::Object(claims), &[], &hidden);

        let mut seen = WORLD.verify(&presentation).unwrap().into_inner().claims;
        seen.retain(|name, _| name.starts_with("c_"));
        prop_assert_eq!(Value::Object(seen), expected);
    }

    #[test]
    fn a_presentation_with_one_byte_changed_is_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        static PRESENTATION: LazyLock<String> =
            LazyLock::new(|| WORLD.present(&WORLD.credential(), &["birthdate", "address.country"]));
        let mut bytes = PRESENTATION.clone().into_bytes();
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != byte);
        bytes[place] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(WORLD.verify(&text).is_err());
        }
    }

    #[test]
    fn a_presentation_is_taken_apart_into_what_it_was_put_together_from(
        payload in prop::collection::vec(any::<u8>(), 0..80),
        signature in prop::collection::vec(any::<u8>(), 0..80),
        disclosures in prop::collection::vec((("\\PC{0,12}", prop::option::of("\\PC{0,12}")), tree()), 0..12),
        key_binding in prop::option::of("[A-Za-z0-9_.-]{1,60}"),
    ) {
        let put = Put { payload, signature, disclosures, key_binding };
        let text = put.together();
        let taken = parse(&text).unwrap();
        prop_assert_eq!(taken.text(), text.as_str());
        prop_assert_eq!(taken.key_binding(), put.key_binding.as_deref());
        let bound = text.strip_suffix(put.key_binding.as_deref().unwrap_or_default());
        prop_assert_eq!(Some(taken.bound()), bound);
        let found: Vec<(Option<&str>, &Value)> =
            taken.disclosures().iter().map(|one| (one.name(), one.value())).collect();
        let expected: Vec<(Option<&str>, &Value)> =
            put.disclosures.iter().map(|((_, name), value)| (name.as_deref(), value)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_presentation_that_is_put_together_wrongly_is_not_taken_apart(
        disclosures in prop::collection::vec((("\\PC{0,12}", prop::option::of("\\PC{0,12}")), tree()), 1..6),
        at in any::<prop::sample::Index>(),
        wrong in prop::sample::select(vec!["", "=", "e30", "WyJzIl0", "W10", "WzEsImEiLDJd", "WyJzIiwibiIsMSwyXQ", "WyJzIiwxLDJd", "!", "W3sic2FtZSI6MSwic2FtZSI6Mn1d"]),
    ) {
        let count = disclosures.len();
        let text = Put { payload: b"{}".to_vec(), signature: Vec::new(), disclosures, key_binding: None }.together();
        let mut parts: Vec<&str> = text.split('~').collect();
        parts.insert(1 + at.index(count), wrong);
        prop_assert!(parse(&parts.join("~")).is_err());
        prop_assert!(parse(text.split('~').next().unwrap()).is_err());
    }

    #[test]
    fn no_text_makes_the_parser_do_anything_but_answer(text in "[A-Za-z0-9_.~=-]{0,200}") {
        let _ = parse(&text);
        prop_assert!(WORLD.verify(&text).is_err());
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_presentation_is_refused() {
    let presentation = WORLD.present(&WORLD.credential(), &["birthdate"]);
    assert!(WORLD.verify(&presentation).is_ok());
    for place in 0..presentation.len() {
        let mut bytes = presentation.clone().into_bytes();
        bytes[place] ^= 1 << (place % 7);
        if let Ok(text) = String::from_utf8(bytes) {
            assert!(WORLD.verify(&text).is_err(), "byte {place}");
        }
    }
}
