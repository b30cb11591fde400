//! What is around the rule: title, purposes, what may leave.

use std::collections::BTreeSet;

use super::Findings;
use crate::claim_ref::ClaimRef;
use crate::model::Policy;

const MAX_TITLE: usize = 200;
const MAX_PURPOSES: usize = 32;
const MAX_PURPOSE_BYTES: usize = 63;
const MAX_DISCLOSE: usize = 64;

pub(super) fn check(policy: &Policy, found: &mut Findings) {
    if policy
        .title
        .as_ref()
        .is_some_and(|title| title.chars().count() > MAX_TITLE)
    {
        found.too_large("spec.title", format!("more than {MAX_TITLE} characters"));
    }
    found.names(
        "spec.purposes",
        &policy.purposes,
        MAX_PURPOSES,
        MAX_PURPOSE_BYTES,
    );
    disclosed("spec.disclose", &policy.disclose, policy, found);
    if let Some(limit) = &policy.obligations.disclose {
        let limit: Vec<_> = limit.iter().cloned().collect();
        disclosed("spec.obligations.disclose", &limit, policy, found);
    }
}

fn disclosed(path: &str, claims: &[ClaimRef], policy: &Policy, found: &mut Findings) {
    if claims.len() > MAX_DISCLOSE {
        found.too_large(path, format!("more than {MAX_DISCLOSE} entries"));
    }
    let mut seen = BTreeSet::new();
    for (index, claim) in claims.iter().enumerate().take(MAX_DISCLOSE) {
        let at = format!("{path}[{index}]");
        if policy.claim(claim).is_none() {
            found.dangling(at, format!("spec.evidence has no claim '{claim}'"));
        } else if !seen.insert(claim) {
            found.invalid(at, format!("'{claim}' stands twice"));
        }
    }
}
