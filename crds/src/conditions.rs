//! Conditions, as every kind carries them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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

/// Conditions that say what was asked for, which stays true when nobody watches the object.
const LASTING: [&str; 2] = ["Accepted", "Suspended"];

/// Makes an object's status say that nobody watches it any more: conditions about what is served
/// become `Unknown` for this reason, and nothing is shown as served.
pub fn forget(object: &mut Value, reason: &str, message: &str) {
    let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) else {
        return;
    };
    let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        let lasting = condition["type"]
            .as_str()
            .is_some_and(|type_| LASTING.contains(&type_));
        if !lasting && condition.is_object() {
            condition["status"] = json!(ConditionStatus::Unknown);
            condition["reason"] = json!(reason);
            condition["message"] = json!(message);
        }
    }
    status.remove("phase");
    status.remove("served");
    status.remove("bundle");
    let programs = status.get_mut("dataPlane").and_then(Value::as_array_mut);
    for program in programs
        .into_iter()
        .flatten()
        .filter(|program| program.is_object())
    {
        program["ready"] = json!(false);
        program["reason"] = json!(message);
    }
    if let Some(router) = status.get_mut("router").filter(|router| router.is_object()) {
        router["ready"] = json!(false);
        router["reason"] = json!(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_watches_is_unknown_and_what_was_asked_for_stays() {
        let mut object = json!({"status": {
            "conditions": [
                {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""},
                {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}, "odd",
            ],
            "phase": "Ready", "bundle": "9f3c41d", "served": {"version": 1}, "region": "eu",
            "dataPlane": [{"name": "signer", "ready": true}], "router": {"ready": true},
        }});
        forget(&mut object, "OperatorStopped", "nobody looks");
        let status = &object["status"];
        assert_eq!(status["conditions"][0]["status"], "True");
        assert_eq!(status["conditions"][1]["status"], "Unknown");
        assert_eq!(status["conditions"][1]["reason"], "OperatorStopped");
        assert_eq!(status["dataPlane"][0]["ready"], false);
        assert_eq!(status["router"]["reason"], "nobody looks");
        assert_eq!(status["region"], "eu");
        for unknown in ["phase", "served", "bundle"] {
            assert!(status.get(unknown).is_none(), "{unknown}");
        }
        forget(&mut json!([]), "a", "b");
    }
}
