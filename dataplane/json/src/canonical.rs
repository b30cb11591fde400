//! Canonical JSON (RFC 8785).

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::error::{JsonError, JsonErrorKind};

/// The canonical text of a value (RFC 8785), in bytes.
///
/// # Errors
/// [`JsonErrorKind::Shape`] if the value has no JSON form, or holds an integer whose digits a double
/// does not give back: RFC 8785 would round it in silence, and a signature cover another number.
pub fn canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, JsonError> {
    let value = serde_json::to_value(value)
        .map_err(|_| JsonError::new(JsonErrorKind::Shape, "the value has no JSON form"))?;
    canonical_value(&value)
}

/// The same of what is a JSON value already, which is not copied for it.
///
/// # Errors
/// [`JsonErrorKind::Shape`] for an integer as in [`canonical`].
pub fn canonical_value(value: &Value) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(1024);
    write(&mut out, value)?;
    Ok(out)
}

fn write(out: &mut Vec<u8>, value: &Value) -> Result<(), JsonError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(out, number)?,
        Value::String(text) => write_string(out, text)?,
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(out, item)?;
            }
            out.push(b']');
        }
        Value::Object(members) => write_object(out, members)?,
    }
    Ok(())
}

/// Members in the order of their keys' UTF-16 code units (section 3.2.3).
fn write_object(out: &mut Vec<u8>, members: &Map<String, Value>) -> Result<(), JsonError> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| in_utf_16(a, b));
    out.push(b'{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(out, key)?;
        out.push(b':');
        write(out, value)?;
    }
    out.push(b'}');
    Ok(())
}

/// Of ASCII the bytes are the code units.
fn in_utf_16(one: &str, other: &str) -> Ordering {
    if one.is_ascii() && other.is_ascii() {
        one.cmp(other)
    } else {
        one.encode_utf16().cmp(other.encode_utf16())
    }
}

/// `serde_json` escapes exactly what section 3.2.2.2 asks for.
fn write_string(out: &mut Vec<u8>, text: &str) -> Result<(), JsonError> {
    serde_json::to_writer(out, text)
        .map_err(|_| JsonError::new(JsonErrorKind::Shape, "the text has no JSON form"))
}

/// Below this every integer is a double, and its shortest text is its digits.
const EXACT: u64 = 1 << 53;

fn write_number(out: &mut Vec<u8>, number: &Number) -> Result<(), JsonError> {
    let inexact = || {
        let message = "an integer beyond what a double gives back has no canonical form";
        JsonError::new(JsonErrorKind::Shape, message)
    };
    let magnitude = number
        .as_u64()
        .or_else(|| number.as_i64().map(i64::unsigned_abs));
    if magnitude.is_some_and(|magnitude| magnitude <= EXACT) {
        out.extend_from_slice(number.to_string().as_bytes());
        return Ok(());
    }
    let text = serde_jcs::to_vec(number).map_err(|_| inexact())?;
    if magnitude.is_some() && text != number.to_string().as_bytes() {
        return Err(inexact());
    }
    out.extend_from_slice(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn text(value: &Value) -> String {
        String::from_utf8(canonical(value).unwrap()).unwrap()
    }

    #[test]
    fn the_example_of_rfc_8785_section_3_2_2_comes_out_as_printed() {
        let input = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let value = crate::parse(input.as_bytes(), crate::Limits::REQUEST).unwrap();
        assert_eq!(
            text(&value),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
    }

    #[test]
    fn keys_are_sorted_by_utf_16_as_in_rfc_8785_section_3_2_3() {
        let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        assert_eq!(
            text(&value),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn an_integer_is_exact_or_refused() {
        assert_eq!(text(&json!(9_007_199_254_740_992_u64)), "9007199254740992");
        assert_eq!(
            text(&json!(-9_007_199_254_740_992_i64)),
            "-9007199254740992"
        );
        assert_eq!(
            text(&json!(1_152_921_504_606_847_000_u64)),
            "1152921504606847000"
        );
        for odd in [
            json!(9_007_199_254_740_993_u64),
            json!(u64::MAX),
            json!(i64::MIN + 1),
        ] {
            let error = canonical(&odd).unwrap_err();
            assert_eq!(error.kind(), JsonErrorKind::Shape);
        }
    }

    #[test]
    fn a_value_without_a_json_form_is_refused() {
        let map = std::collections::BTreeMap::from([(vec![1_u8], 1)]);
        assert!(canonical(&map).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53)..(1_i64 << 53)).prop_map(Value::from),
            any::<f64>()
                .prop_filter("finite", |x| x.is_finite())
                .prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_a_second_implementation_and_is_stable(value in any_json()) {
            let ours = canonical(&value).unwrap();
            prop_assert_eq!(&ours, &serde_jcs::to_vec(&value).unwrap());
            let again = crate::parse(&ours, crate::Limits::DOCUMENT).unwrap();
            prop_assert_eq!(ours, canonical(&again).unwrap());
        }
    }
}
