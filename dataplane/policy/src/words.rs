//! Sentences about a rule, made of its author's words.

use std::fmt::{self, Display, Write as _};

use crate::formula::{Formula, Literal, Shape};
use crate::literal::{Bound, Value};
use crate::rule::{Leaf, Test, TimeWindow};

/// Members of a list that are written out; the rest is counted.
const SHOWN: usize = 12;

/// The longest sentence, in characters.
const MAX_SENTENCE: usize = 1_000;

/// Why the clause failed.
pub(crate) fn failed(clause: &Formula) -> String {
    let sentence = match &clause.shape {
        Shape::Any(parts) => format!("none of: {}", list(parts)),
        Shape::All(parts) => format!("not all of: {}", list(parts)),
        Shape::AtLeast(n, parts) => format!("fewer than {n} of: {}", list(parts)),
        Shape::Literal(literal) => format!("does not hold: {literal}"),
    };
    shortened(sentence)
}

/// Why the clause is undecided.
pub(crate) fn undecided(clause: &Formula) -> String {
    let sentence = match &clause.shape {
        Shape::Any(parts) => format!("cannot be decided: any of: {}", list(parts)),
        Shape::All(parts) => format!("cannot be decided: all of: {}", list(parts)),
        Shape::AtLeast(n, parts) => format!("cannot be decided: at least {n} of: {}", list(parts)),
        Shape::Literal(literal) => format!("cannot be decided: {literal}"),
    };
    shortened(sentence)
}

fn shortened(sentence: String) -> String {
    match sentence.char_indices().nth(MAX_SENTENCE) {
        Some((end, _)) => format!("{}…", &sentence[..end]),
        None => sentence,
    }
}

fn list(parts: &[Formula]) -> String {
    joined(parts, "; ")
}

fn joined<T: Display>(items: &[T], between: &str) -> String {
    let mut text = String::new();
    for (index, item) in items.iter().take(SHOWN).enumerate() {
        let between = if index == 0 { "" } else { between };
        let _ = write!(text, "{between}{item}");
    }
    if items.len() > SHOWN {
        let _ = write!(text, "{between}… {} more", items.len() - SHOWN);
    }
    text
}

impl Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::All(parts) => write!(f, "({})", joined(parts, " and ")),
            Shape::Any(parts) => write!(f, "({})", joined(parts, " or ")),
            Shape::AtLeast(n, parts) => write!(f, "at least {n} of ({})", list(parts)),
            Shape::Literal(literal) => literal.fmt(f),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("not ")?;
        }
        self.leaf.fmt(f)
    }
}

impl Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim { claim, test } => write!(f, "{claim} {test}"),
            Self::Issuer { evidence, one_of } => {
                write!(f, "issuer of {evidence} in [{}]", joined(one_of, ", "))
            }
            Self::CredentialType { evidence, one_of } => {
                write!(f, "type of {evidence} in [{}]", joined(one_of, ", "))
            }
            Self::IssuedWithin { evidence, duration } => {
                write!(f, "{evidence} issued within {duration}")
            }
            Self::Assurance { evidence, at_least } => {
                write!(f, "assurance of {evidence} at least {}", at_least.word())
            }
            Self::Purpose(names) => write!(f, "purpose in [{}]", joined(&names.one_of, ", ")),
            Self::RelyingParty(names) => {
                write!(f, "relying party in [{}]", joined(&names.one_of, ", "))
            }
            Self::TimeWindow(window) => window.fmt(f),
            Self::Presented(evidence) => write!(f, "{evidence} presented"),
        }
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age(bounds) => match (bounds.at_least, bounds.at_most) {
                (Some(low), Some(high)) => write!(f, "age from {low} to {high}"),
                (Some(low), None) => write!(f, "age at least {low}"),
                (None, Some(high)) => write!(f, "age at most {high}"),
                (None, None) => f.write_str("age"),
            },
            Self::Equals(value) => write!(f, "equals {value}"),
            Self::In(values) => write!(f, "in [{}]", joined(values, ", ")),
            Self::NotIn(values) => write!(f, "not in [{}]", joined(values, ", ")),
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
            Self::AtMost(bound) => write!(f, "at most {bound}"),
            Self::Before(date) => write!(f, "before {date}"),
            Self::After(date) => write!(f, "after {date}"),
            Self::Present => f.write_str("present"),
        }
    }
}

impl Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("time")?;
        if let Some(first) = self.not_before {
            write!(f, " from {first}")?;
        }
        if let Some(last) = self.not_after {
            write!(f, " until {last}")?;
        }
        if let (Some(from), Some(to)) = (self.daily_from, self.daily_to) {
            write!(f, " daily {from} to {to} {}", self.zone())?;
        }
        Ok(())
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Date(date) => date.fmt(f),
        }
    }
}
