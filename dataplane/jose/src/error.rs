//! Why a key or a signature was refused.

use crate::Algorithm;

/// A refused key or token. No variant repeats the key or the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// More bytes than a token may have.
    #[error("the token is larger than {0} bytes")]
    TooLarge(usize),
    /// Not three parts, not base64url, or a header that is not what RFC 7515 says.
    #[error("not a compact JWS: {0}")]
    Malformed(&'static str),
    /// The header is not strict JSON.
    #[error("the JOSE header: {0}")]
    Header(pavilion_json::JsonError),
    /// Text that is not base64url without padding (RFC 7515 appendix C).
    #[error("not base64url without padding")]
    Base64,
    /// `crit` or `b64`: no extension is understood here (RFC 7515 section 4.1.11, RFC 7797).
    #[error("the token asks for an extension that is not supported")]
    Critical,
    /// `alg` is `none` or none of ours.
    #[error("the signature algorithm is not supported")]
    UnsupportedAlgorithm,
    /// `alg` is one of ours, but not allowed here.
    #[error("the signature algorithm {0} is not allowed here")]
    NotAllowed(Algorithm),
    /// The key is of another algorithm than the token says.
    #[error("the key is not one for the algorithm of the token")]
    KeyMismatch,
    /// The signature is not one of this key over this text.
    #[error("the signature does not verify")]
    Signature,
    /// A key that cannot be used.
    #[error("not a usable key: {0}")]
    Key(&'static str),
}
