//! Names of evidence and claims, and the reference `evidence.claim`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest id of evidence or of a claim, in bytes.
const MAX_ID: usize = 63;

/// A claim of a policy's evidence, written `evidence.claim`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimRef {
    evidence: String,
    claim: String,
}

/// The text is not `evidence.claim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a claim is named as evidence.claim, each beginning with a lower-case letter, then letters, digits, _ or -"
)]
pub struct ClaimRefError;

impl ClaimRef {
    /// The evidence's id.
    pub fn evidence(&self) -> &str {
        &self.evidence
    }

    /// The claim's id within the evidence.
    pub fn claim(&self) -> &str {
        &self.claim
    }
}

impl fmt::Display for ClaimRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.evidence, self.claim)
    }
}

impl FromStr for ClaimRef {
    type Err = ClaimRefError;

    fn from_str(text: &str) -> Result<Self, ClaimRefError> {
        match text.split_once('.') {
            Some((evidence, claim)) if is_id(evidence) && is_id(claim) => Ok(Self {
                evidence: evidence.to_owned(),
                claim: claim.to_owned(),
            }),
            _ => Err(ClaimRefError),
        }
    }
}

impl TryFrom<String> for ClaimRef {
    type Error = ClaimRefError;

    fn try_from(text: String) -> Result<Self, ClaimRefError> {
        text.parse()
    }
}

impl From<ClaimRef> for String {
    fn from(claim: ClaimRef) -> Self {
        claim.to_string()
    }
}

/// Whether the text may name evidence or a claim: `[a-z][A-Za-z0-9_-]*`, at most 63 bytes.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_reference_reads_back_what_it_writes() {
        let claim: ClaimRef = "pid.birth-date_2".parse().unwrap();
        assert_eq!((claim.evidence(), claim.claim()), ("pid", "birth-date_2"));
        let json = serde_json::to_string(&claim).unwrap();
        assert_eq!(json, "\"pid.birth-date_2\"");
        assert_eq!(serde_json::from_str::<ClaimRef>(&json).unwrap(), claim);
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("pid.{}", "a".repeat(64));
        for bad in [
            "", "pid", "pid.", ".a", "Pid.a", "pid.a.b", "pid.a:b", "1.a", "pid.é", &long,
        ] {
            assert!(bad.parse::<ClaimRef>().is_err(), "{bad}");
            assert!(serde_json::from_value::<ClaimRef>(bad.into()).is_err());
        }
    }
}
