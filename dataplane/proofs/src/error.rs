//! Why evidence was refused: a code of the catalogue and a sentence without anybody's data.

use std::fmt;

use pavilion_catalogue::Entry;

/// A refused presentation. The sentence never repeats a value of the presentation.
#[derive(Clone, PartialEq, Eq)]
pub struct ProofError {
    /// The stable code.
    pub code: &'static Entry,
    /// What exactly was wrong.
    pub detail: String,
    /// The id of the evidence that was refused; empty where none was named.
    pub evidence: String,
}

impl ProofError {
    pub(crate) fn new(code: &'static Entry, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            evidence: String::new(),
        }
    }

    pub(crate) fn about(mut self, evidence: &str) -> Self {
        evidence.clone_into(&mut self.evidence);
        self
    }
}

impl fmt::Debug for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofError")
            .field("code", &self.code.code)
            .field("detail", &self.detail)
            .field("evidence", &self.evidence)
            .finish()
    }
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.code, self.detail)
    }
}

impl std::error::Error for ProofError {}
