//! What was found, line by line.

use std::fmt::Write;

use serde::Serialize;

use crate::cluster::Trouble;
use crate::console::{BAD, BOLD, DIM, GOOD, UNSURE};
use crate::render::printable;

/// How a line came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It may do, or cannot be judged from here.
    Warning,
    /// It will not do.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Line {
    /// What was looked at.
    pub check: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Line {
    /// All is well.
    pub fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(check, Outcome::Ok, found, None)
    }

    /// It may do, or nobody can tell.
    pub fn warning(
        check: impl Into<String>,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(check, Outcome::Warning, found, Some(hint.into()))
    }

    /// It will not do.
    pub fn failed(
        check: impl Into<String>,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(check, Outcome::Failed, found, Some(hint.into()))
    }

    /// It could not be looked at: whoever asks may not, or the API server did not do it.
    pub fn unseen(check: impl Into<String>, trouble: &Trouble) -> Self {
        let found = format!("cannot be looked at: {}", trouble.words());
        match trouble {
            Trouble::Forbidden(_) => Self::warning(
                check,
                found,
                "let somebody check who may; it may well be as it should",
            ),
            _ => Self::failed(
                check,
                found,
                "try again; if it lasts, look at the API server",
            ),
        }
    }

    fn new(
        check: impl Into<String>,
        outcome: Outcome,
        found: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        Self {
            check: check.into(),
            outcome,
            found: found.into(),
            hint,
        }
    }
}

/// All lines.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The API server.
    pub cluster: String,
    /// Whether no line failed.
    pub fit: bool,
    /// The lines.
    pub checks: Vec<Line>,
}

impl Report {
    /// What the lines come to.
    pub fn of(cluster: &str, checks: Vec<Line>) -> Self {
        Self {
            cluster: cluster.to_owned(),
            fit: checks.iter().all(|line| line.outcome != Outcome::Failed),
            checks,
        }
    }

    /// The lines for people: a sign and a word each, and under those that are not well what to do.
    pub fn table(&self) -> String {
        let names = self.checks.iter().map(|line| line.check.chars().count());
        let width = names.max().unwrap_or(0);
        let mut out = String::new();
        for (index, line) in self.checks.iter().enumerate() {
            let (sign, word, style) = match line.outcome {
                Outcome::Ok => ("✔", "ok", GOOD),
                Outcome::Warning => ("!", "warning", UNSURE),
                Outcome::Failed => ("✘", "failed", BAD),
            };
            let (check, found) = (printable(&line.check), one_line(&line.found));
            let _ = writeln!(
                out,
                "{style}{sign} {word:7}{style:#} {check:width$}   {found}"
            );
            // Said once where it holds for several lines.
            let next = self
                .checks
                .get(index + 1)
                .and_then(|next| next.hint.as_ref());
            if let Some(hint) = line.hint.as_ref().filter(|hint| Some(*hint) != next) {
                let _ = writeln!(
                    out,
                    "{:10}{:width$}   {DIM}→ {}{DIM:#}",
                    "",
                    "",
                    one_line(hint)
                );
            }
        }
        let count = |outcome| {
            self.checks
                .iter()
                .filter(|line| line.outcome == outcome)
                .count()
        };
        let (failed, warnings) = (count(Outcome::Failed), count(Outcome::Warning));
        let verdict = if self.fit { "fit" } else { "not fit" };
        let _ = writeln!(
            out,
            "{BOLD}{}{BOLD:#} is {verdict}: {failed} failed, {warnings} to be looked at",
            printable(&self.cluster)
        );
        out
    }
}

fn one_line(text: &str) -> String {
    printable(text).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_does_not_make_a_cluster_unfit_and_a_failure_does() {
        let lines = || vec![Line::ok("a", "1"), Line::warning("bcd", "2", "look")];
        let report = Report::of("https://c", lines());
        assert!(report.fit);
        let table = report.table();
        assert!(table.contains("✔ ok     "), "{table}");
        assert!(table.contains("→ look"), "{table}");
        assert!(
            table.contains("is fit: 0 failed, 1 to be looked at"),
            "{table}"
        );
        let mut lines = lines();
        lines.push(Line::unseen("e", &Trouble::Away("gone".to_owned())));
        assert!(!Report::of("https://c", lines).fit);
        let unseen = Line::unseen("e", &Trouble::Forbidden("no".to_owned()));
        assert_eq!(unseen.outcome, Outcome::Warning);
    }
}
