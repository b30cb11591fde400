//! The values that a set of conditions on one slot leaves possible.
//!
//! Sound, not complete: an empty domain means that the conditions exclude each other; a domain that
//! is not empty promises nothing.

use std::collections::BTreeSet;

use crate::formula::Literal;
use crate::literal::{Bound, Value};
use crate::model::Policy;
use crate::rule::{AgeBounds, Leaf, Test};
use crate::slot::{Kind, Slot};

/// The highest age that is taken for one, in years.
pub(crate) const MAX_AGE: i64 = 150;

/// Possible values of one slot.
struct Domain {
    allowed: Option<BTreeSet<Value>>,
    excluded: BTreeSet<Value>,
    low: i64,
    high: i64,
}

/// Whether no value of the slot satisfies all of these conditions, which all read it.
pub(crate) fn is_contradiction(slot: &Slot, literals: &[&Literal], policy: &Policy) -> bool {
    if matches!(slot, Slot::Claim(_, kind) if kind.is_many()) {
        // Different conditions may be met by different values of the claim.
        return false;
    }
    let mut domain = Domain::of(slot, policy);
    for literal in literals {
        domain.narrow(literal);
    }
    domain.is_empty()
}

impl Domain {
    fn of(slot: &Slot, policy: &Policy) -> Self {
        let (low, high) = match slot {
            Slot::Claim(_, Kind::Years) => (0, MAX_AGE),
            Slot::Assurance(_) => (1, 3),
            Slot::IssuedAge(_) => (0, i64::MAX),
            _ => (i64::MIN, i64::MAX),
        };
        let allowed = match slot {
            Slot::Purpose => Some(texts(&policy.purposes)),
            Slot::CredentialType(evidence) => policy
                .evidence(evidence)
                .map(|evidence| texts(&evidence.types)),
            Slot::Claim(_, Kind::Flag) => {
                Some(BTreeSet::from([Value::Flag(true), Value::Flag(false)]))
            }
            _ => None,
        };
        Self {
            allowed,
            excluded: BTreeSet::new(),
            low,
            high,
        }
    }

    fn narrow(&mut self, literal: &Literal) {
        let negated = literal.negated;
        match &literal.leaf {
            Leaf::Claim { test, .. } => self.narrow_claim(test, negated),
            Leaf::Issuer { one_of, .. } | Leaf::CredentialType { one_of, .. } => {
                self.listed(texts(one_of), negated);
            }
            Leaf::Purpose(names) | Leaf::RelyingParty(names) => {
                self.listed(texts(&names.one_of), negated);
            }
            Leaf::IssuedWithin { duration, .. } => {
                let seconds = i64::try_from(duration.as_seconds()).unwrap_or(i64::MAX);
                self.at_most(seconds, negated);
            }
            Leaf::Assurance { at_least, .. } => self.at_least(at_least.rank(), negated),
            Leaf::TimeWindow(window) if !negated => {
                let first = window.not_before.map(jiff::Timestamp::as_second);
                let last = window.not_after.map(jiff::Timestamp::as_second);
                self.at_least(first.unwrap_or(i64::MIN), false);
                self.at_most(last.unwrap_or(i64::MAX), false);
            }
            Leaf::TimeWindow(_) | Leaf::Presented(_) => {}
        }
    }

    fn narrow_claim(&mut self, test: &Test, negated: bool) {
        match test {
            Test::Equals(value) => self.listed(BTreeSet::from([value.clone()]), negated),
            Test::In(values) => self.listed(values.iter().cloned().collect(), negated),
            Test::NotIn(values) => self.listed(values.iter().cloned().collect(), !negated),
            Test::Age(AgeBounds { at_least, at_most }) => match (at_least, at_most) {
                // The negation of a range is a union, which an interval cannot hold.
                (Some(_), Some(_)) if negated => {}
                (low, high) => {
                    if let Some(low) = low {
                        self.at_least(i64::from(*low), negated);
                    }
                    if let Some(high) = high {
                        self.at_most(i64::from(*high), negated);
                    }
                }
            },
            Test::AtLeast(bound) => self.at_least(number(bound), negated),
            Test::AtMost(bound) => self.at_most(number(bound), negated),
            Test::Before(date) => self.at_least(date.days(), !negated),
            Test::After(date) => self.at_most(date.days(), !negated),
            Test::Present => {}
        }
    }

    fn listed(&mut self, values: BTreeSet<Value>, negated: bool) {
        if negated {
            self.excluded.extend(values);
        } else if let Some(allowed) = &mut self.allowed {
            allowed.retain(|value| values.contains(value));
        } else {
            self.allowed = Some(values);
        }
    }

    /// At least the bound, or below it if negated.
    fn at_least(&mut self, bound: i64, negated: bool) {
        if negated {
            self.high = self.high.min(bound.saturating_sub(1));
        } else {
            self.low = self.low.max(bound);
        }
    }

    /// At most the bound, or above it if negated.
    fn at_most(&mut self, bound: i64, negated: bool) {
        if negated {
            self.low = self.low.max(bound.saturating_add(1));
        } else {
            self.high = self.high.min(bound);
        }
    }

    fn is_empty(&self) -> bool {
        let possible = |value: &Value| {
            let within = match value {
                Value::Integer(number) => (self.low..=self.high).contains(number),
                Value::Text(_) | Value::Flag(_) => true,
            };
            within && !self.excluded.contains(value)
        };
        self.low > self.high
            || self
                .allowed
                .as_ref()
                .is_some_and(|allowed| !allowed.iter().any(possible))
            || self.excludes_its_whole_interval()
    }

    fn excludes_its_whole_interval(&self) -> bool {
        let excluded = self.excluded.iter().filter(
            |value| matches!(value, Value::Integer(number) if (self.low..=self.high).contains(number)),
        );
        let width = i128::from(self.high) - i128::from(self.low) + 1;
        i128::try_from(excluded.count()).is_ok_and(|excluded| excluded >= width)
    }
}

fn texts(names: &[String]) -> BTreeSet<Value> {
    names.iter().cloned().map(Value::Text).collect()
}

fn number(bound: &Bound) -> i64 {
    match bound {
        Bound::Integer(number) => *number,
        Bound::Date(date) => date.days(),
    }
}
