//! Conditions with reasons from the catalogue.

use pavilion_catalogue::{Entry, manifest};
use pavilion_crds::{Condition, ConditionStatus};

/// Whether something holds, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it holds.
    pub holds: bool,
    /// The reason: a word of the catalogue.
    pub reason: &'static str,
    /// The same for a person.
    pub message: String,
}

impl Verdict {
    /// It holds.
    pub fn yes(entry: &'static Entry, message: impl Into<String>) -> Self {
        Self {
            holds: true,
            reason: entry.code,
            message: message.into(),
        }
    }

    /// It does not hold.
    pub fn no(entry: &'static Entry, message: impl Into<String>) -> Self {
        Self {
            holds: false,
            reason: entry.code,
            message: message.into(),
        }
    }

    /// As a condition. The time is filled in by the writer, which knows the one before.
    pub fn condition(&self, type_: &str, generation: u64) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: if self.holds {
                ConditionStatus::True
            } else {
                ConditionStatus::False
            },
            reason: self.reason.to_owned(),
            message: self.message.chars().take(4096).collect(),
            last_transition_time: String::new(),
            observed_generation: signed(generation),
        }
    }
}

/// The first verdict that does not hold, or that all is ready.
pub(super) fn first_no<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Verdict {
    let mut verdicts = verdicts.into_iter();
    let no = verdicts.find(|verdict| !verdict.holds).cloned();
    no.unwrap_or_else(|| Verdict::yes(&manifest::READY, manifest::READY.meaning))
}

/// Kubernetes numbers are signed.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
