//! Credential formats, issuer trust and credential status.
//!
//! What this crate promises: a [`Verified<T>`] was verified, because there is no other way to make
//! one; every refusal has a stable code of the catalogue and a sentence that repeats nothing of
//! what was presented; bytes from outside are bounded in size, depth and count before they are
//! parsed; and a status that cannot be known is never taken for a valid one.
//!
//! A verifier builds [`PreparedAnchors`] once for each bundle, verifies presentations against them
//! with [`sd_jwt::verify`], and asks [`status::StatusLists`] about what it verified.

mod clock;
mod error;
mod jose;
pub mod sd_jwt;
pub mod status;
mod trust;
mod verified;
#[cfg(feature = "wallet")]
pub mod wallet;

pub use error::ProofError;
pub use trust::{
    AnchorError, Assurance, Authorities, IssuerKeys, OnUnreachable, PreparedAnchors, StatusRules,
    TrustAnchor, TrustedIssuer, X509Keys, default_algorithms,
};
pub use verified::Verified;
