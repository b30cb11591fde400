//! JSON web keys (RFC 7517), thumbprints (RFC 7638) and compact signatures (RFC 7515).
//!
//! A payload is only ever handed out as verified after its signature was checked under a key the
//! caller chose and with an algorithm the caller allows; the header of a token decides neither.
//! Signatures are made by whoever holds the key (see [`signing_input`] and [`attach`]), because the
//! keys of answers live in a token behind another program.

mod algorithm;
mod encoding;
mod error;
mod jwk;
mod jwks;
mod jws;
mod public_key;
mod signing_key;

pub use algorithm::Algorithm;
pub use encoding::{base64url, from_base64url};
pub use error::JoseError;
pub use jwk::Jwk;
pub use jwks::Jwks;
pub use jws::{CompactJws, Header, MAX_COMPACT_BYTES, VerifiedJws, attach, signing_input};
pub use public_key::PublicKey;
pub use signing_key::SigningKey;
