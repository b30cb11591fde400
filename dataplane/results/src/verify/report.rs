//! What the offline check found, line by line.

use pavilion_catalogue::Entry;
use serde::Serialize;

use crate::{Answer, Verdict};

/// The checks that need only what the asker cannot lack. A report is good when each of them was made and
/// holds: one that could not be made proves nothing. The others are made when something is expected.
const MANDATORY: &[&str] = &[
    "answer.form",
    "answer.type",
    "answer.signature",
    "answer.times",
    "receipt.form",
    "log.key",
    "leaf.policy",
    "leaf.commitments",
    "leaf.hash",
    "log.index",
    "log.inclusion",
    "checkpoint.origin",
    "checkpoint.signature",
];

/// The findings of one offline check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// True when nothing failed and every mandatory check holds.
    ok: bool,
    checks: Vec<Finding>,
    #[serde(skip)]
    answer: Option<Answer>,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's stable name, `answer.signature` for example.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// The catalogue's code when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// One sentence for a person. Never repeats a claim's value.
    pub detail: String,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// Not judged: nothing was expected, or what it needs has failed.
    Skipped,
}

impl Outcome {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What one check says: holds, does not hold and under which code, or could not be judged.
pub(super) enum Judgement {
    Holds(String),
    Broken(&'static Entry, String),
    Open(&'static str),
}

impl Judgement {
    /// Holds when `condition` does.
    pub(super) fn of(condition: bool, entry: &'static Entry, holds: &str, broken: &str) -> Self {
        if condition {
            Self::Holds(holds.to_owned())
        } else {
            Self::Broken(entry, broken.to_owned())
        }
    }
}

impl Report {
    pub(super) const fn new() -> Self {
        Self {
            ok: false,
            checks: Vec::new(),
            answer: None,
        }
    }

    pub(super) fn add(&mut self, name: &'static str, judgement: Judgement) {
        let (outcome, code, detail) = match judgement {
            Judgement::Holds(detail) => (Outcome::Passed, None, detail),
            Judgement::Broken(entry, detail) => (Outcome::Failed, Some(entry.code), detail),
            Judgement::Open(detail) => (Outcome::Skipped, None, detail.to_owned()),
        };
        self.checks.push(Finding {
            name,
            outcome,
            code,
            detail,
        });
    }

    /// Keeps the answer only if the report is good: whoever holds it from here holds a checked one.
    pub(super) fn conclude(mut self, answer: Option<Answer>) -> Self {
        let held = |name: &&str| {
            let mut found = self.checks.iter().filter(|check| check.name == *name);
            found.any(|check| check.outcome == Outcome::Passed)
        };
        self.ok = self.failures().next().is_none() && MANDATORY.iter().all(held);
        self.answer = answer.filter(|_| self.ok);
        self
    }

    /// Every check, in the order of the chain.
    pub fn checks(&self) -> &[Finding] {
        &self.checks
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.checks
            .iter()
            .filter(|check| check.outcome == Outcome::Failed)
    }

    /// True when nothing failed and nothing that must hold was left unjudged.
    pub fn ok(&self) -> bool {
        self.ok
    }

    /// The answer, only when every check held.
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// The verdict, only when every check held.
    pub fn verdict(&self) -> Option<Verdict> {
        self.answer().map(|answer| answer.verdict)
    }
}
