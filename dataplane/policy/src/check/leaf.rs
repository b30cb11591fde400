//! One condition: what it refers to and the types it compares.

use std::mem::discriminant;

use super::Findings;
use crate::claim_ref::ClaimRef;
use crate::literal::{Bound, Value};
use crate::model::Policy;
use crate::rule::{AgeBounds, Leaf, Test, TimeWindow};

const MAX_LIST: usize = 256;
const MAX_TEXT_BYTES: usize = 512;
/// Integers that every JSON reader agrees about (RFC 8259 section 6).
const EXACT: i64 = (1 << 53) - 1;

/// Checks a condition; returns how many values its lists hold.
pub(super) fn check(leaf: &Leaf, path: &str, policy: &Policy, found: &mut Findings) -> usize {
    match leaf {
        Leaf::Claim { claim, test } => {
            if !claim_exists(claim, path, policy, found) {
                return 0;
            }
            if policy.is_many(claim) && takes_one_value(test) {
                found.invalid(
                    path,
                    format!("'{claim}' has many values; test it with equals, in or present"),
                );
            }
            claim_test(test, path, found)
        }
        Leaf::Issuer { evidence, one_of } => {
            listed(evidence, one_of, &format!("{path}.issuer"), policy, found)
        }
        Leaf::CredentialType { evidence, one_of } => listed(
            evidence,
            one_of,
            &format!("{path}.credentialType"),
            policy,
            found,
        ),
        Leaf::IssuedWithin { evidence, .. } => evidence_exists(
            evidence,
            &format!("{path}.issuedWithin.evidence"),
            policy,
            found,
        ),
        Leaf::Assurance { evidence, .. } => evidence_exists(
            evidence,
            &format!("{path}.assurance.evidence"),
            policy,
            found,
        ),
        Leaf::Presented(evidence) => {
            evidence_exists(evidence, &format!("{path}.presented"), policy, found)
        }
        Leaf::Purpose(names) => {
            let at = format!("{path}.purpose.in");
            found.names(&at, &names.one_of, MAX_LIST, MAX_TEXT_BYTES);
            for (index, name) in names.one_of.iter().enumerate() {
                if !policy.purposes.contains(name) {
                    found.dangling(
                        format!("{at}[{index}]"),
                        format!("'{name}' is not in spec.purposes"),
                    );
                }
            }
            names.one_of.len()
        }
        Leaf::RelyingParty(names) => {
            found.names(
                &format!("{path}.relyingParty.in"),
                &names.one_of,
                MAX_LIST,
                MAX_TEXT_BYTES,
            );
            names.one_of.len()
        }
        Leaf::TimeWindow(window) => time_window(window, &format!("{path}.timeWindow"), found),
    }
}

fn listed(
    evidence: &str,
    one_of: &[String],
    path: &str,
    policy: &Policy,
    found: &mut Findings,
) -> usize {
    evidence_exists(evidence, &format!("{path}.evidence"), policy, found);
    found.names(&format!("{path}.in"), one_of, MAX_LIST, MAX_TEXT_BYTES);
    one_of.len()
}

fn evidence_exists(evidence: &str, path: &str, policy: &Policy, found: &mut Findings) -> usize {
    if policy.evidence(evidence).is_none() {
        found.dangling(path, format!("spec.evidence has no '{evidence}'"));
    }
    0
}

fn claim_exists(claim: &ClaimRef, path: &str, policy: &Policy, found: &mut Findings) -> bool {
    let missing = match policy.evidence(claim.evidence()) {
        None => Some(format!("spec.evidence has no '{}'", claim.evidence())),
        Some(_) if policy.claim(claim).is_none() => Some(format!(
            "evidence '{}' has no claim '{}'",
            claim.evidence(),
            claim.claim()
        )),
        Some(_) => None,
    };
    match missing {
        Some(message) => {
            found.dangling(format!("{path}.claim"), message);
            false
        }
        None => true,
    }
}

fn takes_one_value(test: &Test) -> bool {
    !matches!(test, Test::Equals(_) | Test::In(_) | Test::Present)
}

fn claim_test(test: &Test, path: &str, found: &mut Findings) -> usize {
    match test {
        Test::Age(bounds) => age(*bounds, &format!("{path}.age"), found),
        Test::Equals(value) => one_value(value, &format!("{path}.equals"), found),
        Test::In(values) => return list(values, &format!("{path}.in"), found),
        Test::NotIn(values) => return list(values, &format!("{path}.notIn"), found),
        Test::AtLeast(bound) => ordered(bound, &format!("{path}.atLeast"), found),
        Test::AtMost(bound) => ordered(bound, &format!("{path}.atMost"), found),
        Test::Before(_) | Test::After(_) | Test::Present => {}
    }
    0
}

fn age(bounds: AgeBounds, path: &str, found: &mut Findings) {
    if bounds.at_least.is_none() && bounds.at_most.is_none() {
        found.invalid(path, "needs atLeast or atMost, in years");
    }
}

fn list(values: &[Value], path: &str, found: &mut Findings) -> usize {
    if values.is_empty() {
        found.invalid(path, "must not be empty");
    }
    if values.len() > MAX_LIST {
        found.too_large(path, format!("more than {MAX_LIST} entries"));
    }
    for (index, value) in values.iter().enumerate().take(MAX_LIST) {
        let at = format!("{path}[{index}]");
        if values
            .first()
            .is_some_and(|first| discriminant(first) != discriminant(value))
        {
            found.invalid(
                at,
                "is of another type than the first entry; a list has one type",
            );
        } else {
            one_value(value, &at, found);
        }
    }
    values.len()
}

fn one_value(value: &Value, path: &str, found: &mut Findings) {
    match value {
        Value::Text(text) if text.len() > MAX_TEXT_BYTES => {
            found.too_large(path, format!("more than {MAX_TEXT_BYTES} bytes"));
        }
        Value::Integer(number) => exact(*number, path, found),
        Value::Text(_) | Value::Flag(_) => {}
    }
}

fn ordered(bound: &Bound, path: &str, found: &mut Findings) {
    if let Bound::Integer(number) = bound {
        exact(*number, path, found);
    }
}

fn exact(number: i64, path: &str, found: &mut Findings) {
    if !(-EXACT..=EXACT).contains(&number) {
        found.invalid(path, "a whole number lies between -(2^53 - 1) and 2^53 - 1");
    }
}

fn time_window(window: &TimeWindow, path: &str, found: &mut Findings) -> usize {
    let daily = match (window.daily_from, window.daily_to) {
        (Some(from), Some(to)) => {
            if from == to {
                found.invalid(
                    format!("{path}.dailyTo"),
                    "is the same as dailyFrom, so the window is empty",
                );
            }
            true
        }
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => {
            found.invalid(path, "dailyFrom and dailyTo are given together");
            true
        }
    };
    if !daily && window.time_zone.is_some() {
        found.invalid(
            format!("{path}.timeZone"),
            "has no meaning without dailyFrom and dailyTo",
        );
    }
    if !daily && window.not_before.is_none() && window.not_after.is_none() {
        found.invalid(path, "needs notBefore, notAfter, or dailyFrom with dailyTo");
    }
    if crate::context::zone(window.zone()).is_none() {
        found.dangling(
            format!("{path}.timeZone"),
            "is not a time zone such as Europe/Berlin",
        );
    }
    0
}
