//! What an API server says about an object, said without one.
//!
//! An object is defaulted, its shape is held against the structural schema of its kind, and the CEL
//! rules are evaluated; transition rules are evaluated when the object before is given. Every fault
//! is reported with its field, not only the first.

mod schema;

use std::{
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
};

use kube::core::cel::{CompiledSchema, Validator, apply_defaults, compile_schema};
use serde_json::{Value, json};

use crate::yaml::Kind;

/// One fault of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, for example `spec.ingress.hosts[0]`.
    pub path: String,
    /// The sort of fault.
    pub fault: Fault,
    /// A sentence for the author. It never repeats the value.
    pub message: String,
}

/// The sort of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A field the kind does not have.
    UnknownField,
    /// A field of another type.
    WrongType,
    /// A field that must be there is not.
    Missing,
    /// A value outside its bounds: too long, too many, not one of the allowed, wrongly formed.
    OutOfBounds,
    /// An entry that stands twice.
    Duplicate,
    /// A rule over several fields, or over the object before, that does not hold.
    Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The schema and rules of one kind, ready for use.
struct Judge {
    schema: Value,
    rules: CompiledSchema,
    validator: Mutex<Validator>,
}

/// Judges an object with its metadata (`status` left out), and the one before when there was one.
/// Returns the object with the defaults filled in.
///
/// # Errors
/// Every fault found. Rules are looked at only when the shape is right.
pub fn judge(kind: Kind, object: &Value, before: Option<&Value>) -> Result<Value, Vec<Violation>> {
    let judge = Judge::of(kind);
    let object = apply_defaults(&judge.schema, object);
    let faults = schema::check(&judge.schema, &object);
    if !faults.is_empty() {
        return Err(faults);
    }
    judge.rules(&object, before)?;
    Ok(object)
}

impl Judge {
    fn of(kind: Kind) -> &'static Self {
        static JUDGES: [OnceLock<Judge>; Kind::ALL.len()] =
            [const { OnceLock::new() }; Kind::ALL.len()];
        JUDGES[kind as usize].get_or_init(|| Self::new(kind))
    }

    fn new(kind: Kind) -> Self {
        let definition = serde_json::to_value(kind.definition()).unwrap_or_default();
        let mut schema = definition
            .pointer("/spec/versions/0/schema/openAPIV3Schema")
            .cloned()
            .unwrap_or_default();
        // What every object has; an API server adds it to the schema of a kind by itself.
        if let Some(properties) = schema["properties"].as_object_mut() {
            properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
            properties.insert("kind".to_owned(), json!({"type": "string"}));
            properties.insert("metadata".to_owned(), json!({"type": "object"}));
        }
        Self {
            rules: compile_schema(&schema),
            schema,
            validator: Mutex::new(Validator::new()),
        }
    }

    fn rules(&self, object: &Value, before: Option<&Value>) -> Result<(), Vec<Violation>> {
        let validator = self
            .validator
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        validator
            .validate_compiled(&self.rules, object, before)
            .map_err(|errors| {
                errors
                    .into_vec()
                    .into_iter()
                    .map(|error| Violation {
                        path: error.field_path,
                        fault: Fault::Rule,
                        message: error.message,
                    })
                    .collect()
            })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_kind_has_a_schema_whose_rules_compile() {
        for kind in Kind::ALL {
            let judge = Judge::of(kind);
            assert!(judge.schema["properties"]["spec"].is_object(), "{kind:?}");
            assert!(
                !judge.rules.has_errors(),
                "{:?}",
                judge.rules.compilation_errors()
            );
        }
    }
}
