//! Why nothing can be said about a status.

use std::fmt;

use pavilion_catalogue::{Entry, status};

use crate::ProofError;

/// A code of the catalogue and a sentence that is the same for everybody: it repeats nothing of a
/// credential, a list or an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StatusReason {
    /// The stable code.
    pub code: &'static Entry,
    /// What exactly was wrong.
    pub detail: &'static str,
}

impl StatusReason {
    pub(super) const fn new(code: &'static Entry, detail: &'static str) -> Self {
        Self { code, detail }
    }

    pub(super) const fn unreachable(detail: &'static str) -> Self {
        Self::new(&status::LIST_UNREACHABLE, detail)
    }

    pub(super) const fn invalid(detail: &'static str) -> Self {
        Self::new(&status::LIST_INVALID, detail)
    }

    pub(super) const fn refused(detail: &'static str) -> Self {
        Self::new(&status::LIST_ADDRESS_REFUSED, detail)
    }

    pub(super) const fn too_large(detail: &'static str) -> Self {
        Self::new(&status::LIST_TOO_LARGE, detail)
    }
}

impl From<StatusReason> for ProofError {
    fn from(reason: StatusReason) -> Self {
        Self::new(reason.code, reason.detail)
    }
}

impl fmt::Debug for StatusReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.code, self.detail)
    }
}
