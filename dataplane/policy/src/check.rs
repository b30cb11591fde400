//! Refusing a policy that could not mean what its author wants, with the field and the reason.

mod evidence;
mod leaf;
mod purposes;
mod tree;

use std::collections::BTreeSet;
use std::fmt;

use pavilion_catalogue::{Entry, manifest};

use crate::compile::{self, Compiled};
use crate::feasible::{absences, conflicts};
use crate::formula;
use crate::model::Policy;

/// Errors that are listed; more are not looked for.
const MAX_ERRORS: usize = 64;

/// One thing that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Where in the manifest, as `spec.rule.all[1].claim`.
    pub path: String,
    /// The reason for a manifest's condition: `PolicyInvalid`, `PolicyTooLarge`,
    /// `ReferenceDangling` or `ClauseNeverTrue`.
    pub code: &'static str,
    /// What is wrong, as a sentence without its full stop.
    pub message: String,
}

impl CompileError {
    fn new(entry: &Entry, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            code: entry.code,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(&manifest::POLICY_INVALID, path, message)
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for CompileError {}

/// Compiles the policy of that name.
///
/// # Errors
/// Everything that is wrong with it, at most 64 things; never an empty list.
pub fn check(name: &str, policy: &Policy) -> Result<Compiled, Vec<CompileError>> {
    let mut found = Findings::default();
    purposes::check(policy, &mut found);
    evidence::check(policy, &mut found);
    tree::check(policy, &mut found);
    found.outcome()?;

    let clauses = formula::clauses(&policy.rule);
    for rule in [absences, conflicts] {
        for conflict in rule(&clauses, policy) {
            let path = format!("spec.{}", conflict.path);
            let message = conflict.message;
            found.add(CompileError::new(
                &manifest::CLAUSE_NEVER_TRUE,
                path,
                message,
            ));
        }
        found.outcome()?;
    }
    compile::compile(name, policy, clauses).map_err(|error| vec![error])
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<CompileError>);

impl Findings {
    fn add(&mut self, error: CompileError) {
        if self.0.len() < MAX_ERRORS {
            self.0.push(error);
        }
    }

    fn invalid(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.add(CompileError::invalid(path, message));
    }

    fn dangling(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.add(CompileError::new(
            &manifest::REFERENCE_DANGLING,
            path,
            message,
        ));
    }

    fn too_large(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.add(CompileError::new(
            &manifest::POLICY_TOO_LARGE,
            path,
            message,
        ));
    }

    fn outcome(&mut self) -> Result<(), Vec<CompileError>> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(std::mem::take(&mut self.0))
        }
    }

    /// A list of names: its length within 1 to `max`, each name not empty, short and there once.
    fn names(&mut self, path: &str, names: &[String], max: usize, longest: usize) {
        if names.is_empty() {
            self.invalid(path, "must not be empty");
        }
        if names.len() > max {
            self.too_large(path, format!("more than {max} entries"));
        }
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate().take(max) {
            let at = format!("{path}[{index}]");
            if name.is_empty() || name.len() > longest || name.chars().any(char::is_control) {
                self.invalid(
                    at,
                    format!("must have 1 to {longest} bytes and no control characters"),
                );
            } else if !seen.insert(name) {
                self.invalid(at, format!("'{name}' stands twice"));
            }
        }
    }
}
