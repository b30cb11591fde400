//! Conditions, as every kind carries them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One aspect of an object's state, with the reason for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is spoken of, for example `Ready`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Z][A-Za-z]*$"))]
    pub type_: String,
    /// Whether it holds: `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// Why, as one fixed word that can be looked up.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Z][A-Za-z]*$"))]
    pub reason: String,
    /// The same for a person: what is wrong and what to do.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// When `status` last changed, RFC 3339 in UTC.
    #[schemars(length(max = 40))]
    pub last_transition_time: String,
    /// The generation of the object this was computed from.
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can tell yet.
    Unknown,
}
