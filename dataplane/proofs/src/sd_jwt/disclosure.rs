//! One disclosure (RFC 9901 section 4.2).

use pavilion_catalogue::presentation;
use pavilion_jose::from_base64url;
use pavilion_json::Limits;
use serde_json::Value;

use super::presentation::refused_json;
use crate::ProofError;

/// A disclosure as it was sent, and what it says.
pub struct Disclosure<'a> {
    pub(crate) encoded: &'a str,
    pub(crate) content: Content,
}

/// What a disclosure says.
pub(crate) enum Content {
    /// `[salt, name, value]`: a member of an object.
    Member { name: String, value: Value },
    /// `[salt, value]`: an element of an array.
    Element { value: Value },
}

impl<'a> Disclosure<'a> {
    /// Reads a disclosure strictly: base64url without padding, JSON without duplicate keys, an
    /// array of two or three elements that begins with a salt.
    pub(crate) fn parse(encoded: &'a str) -> Result<Self, ProofError> {
        let bytes = from_base64url(encoded)
            .map_err(|_| malformed("A disclosure is not base64url without padding."))?;
        let value = pavilion_json::parse(&bytes, Limits::CREDENTIAL)
            .map_err(|error| refused_json("A disclosure", &error))?;
        let Value::Array(parts) = value else {
            return Err(malformed("A disclosure is not a JSON array."));
        };
        let content = Content::of_parts(parts)?;
        Ok(Self { encoded, content })
    }

    /// The name of the member it discloses; `None` for an element of an array.
    pub fn name(&self) -> Option<&str> {
        match &self.content {
            Content::Member { name, .. } => Some(name),
            Content::Element { .. } => None,
        }
    }

    /// The value it discloses, not yet processed.
    pub fn value(&self) -> &Value {
        match &self.content {
            Content::Member { value, .. } | Content::Element { value } => value,
        }
    }
}

impl Content {
    fn of_parts(parts: Vec<Value>) -> Result<Self, ProofError> {
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Value::String(_)), Some(value), None, None) => Ok(Self::Element { value }),
            (Some(Value::String(_)), Some(Value::String(name)), Some(value), None) => {
                Ok(Self::Member { name, value })
            }
            _ => Err(malformed(
                "A disclosure must be [salt, value] or [salt, name, value] with text for salt and name.",
            )),
        }
    }
}

fn malformed(detail: &str) -> ProofError {
    ProofError::new(&presentation::MALFORMED, detail)
}
