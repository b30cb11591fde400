//! What can go wrong while an answer is built. Messages never carry a claim's value.

use pavilion_json::JsonError;

/// Why an answer could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// The answer has no canonical form (a number outside of RFC 8785's range, for example).
    #[error("the answer has no canonical JSON form: {0}")]
    Canonical(#[from] JsonError),
    /// The operating system gave no random bytes for a salt.
    #[error("no random bytes for a salt")]
    NoRandomness,
    /// Text that should be 32 bytes in base64url is not.
    #[error("not 32 bytes in base64url without padding")]
    NotThirtyTwoBytes,
}
