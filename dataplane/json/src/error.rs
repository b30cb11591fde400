//! Why a document was refused, in words that repeat none of its values.

use std::fmt;

/// The kind of refusal; bounded, so it may be a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonErrorKind {
    /// More bytes than allowed.
    TooLarge,
    /// Nested deeper than allowed.
    TooDeep,
    /// More values and keys than allowed.
    TooMany,
    /// An object names one key twice.
    DuplicateKey,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The text is not JSON (RFC 8259).
    Syntax,
    /// The JSON does not have the shape that is wanted here; or it cannot be made canonical.
    Shape,
}

/// A refused document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct JsonError {
    kind: JsonErrorKind,
    path: String,
    message: String,
}

impl JsonError {
    pub(crate) fn new(kind: JsonErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            path: String::new(),
            message: message.into(),
        }
    }

    pub(crate) fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// What kind of refusal it is.
    pub fn kind(&self) -> JsonErrorKind {
        self.kind
    }

    /// Where, as `policy.rule.all[1]`; empty for the document as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The sentence without the path.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// A key of the input made fit for a message: at most 64 characters, no control characters.
pub(crate) fn printable(key: &str) -> String {
    let mut out: String = key
        .chars()
        .take(64)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if key.chars().nth(64).is_some() {
        out.push('…');
    }
    out
}
