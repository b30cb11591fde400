//! The evidence: ids, types, trust and claim paths.

use std::collections::BTreeSet;

use super::Findings;
use crate::claim_ref::is_id;
use crate::model::{Claim, Evidence, PathElement, Policy};

const MAX_EVIDENCE: usize = 64;
const MAX_TYPES: usize = 16;
const MAX_TYPE_BYTES: usize = 512;
const MAX_TRUST: usize = 16;
const MAX_TRUST_BYTES: usize = 253;
const MAX_CLAIMS: usize = 64;
const MAX_PATH: usize = 16;
const MAX_STEP_BYTES: usize = 256;
/// The highest index into an array.
const MAX_INDEX: u32 = 9_999;

pub(super) fn check(policy: &Policy, found: &mut Findings) {
    if policy.evidence.is_empty() {
        found.invalid("spec.evidence", "must not be empty");
    }
    if policy.evidence.len() > MAX_EVIDENCE {
        found.too_large("spec.evidence", format!("more than {MAX_EVIDENCE} entries"));
    }
    let mut seen = BTreeSet::new();
    for (index, evidence) in policy.evidence.iter().enumerate().take(MAX_EVIDENCE) {
        let path = format!("spec.evidence[{index}]");
        id(&path, &evidence.id, &mut seen, found);
        one(&path, evidence, found);
    }
}

fn one(path: &str, evidence: &Evidence, found: &mut Findings) {
    found.names(
        &format!("{path}.types"),
        &evidence.types,
        MAX_TYPES,
        MAX_TYPE_BYTES,
    );
    found.names(
        &format!("{path}.trust"),
        &evidence.trust,
        MAX_TRUST,
        MAX_TRUST_BYTES,
    );
    if evidence.claims.len() > MAX_CLAIMS {
        found.too_large(
            format!("{path}.claims"),
            format!("more than {MAX_CLAIMS} entries"),
        );
    }
    let mut seen = BTreeSet::new();
    for (index, claim) in evidence.claims.iter().enumerate().take(MAX_CLAIMS) {
        let path = format!("{path}.claims[{index}]");
        id(&path, &claim.id, &mut seen, found);
        claim_path(&format!("{path}.path"), claim, found);
    }
}

fn id<'a>(path: &str, id: &'a str, seen: &mut BTreeSet<&'a str>, found: &mut Findings) {
    if !is_id(id) {
        found.invalid(
            format!("{path}.id"),
            "an id begins with a lower-case letter, then letters, digits, _ or -, at most 63",
        );
    } else if !seen.insert(id) {
        found.invalid(format!("{path}.id"), format!("'{id}' stands twice"));
    }
}

fn claim_path(path: &str, claim: &Claim, found: &mut Findings) {
    if claim.path.is_empty() {
        found.invalid(path, "must not be empty");
    }
    if claim.path.len() > MAX_PATH {
        found.too_large(path, format!("more than {MAX_PATH} steps"));
    }
    for (index, step) in claim.path.iter().enumerate().take(MAX_PATH) {
        let fits = match step {
            PathElement::Name(name) => !name.is_empty() && name.len() <= MAX_STEP_BYTES,
            PathElement::Index(index) => *index <= MAX_INDEX,
            PathElement::Every => true,
        };
        if !fits {
            found.invalid(
                format!("{path}[{index}]"),
                format!(
                    "a step is a name of 1 to {MAX_STEP_BYTES} bytes, an index up to {MAX_INDEX}, or null"
                ),
            );
        }
    }
    if !matches!(claim.path.first(), None | Some(PathElement::Name(_))) {
        found.invalid(format!("{path}[0]"), "the first step is a name");
    }
}
