//! The hash functions of `_sd_alg` (RFC 9901 section 4.1.1).

use aws_lc_rs::digest;
use pavilion_catalogue::presentation;
use pavilion_jose::base64url;
use serde_json::Value;

use crate::ProofError;

/// A hash function that a credential may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// `sha-256`, the default.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl HashAlgorithm {
    /// Reads the `_sd_alg` claim; without one it is SHA-256.
    pub(crate) fn of_claim(claim: Option<&Value>) -> Result<Self, ProofError> {
        match claim.map(Value::as_str) {
            None | Some(Some("sha-256")) => Ok(Self::Sha256),
            Some(Some("sha-384")) => Ok(Self::Sha384),
            Some(Some("sha-512")) => Ok(Self::Sha512),
            Some(_) => Err(ProofError::new(
                &presentation::ALGORITHM_NOT_ALLOWED,
                "_sd_alg must be sha-256, sha-384 or sha-512.",
            )),
        }
    }

    /// Its name in `_sd_alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// The digest of `text` as it stands in `_sd`, `...` and `sd_hash`.
    pub(crate) fn digest(self, text: &str) -> String {
        let function = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        base64url(digest::digest(function, text.as_bytes()).as_ref())
    }
}
