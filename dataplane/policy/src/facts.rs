//! What is known when a rule is decided.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The evidence of one verification, by evidence id. Evidence that is not in it is missing.
#[derive(Clone, Debug, Default)]
pub struct Facts(pub BTreeMap<String, Fact>);

/// What became of one piece of evidence. Its `Debug` form tells the state and nothing else.
#[derive(Clone)]
pub enum Fact {
    /// Verified: everything about it that the policy may look at.
    Verified {
        /// The issuer.
        issuer: String,
        /// The credential type (`vct`).
        credential_type: String,
        /// When it was issued, if it says so.
        issued_at: Option<Timestamp>,
        /// How assured its trust anchor makes it, if it says so.
        assurance: Option<Assurance>,
        /// The disclosed claims that the policy asks for, by claim id.
        claims: BTreeMap<String, Value>,
    },
    /// Nothing was presented.
    Missing,
    /// Whether it counts could not be established.
    Indeterminate {
        /// The stable code that says why.
        code: &'static str,
    },
    /// It was refused.
    Failed {
        /// The stable code that says why.
        code: &'static str,
    },
}

/// How sure an issuer is of whom it issues to (Regulation (EU) No 910/2014, Article 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// Low.
    Low,
    /// Substantial.
    Substantial,
    /// High.
    High,
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified { .. } => f.write_str("Verified"),
            Self::Missing => f.write_str("Missing"),
            Self::Indeterminate { code } => write!(f, "Indeterminate({code})"),
            Self::Failed { code } => write!(f, "Failed({code})"),
        }
    }
}

impl Facts {
    /// What became of the evidence of that id.
    pub fn of(&self, evidence: &str) -> &Fact {
        self.0.get(evidence).unwrap_or(&Fact::Missing)
    }
}

impl Assurance {
    /// 1 to 3.
    pub(crate) fn rank(self) -> i64 {
        match self {
            Self::Low => 1,
            Self::Substantial => 2,
            Self::High => 3,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Substantial => "substantial",
            Self::High => "high",
        }
    }
}
