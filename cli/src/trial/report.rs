//! What came of it, step by step.

use serde::Serialize;

use crate::console::{BAD, GOOD};
use crate::exit::Failure;
use crate::render::{Cell, Table};

/// One thing that was tried.
#[derive(Debug, Serialize)]
pub struct Step {
    /// What was tried.
    pub name: &'static str,
    /// Whether it came out as it should.
    pub passed: bool,
    /// What was seen.
    pub seen: String,
}

impl Step {
    /// It came out as it should.
    pub fn passed(step: &'static str, seen: impl Into<String>) -> Self {
        Self {
            name: step,
            passed: true,
            seen: seen.into(),
        }
    }

    /// It did not.
    pub fn failed(step: &'static str, seen: impl Into<String>) -> Self {
        Self {
            passed: false,
            ..Self::passed(step, seen)
        }
    }

    /// The step of something that says what was seen, or why it could not be.
    pub fn from(step: &'static str, outcome: Result<String, Failure>) -> Self {
        match outcome {
            Ok(seen) => Self::passed(step, seen),
            Err(failure) => Self::failed(step, failure.message),
        }
    }
}

/// All steps.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether each came out as it should.
    pub passed: bool,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Report {
    /// What the steps come to.
    pub fn of(steps: Vec<Step>) -> Self {
        Self {
            passed: steps.iter().all(|step| step.passed),
            steps,
        }
    }

    /// The steps for people: a sign and a word, never colour alone.
    pub fn table(&self) -> String {
        let mut table = Table::new(&["STEP", "OUTCOME", "SEEN"]);
        for step in &self.steps {
            let outcome = if step.passed {
                Cell::styled("✔ passed", GOOD)
            } else {
                Cell::styled("✘ failed", BAD)
            };
            table.row([step.name.into(), outcome, step.seen.as_str().into()]);
        }
        table.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_that_failed_fails_the_trial() {
        let failure = Failure::usage("the tenant is still there");
        let report = Report::of(vec![
            Step::passed("tenant", "Ready after 3 s"),
            Step::from("removed", Err(failure)),
        ]);
        assert!(!report.passed);
        let table = report.table();
        assert!(table.contains("✘ failed"), "{table}");
        assert!(table.contains("the tenant is still there"), "{table}");
        let removed = Step::from("removed", Ok("gone".to_owned()));
        assert!(Report::of(vec![removed]).passed);
    }
}
