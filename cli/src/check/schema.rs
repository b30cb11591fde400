//! How one schema differs from another, by the fields that they have.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Every field of a schema by its path.
type Fields = BTreeMap<String, Field>;

/// What a schema says of a field beside the fields below it.
#[derive(PartialEq)]
struct Field {
    /// What it may be: its type, and its values where they are listed.
    may_be: BTreeSet<String>,
    /// What else must be so of it.
    rules: Map<String, Value>,
}

/// How many fields are named.
const NAMED: usize = 3;

/// How what is installed differs from what is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Fields that are known and not installed.
    pub lacks: Vec<String>,
    /// Fields that are installed and not known.
    pub adds: Vec<String>,
    /// Fields with other rules.
    pub changes: Vec<String>,
}

impl Difference {
    /// Compares two OpenAPI schemas. Descriptions are words, not rules.
    pub fn between(known: &Value, installed: &Value) -> Self {
        let (known, installed) = (fields(known), fields(installed));
        let changes = known.iter().filter(|(path, field)| {
            installed
                .get(*path)
                .is_some_and(|other| other.rules != field.rules)
        });
        Self {
            lacks: beyond(&known, &installed),
            adds: beyond(&installed, &known),
            changes: changes.map(|(path, _)| path.clone()).collect(),
        }
    }
}

/// What these have and those do not: fields, and what a field may be.
fn beyond(these: &Fields, others: &Fields) -> Vec<String> {
    let mut beyond = Vec::new();
    for (path, field) in these {
        match others.get(path) {
            None => beyond.push(path.clone()),
            Some(other) => {
                let may_be = field.may_be.difference(&other.may_be);
                beyond.extend(may_be.map(|what| format!("{path} as {what}")));
            }
        }
    }
    beyond
}

/// The first few names, and how many more.
pub fn named(fields: &[String]) -> String {
    let first: Vec<&str> = fields.iter().take(NAMED).map(String::as_str).collect();
    let more = fields.len().saturating_sub(NAMED);
    let first = first.join(", ");
    if more == 0 {
        first
    } else {
        format!("{first} and {more} more")
    }
}

fn fields(schema: &Value) -> Fields {
    let mut fields = Fields::new();
    walk(schema, String::new(), &mut fields);
    fields
}

fn walk(schema: &Value, path: String, fields: &mut Fields) {
    let Some(members) = schema.as_object() else {
        return;
    };
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let properties = members.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        walk(property, below(name), fields);
    }
    for (member, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(inner) = members.get(member).filter(|inner| inner.is_object()) {
            walk(inner, format!("{path}{mark}"), fields);
        }
    }
    let values = members.get("enum").and_then(Value::as_array);
    let may_be = members
        .get("type")
        .into_iter()
        .chain(values.into_iter().flatten());
    let rules = members
        .iter()
        .filter(|(member, value)| !is_structure(member, value));
    let field = Field {
        may_be: may_be.map(Value::to_string).collect(),
        rules: rules
            .map(|(member, value)| (member.clone(), value.clone()))
            .collect(),
    };
    fields.insert(path, field);
}

fn is_structure(member: &str, value: &Value) -> bool {
    match member {
        "properties" | "items" | "description" | "type" | "enum" => true,
        "additionalProperties" => value.is_object(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(spec: &Value) -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}})
    }

    #[test]
    fn fields_that_lack_are_added_or_have_other_rules_are_told_apart() {
        let known = schema(&json!({
            "hosts": {"type": "array", "items": {"type": "string", "maxLength": 253, "description": "a"}},
            "suspend": {"type": "boolean"},
        }));
        assert_eq!(Difference::between(&known, &known), Difference::default());
        let other = schema(&json!({
            "hosts": {"type": "array", "items": {"type": "string", "maxLength": 100, "description": "b"}},
            "pause": {"type": "boolean"},
        }));
        let difference = Difference::between(&known, &other);
        assert_eq!(difference.lacks, ["spec.suspend"]);
        assert_eq!(difference.adds, ["spec.pause"]);
        assert_eq!(difference.changes, ["spec.hosts[]"]);
    }

    #[test]
    fn values_and_types_that_lack_are_named_like_fields() {
        let mode = |form: Value| schema(&json!({"mode": form}));
        let older = mode(json!({"type": "string", "enum": ["A"]}));
        let newer = mode(json!({"type": "string", "enum": ["A", "B"]}));
        assert_eq!(
            Difference::between(&newer, &older).lacks,
            ["spec.mode as \"B\""]
        );
        assert_eq!(
            Difference::between(&older, &newer).adds,
            ["spec.mode as \"B\""]
        );
        let number = mode(json!({"type": "integer"}));
        let difference = Difference::between(&mode(json!({"type": "string"})), &number);
        assert_eq!(difference.lacks, ["spec.mode as \"string\""]);
    }

    #[test]
    fn many_fields_are_counted() {
        let fields: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!(named(&fields), "a, b, c and 2 more");
        assert_eq!(named(&fields[..1]), "a");
    }
}
