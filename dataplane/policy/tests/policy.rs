//! What policy authors and relying parties rely on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Tests are tables, and read best with `json!` values passed as they are written.
#![allow(clippy::needless_pass_by_value, clippy::too_many_lines)]

#[path = "policy/admission.rs"]
mod admission;
#[path = "policy/agreement.rs"]
mod agreement;
#[path = "policy/conditions.rs"]
mod conditions;
#[path = "policy/decisions.rs"]
mod decisions;
#[path = "policy/direct.rs"]
mod direct;
#[path = "policy/documents.rs"]
mod documents;
#[path = "policy/examples.rs"]
mod examples;
#[path = "policy/guide.rs"]
mod guide;
#[path = "policy/never.rs"]
mod never;
#[path = "policy/refusals.rs"]
mod refusals;
#[path = "policy/refused_fields.rs"]
mod refused_fields;
#[path = "policy/refused_rules.rs"]
mod refused_rules;
