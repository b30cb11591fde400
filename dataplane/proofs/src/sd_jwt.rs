//! SD-JWT VC with key binding: RFC 9901 and draft-ietf-oauth-sd-jwt-vc.
//!
//! [`verify`] is the only way to a [`Verified<Credential>`]. It checks, in this order: size and
//! form; type and issuer against the trust anchors; the issuer's signature; every disclosure
//! against a digest; validity times; and, if it is demanded, the holder's key binding with its
//! nonce, audience, age and `sd_hash`. Status is a step of its own ([`crate::status`]): a list is
//! never fetched for a credential that is not verified.

mod credential;
mod disclosure;
#[cfg(test)]
mod examples;
mod hash;
mod key_binding;
pub(crate) mod payload;
mod presentation;
mod verify;

use std::time::Duration;

use jiff::Timestamp;

pub(crate) use credential::Trusted;
pub use credential::{Credential, StatusClaim, StatusReference};
pub use disclosure::Disclosure;
pub use hash::HashAlgorithm;
pub use presentation::{MAX_DISCLOSURES, MAX_PRESENTATION_BYTES, Presentation};

use crate::{PreparedAnchors, ProofError, Verified};

/// The `typ` of an issuer-signed JWT (draft-ietf-oauth-sd-jwt-vc, "JOSE Header").
pub const CREDENTIAL_TYPE_HEADER: &str = "dc+sd-jwt";
/// The `typ` of a key-binding JWT (RFC 9901 section 4.3).
pub const KEY_BINDING_TYPE_HEADER: &str = "kb+jwt";

/// What a presentation must be to count.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The id of the evidence in the policy; named in errors.
    pub evidence_id: &'a str,
    /// The accepted values of `vct`.
    pub types: &'a [String],
    /// The trust anchors of the tenant.
    pub anchors: &'a PreparedAnchors,
    /// The names of those that count for this evidence, tried in this order.
    pub trust: &'a [String],
    /// The nonce handed out for this verification.
    pub nonce: &'a str,
    /// The audience that the holder must have named.
    pub audience: &'a str,
    /// The moment of the verification.
    pub now: Timestamp,
    /// Allowed difference between clocks.
    pub leeway: Duration,
    /// The greatest age of a key-binding JWT.
    pub key_binding_max_age: Duration,
    /// Whether the presentation must be bound to its holder. If not, a key-binding JWT is refused.
    pub holder_binding: bool,
}

/// Takes a presentation apart. Nothing of the result is verified; this is for tools and tests.
pub fn parse(presentation: &str) -> Result<Presentation<'_>, ProofError> {
    Presentation::parse(presentation)
}

/// Verifies a presentation.
pub fn verify(
    presentation: &str,
    expected: &Expected<'_>,
) -> Result<Verified<Credential>, ProofError> {
    verify::verify(presentation, expected)
        .map(Verified::by_verifying)
        .map_err(|error| error.about(expected.evidence_id))
}
