//! Salted commitments: the log proves what was said without holding it.
//!
//! A commitment to one named field is
//!
//! ```text
//! SHA-256( "pavilion.dev/commitment/v1" 0x00 || salt (32 bytes)
//!          || length of name (1 byte) || name (UTF-8)
//!          || canonical JSON of the value (RFC 8785) )
//! ```
//!
//! Every part before the last has a fixed or stated length, so no two different inputs hash the same
//! bytes; the leading text keeps these hashes apart from every other use of SHA-256 here. One salt of
//! 32 random bytes serves one answer: without it a commitment tells nothing, not even whether two
//! answers are alike; destroying it (and the answer) makes the leaf mute while the log stays provable.

use std::fmt;
use std::str::FromStr;

use pavilion_json::Digest;
use serde::{Deserialize, Serialize};

use crate::ResultError;

/// The length of a salt in bytes.
pub const SALT_BYTES: usize = 32;

const DOMAIN: &[u8] = b"pavilion.dev/commitment/v1\0";

/// A commitment is a SHA-256 digest.
pub type Commitment = Digest;

/// 32 random bytes, new for each answer; base64url without padding in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt([u8; SALT_BYTES]);

impl Salt {
    /// A fresh salt from the operating system's random numbers.
    ///
    /// # Errors
    /// [`ResultError::NoRandomness`] when there are none.
    pub fn generate() -> Result<Self, ResultError> {
        let mut bytes = [0; SALT_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| ResultError::NoRandomness)?;
        Ok(Self(bytes))
    }

    /// A salt of bytes drawn elsewhere.
    pub const fn from_bytes(bytes: [u8; SALT_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; SALT_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl From<Salt> for String {
    fn from(salt: Salt) -> Self {
        pavilion_jose::base64url(&salt.0)
    }
}

impl FromStr for Salt {
    type Err = ResultError;

    fn from_str(text: &str) -> Result<Self, ResultError> {
        let bytes =
            pavilion_jose::from_base64url(text).map_err(|_| ResultError::NotThirtyTwoBytes)?;
        Ok(Self(
            bytes
                .try_into()
                .map_err(|_| ResultError::NotThirtyTwoBytes)?,
        ))
    }
}

impl TryFrom<String> for Salt {
    type Error = ResultError;

    fn try_from(text: String) -> Result<Self, ResultError> {
        text.parse()
    }
}

/// Commits to one named field; `field` is a name of this crate, at most 255 bytes.
///
/// # Errors
/// [`ResultError::Canonical`] when the value has no canonical JSON form.
pub fn commit<T: Serialize + ?Sized>(
    salt: &Salt,
    field: &'static str,
    value: &T,
) -> Result<Commitment, ResultError> {
    let canonical = pavilion_json::canonical(value)?;
    Ok(commit_canonical(salt, field, &canonical))
}

/// The same where the value's canonical bytes are known.
pub(crate) fn commit_canonical(salt: &Salt, field: &'static str, canonical: &[u8]) -> Commitment {
    let length = u8::try_from(field.len()).unwrap_or(u8::MAX);
    let mut bytes =
        Vec::with_capacity(DOMAIN.len() + SALT_BYTES + 1 + field.len() + canonical.len());
    bytes.extend_from_slice(DOMAIN);
    bytes.extend_from_slice(&salt.0);
    bytes.push(length);
    bytes.extend_from_slice(field.as_bytes());
    bytes.extend_from_slice(canonical);
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_commitment_is_the_hash_that_the_module_describes() {
        let salt = Salt::from_bytes([0xab; 32]);
        let mut bytes = b"pavilion.dev/commitment/v1\0".to_vec();
        bytes.extend([0xab; 32]);
        bytes.extend(b"\x07request{\"a\":1,\"b\":2}");
        let value = serde_json::json!({"b": 2, "a": 1});
        assert_eq!(
            commit(&salt, "request", &value).unwrap(),
            Digest::of(&bytes)
        );
    }

    #[test]
    fn salt_field_and_value_each_change_a_commitment() {
        let salt = Salt::generate().unwrap();
        let base = commit(&salt, "request", "x").unwrap();
        assert_ne!(base, commit(&salt, "result", "x").unwrap());
        assert_ne!(base, commit(&salt, "request", "y").unwrap());
        assert_ne!(
            base,
            commit(&Salt::generate().unwrap(), "request", "x").unwrap()
        );
    }

    #[test]
    fn a_salt_is_32_bytes_in_one_spelling_and_does_not_print() {
        let salt = Salt::from_bytes([1; 32]);
        let text = String::from(salt);
        assert_eq!(text.len(), 43);
        assert_eq!(text.parse::<Salt>().unwrap(), salt);
        assert_eq!(*salt.as_bytes(), [1; 32]);
        assert_eq!(format!("{salt:?}"), "Salt(…)");
        for bad in ["", "AQ", "not base64url!", &format!("{text}=")] {
            assert!(bad.parse::<Salt>().is_err(), "{bad}");
            assert!(serde_json::from_value::<Salt>(bad.into()).is_err(), "{bad}");
        }
    }
}
