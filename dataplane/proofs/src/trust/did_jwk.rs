//! The key that is written in a `did:jwk`.

use pavilion_jose::{Jwk, from_base64url};
use pavilion_json::Limits;

const PREFIX: &str = "did:jwk:";
const LIMITS: Limits = Limits {
    bytes: 4 * 1024,
    depth: 4,
    nodes: 64,
};

/// The public key of a `did:jwk`. The message says what is wrong otherwise.
pub(crate) fn decode(did: &str) -> Result<Jwk, String> {
    let encoded = did
        .strip_prefix(PREFIX)
        .ok_or("The issuer is not a did:jwk.")?;
    let bytes = from_base64url(encoded)
        .map_err(|_| "What follows did:jwk: is not base64url without padding.")?;
    pavilion_json::read(&bytes, LIMITS)
        .map_err(|error| format!("The did:jwk holds no usable public key: {error}."))
}

/// The `did:jwk` of a public key.
#[cfg(feature = "wallet")]
pub(crate) fn encode(jwk: &Jwk) -> Result<String, pavilion_json::JsonError> {
    let canonical = pavilion_json::canonical(jwk)?;
    Ok(format!("{PREFIX}{}", pavilion_jose::base64url(&canonical)))
}
