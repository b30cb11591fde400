//! Reading a document into a value or a type.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::Limits;
use crate::error::{JsonError, JsonErrorKind, printable};
use crate::scan::scan;

/// Reads any JSON value within the limits.
///
/// # Errors
/// Every kind but [`JsonErrorKind::Shape`].
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, JsonError> {
    let text = admit(bytes, limits)?;
    serde_json::from_str(text).map_err(|error| syntax(&error))
}

/// Reads a document of one type within the limits.
///
/// # Errors
/// Every kind; a [`JsonErrorKind::Shape`] carries the path of what does not fit and says what was
/// expected, never what was found.
pub fn read<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, JsonError> {
    let text = admit(bytes, limits)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = path(error.path());
        JsonError::new(JsonErrorKind::Shape, shape(&error.inner().to_string())).at(path)
    })
}

fn admit(bytes: &[u8], limits: Limits) -> Result<&str, JsonError> {
    if bytes.len() > limits.bytes {
        let message = format!("more than {} bytes", limits.bytes);
        return Err(JsonError::new(JsonErrorKind::TooLarge, message));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("not UTF-8 at byte {}", error.valid_up_to());
        JsonError::new(JsonErrorKind::NotUtf8, message)
    })?;
    scan(text, limits)?;
    Ok(text)
}

fn syntax(error: &serde_json::Error) -> JsonError {
    let message = format!(
        "not valid JSON at line {} column {}",
        error.line(),
        error.column()
    );
    JsonError::new(JsonErrorKind::Syntax, message)
}

fn path(path: &serde_path_to_error::Path) -> String {
    let mut out = String::new();
    for segment in path {
        let name = match segment {
            Segment::Seq { index } => {
                let _ = write!(out, "[{index}]");
                continue;
            }
            Segment::Map { key } => printable(key),
            Segment::Enum { variant } => printable(variant),
            Segment::Unknown => continue,
        };
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(&name);
    }
    out
}

/// Rewrites a message of serde so that it says what is wanted and repeats no value.
///
/// Names of fields are kept: they are the shape. Messages in no known form are dropped, because
/// parsers of dates, URLs and the like tend to quote what they were given.
fn shape(message: &str) -> String {
    let message = message
        .rfind(" at line ")
        .map_or(message, |end| &message[..end]);
    if let Some(rest) = message.strip_prefix("missing field `") {
        return format!(
            "the field `{} is missing",
            rest.trim_end_matches('`').to_owned() + "`"
        );
    }
    let expected = message.rfind(", expected ").map(|at| &message[at + 11..]);
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = printable(rest.split('`').next().unwrap_or_default());
        return match expected {
            Some(expected) => format!("there is no field `{name}`; expected {expected}"),
            None => format!("there is no field `{name}`"),
        };
    }
    if let Some(rest) = message.strip_prefix("duplicate field `") {
        return format!(
            "the field `{} stands twice",
            rest.trim_end_matches('`').to_owned() + "`"
        );
    }
    match expected {
        Some(expected) if is_serde_form(message) => format!("expected {expected}"),
        _ => "not acceptable here".to_owned(),
    }
}

fn is_serde_form(message: &str) -> bool {
    [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant `",
    ]
    .iter()
    .any(|form| message.starts_with(form))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde::Deserialize;

    const SMALL: Limits = Limits {
        bytes: 64,
        depth: 3,
        nodes: 8,
    };

    fn refusal(text: &[u8]) -> JsonError {
        parse(text, SMALL).unwrap_err()
    }

    #[test]
    fn each_limit_refuses_with_its_own_kind() {
        assert_eq!(refusal(&[b' '; 65]).kind(), JsonErrorKind::TooLarge);
        assert_eq!(refusal(b"\"\xff\"").kind(), JsonErrorKind::NotUtf8);
        assert_eq!(refusal(b"[[[[]]]]").kind(), JsonErrorKind::TooDeep);
        assert_eq!(refusal(b"[1,2,3,4,5,6,7,8]").kind(), JsonErrorKind::TooMany);
        assert_eq!(refusal(b"{\"a\":1,").kind(), JsonErrorKind::Syntax);
        assert_eq!(refusal(b"1 2").kind(), JsonErrorKind::Syntax);
        assert_eq!(refusal(b"\"\\ud800\"").kind(), JsonErrorKind::Syntax);
        assert_eq!(refusal(b"").kind(), JsonErrorKind::Syntax);
    }

    #[test]
    fn what_is_just_within_the_limits_is_read() {
        assert!(parse(b"[[[]]]", SMALL).is_ok());
        assert!(parse(b"[1,2,3,4,5,6,7]", SMALL).is_ok());
        assert!(parse(b"{\"a\":true,\"b\":null,\"c\":-1.5}", SMALL).is_ok());
    }

    #[test]
    fn a_duplicate_key_is_found_even_behind_an_escape() {
        let error = refusal(br#"{"a":{"b":1,"\u0062":2}}"#);
        assert_eq!(error.kind(), JsonErrorKind::DuplicateKey);
        assert_eq!(error.path(), "a.b");
        assert_eq!(error.to_string(), "a.b: the key stands twice in one object");
    }

    #[test]
    fn a_failure_inside_an_array_says_which_item() {
        assert_eq!(refusal(br#"{"a":[1,{"b":[[]]}]}"#).path(), "a[1].b");
        assert_eq!(refusal(br#"[0,[{"x":1,"x":1}]]"#).path(), "[1][0].x");
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[serde(rename = "count")]
        _count: u8,
        #[serde(default, rename = "kind")]
        _kind: Option<Kind>,
        #[serde(default, rename = "digest")]
        _digest: Option<crate::Digest>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Tea,
    }

    fn shape_of(text: &str) -> JsonError {
        read::<Vec<Order>>(text.as_bytes(), Limits::REQUEST).unwrap_err()
    }

    #[test]
    fn a_shape_error_has_a_path_and_never_the_value() {
        let secret = "top-secret, expected nothing";
        for (text, path) in [
            (format!(r#"[{{"count":"{secret}"}}]"#), "[0].count"),
            (
                format!(r#"[{{"count":1}},{{"count":1,"kind":"{secret}"}}]"#),
                "[1].kind",
            ),
            (
                format!(r#"[{{"count":1,"digest":"{secret}"}}]"#),
                "[0].digest",
            ),
            (r#"[{"count":777}]"#.to_owned(), "[0].count"),
        ] {
            let error = shape_of(&text);
            assert_eq!(error.kind(), JsonErrorKind::Shape);
            assert_eq!(error.path(), path);
            assert!(error.message().starts_with("expected "), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
            assert!(!error.to_string().contains("777"), "{error}");
        }
    }

    #[test]
    fn a_wrong_set_of_fields_is_named() {
        assert_eq!(
            shape_of("[{}]").to_string(),
            "[0]: the field `count` is missing"
        );
        let unknown = shape_of(r#"[{"count":1,"colour":2}]"#);
        assert!(
            unknown
                .message()
                .starts_with("there is no field `colour`; expected ")
        );
    }

    #[test]
    fn a_message_in_an_unknown_form_is_dropped() {
        assert_eq!(
            shape("cannot parse 'Jane' as a date"),
            "not acceptable here"
        );
        assert_eq!(shape("duplicate field `a`"), "the field `a` stands twice");
    }
}
