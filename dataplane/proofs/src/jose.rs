//! Refusals of the signature layer, as codes of the catalogue.

use pavilion_catalogue::{Entry, presentation};
use pavilion_jose::{Algorithm, Header, JoseError};

use crate::ProofError;

/// The refusal of a token: limits and algorithms have codes of their own, everything else is
/// `otherwise`.
pub(crate) fn refused_jws(what: &str, error: &JoseError, otherwise: &'static Entry) -> ProofError {
    let code = match error {
        JoseError::TooLarge(_) => &presentation::TOO_LARGE,
        JoseError::UnsupportedAlgorithm | JoseError::NotAllowed(_) => {
            &presentation::ALGORITHM_NOT_ALLOWED
        }
        _ => otherwise,
    };
    let why = match error {
        // What stands in the header was chosen outside.
        JoseError::Header(_) => "the header is not strict JSON".to_owned(),
        error => error.to_string(),
    };
    ProofError::new(code, format!("{what}: {why}."))
}

/// The algorithm that a header names; `none`, symmetric ones and unknown ones are refused.
pub(crate) fn algorithm_of(header: &Header) -> Result<Algorithm, ProofError> {
    header.alg.parse().map_err(|_| {
        ProofError::new(
            &presentation::ALGORITHM_NOT_ALLOWED,
            "The signature algorithm is not supported.",
        )
    })
}
