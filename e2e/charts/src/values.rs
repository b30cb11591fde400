//! Values and their schema: each has what the other has.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::chart;

/// What a chart goes by where nothing else is chosen.
///
/// # Errors
/// A file that is missing, or no YAML.
pub fn default_values(name: &str) -> Result<Value> {
    let file = chart(name).join("values.yaml");
    let text = fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
    serde_saphyr::from_str(&text).with_context(|| format!("{} is no YAML", file.display()))
}

/// Where values and schema part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A value that the schema does not know.
    NotInSchema(String),
    /// Something that the schema knows and no value shows.
    NotInValues(String),
    /// A part of the schema that would let anything pass.
    Open(String),
    /// A part of the schema that does not say what it is for.
    Silent(String),
}

/// What a parent chart may give every part, and what people name amounts of.
const NOT_SHOWN: [&str; 3] = ["global", "requests", "limits"];

/// Every difference, in the order of the schema.
pub fn compare(values: &Value, schema: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    compare_at(values, schema, "", &mut differences);
    differences
}

fn compare_at(values: &Value, schema: &Value, path: &str, found: &mut Vec<Difference>) {
    let is_list_item = path.ends_with("[]");
    if !is_list_item && !path.is_empty() && !schema["description"].is_string() {
        found.push(Difference::Silent(path.to_owned()));
    }
    if schema["items"].is_object() {
        compare_at(&Value::Null, &schema["items"], &format!("{path}[]"), found);
    }
    if schema["type"] != "object" || path == ".global" {
        return;
    }
    if schema["additionalProperties"] != false && !schema["additionalProperties"].is_object() {
        found.push(Difference::Open(path.to_owned()));
    }
    let Some(fields) = schema["properties"].as_object() else {
        return;
    };
    // What a list holds, and which amounts there are, nobody shows in full.
    let free = path.contains("[]") || NOT_SHOWN.iter().any(|name| path.ends_with(name));
    for (name, field) in fields {
        let path = format!("{path}.{name}");
        let value = values.get(name);
        if value.is_none() && !free && !NOT_SHOWN.contains(&name.as_str()) {
            found.push(Difference::NotInValues(path.clone()));
        }
        if !free {
            compare_at(value.unwrap_or(&Value::Null), field, &path, found);
        }
    }
    let unknown = values.as_object().into_iter().flat_map(|map| map.keys());
    let unknown = unknown.filter(|name| !fields.contains_key(*name));
    found.extend(unknown.map(|name| Difference::NotInSchema(format!("{path}.{name}"))));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(kind: &str) -> Value {
        json!({"type": kind, "description": "something"})
    }

    #[test]
    fn what_only_one_side_has_is_found_wherever_it_is() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "both": field("string"),
                "schema": field("string"),
                "inner": {
                    "type": "object", "description": "d", "additionalProperties": false,
                    "properties": {"there": field("integer")},
                },
            },
        });
        let values = json!({"both": "", "inner": {"there": 1, "here": 2}});
        let expected = [
            Difference::NotInSchema(".inner.here".to_owned()),
            Difference::NotInValues(".schema".to_owned()),
        ];
        let mut found = compare(&values, &schema);
        found.sort_by_key(|difference| format!("{difference:?}"));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_part_that_lets_anything_pass_or_says_nothing_is_found() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "open": {"type": "object", "description": "d"},
                "silent": {"type": "string"},
                "labels": {"type": "object", "description": "d", "additionalProperties": {"type": "string"}},
            },
        });
        let values = json!({"open": {}, "silent": "", "labels": {"a": "b"}});
        let expected = [
            Difference::Open(".open".to_owned()),
            Difference::Silent(".silent".to_owned()),
        ];
        assert_eq!(compare(&values, &schema), expected);
    }
}
