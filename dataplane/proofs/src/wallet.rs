//! The other side of the wire: an issuer that makes credentials and status lists, and a holder
//! that presents them. For command-line tools, demos and tests; a broker never needs it.

mod conceal;
mod holder;
mod issuer;
mod path;
mod select;
mod status_list;

pub use holder::{Holder, Session, claims};
pub use issuer::{Draft, Issuer};
pub use path::ClaimPath;
pub use status_list::ListDraft;

use crate::ProofError;

/// Why nothing was issued or presented.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// A claim of the draft has a name that the format keeps for itself.
    #[error("{0}: the name is reserved by the credential format")]
    ReservedName(String),
    /// A path that was to be disclosable or revealed leads nowhere.
    #[error("{0}: there is no such claim")]
    NoSuchClaim(ClaimPath),
    /// A claim that must not be disclosed selectively was to be.
    #[error("{0}: this claim must always be disclosed")]
    NotDisclosable(ClaimPath),
    /// A status list of a width that does not exist, or a value that does not fit it.
    #[error("a status list has 1, 2, 4 or 8 bits for each entry, and every value must fit")]
    ListWidth,
    /// The credential to present cannot be read.
    #[error("the credential cannot be read: {0}")]
    Credential(#[from] ProofError),
    /// Signing failed.
    #[error(transparent)]
    Jose(#[from] pavilion_jose::JoseError),
    /// Something cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] pavilion_json::JsonError),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give")]
    Randomness,
    /// Compressing failed.
    #[error("the status list cannot be compressed")]
    Compression,
}

/// A fresh salt of 128 bits (RFC 9901 section 9.3).
fn salt() -> Result<String, WalletError> {
    random::<16>()
}

/// Random bytes in base64url.
fn random<const N: usize>() -> Result<String, WalletError> {
    let mut bytes = [0_u8; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| WalletError::Randomness)?;
    Ok(pavilion_jose::base64url(&bytes))
}
