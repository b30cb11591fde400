//! One cause: what stands in the way, by the object's own condition.

use pavilion_crds::{Condition, ConditionStatus};
use serde::Serialize;

use super::fault::{self, Fault};
use super::instead::Instead;
use crate::objects::Document;

/// Why a tenant is not Ready, or a part of why.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The kind of the object.
    pub kind: String,
    /// Its namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What is so of it, as the end of a sentence that begins with its name.
    pub says: String,
    /// The code, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What is wrong, field by field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// Since when, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What serves in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<Instead>,
}

impl Cause {
    /// Something that is so of an object, without a code.
    pub fn plain(object: &Document, says: impl Into<String>) -> Self {
        Self {
            kind: object.kind().to_owned(),
            namespace: object.text("/metadata/namespace").to_owned(),
            name: object.name().to_owned(),
            says: says.into(),
            code: None,
            faults: Vec::new(),
            since: None,
            instead: None,
        }
    }

    /// A condition that is not as it should be.
    pub fn of(object: &Document, condition: &Condition) -> Self {
        Self {
            code: Some(condition.reason.clone()),
            faults: fault::faults(object, condition),
            since: Some(condition.last_transition_time.clone()).filter(|since| !since.is_empty()),
            ..Self::plain(object, predicate(condition))
        }
    }

    /// The same, with what is known beyond the condition's message.
    #[must_use]
    pub fn and(mut self, message: impl Into<String>) -> Self {
        self.faults.push(Fault::said(message));
        self
    }
}

/// `is not Accepted`, `is Suspended`, `is not Programmed (Unknown)`.
fn predicate(condition: &Condition) -> String {
    let type_ = &condition.type_;
    match condition.status {
        ConditionStatus::True => format!("is {type_}"),
        ConditionStatus::False => format!("is not {type_}"),
        ConditionStatus::Unknown => format!("may not be {type_}, nobody can tell"),
    }
}
