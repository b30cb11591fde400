//! The shape of an object, held against a structural schema.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use regex::Regex;
use serde_json::{Map, Value};

use super::{Fault, Violation};

/// Structural schemas of this group stay far below this; deeper values are refused, not skipped.
const MAX_DEPTH: usize = 32;

/// Every fault of `value` against `schema`.
pub(super) fn check(schema: &Value, value: &Value) -> Vec<Violation> {
    let mut check = Check { faults: Vec::new() };
    check.value(schema, value, &Place::root());
    check.faults
}

/// Where we are, as a person would write it.
struct Place {
    path: String,
    depth: usize,
}

impl Place {
    fn root() -> Self {
        Self {
            path: String::new(),
            depth: 0,
        }
    }

    fn field(&self, name: &str) -> Self {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        Self {
            path,
            depth: self.depth + 1,
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            path: format!("{}[{index}]", self.path),
            depth: self.depth + 1,
        }
    }
}

struct Check {
    faults: Vec<Violation>,
}

impl Check {
    fn fault(&mut self, place: &Place, fault: Fault, message: impl Into<String>) {
        self.faults.push(Violation {
            path: place.path.clone(),
            fault,
            message: message.into(),
        });
    }

    fn value(&mut self, schema: &Value, value: &Value, place: &Place) {
        if place.depth > MAX_DEPTH {
            return self.fault(place, Fault::OutOfBounds, "is nested too deeply");
        }
        if value.is_null() && flag(schema, "nullable") {
            return;
        }
        if flag(schema, "x-kubernetes-int-or-string") {
            if !(value.is_string() || value.is_i64() || value.is_u64()) {
                self.fault(place, Fault::WrongType, "must be an integer or a string");
            }
            return;
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema, value, place),
            Some("array") => self.array(schema, value, place),
            Some("string") => self.string(schema, value, place),
            Some("boolean") if !value.is_boolean() => {
                self.fault(place, Fault::WrongType, "must be true or false");
            }
            Some("integer") => self.integer(schema, value, place),
            _ => {}
        }
    }

    fn object(&mut self, schema: &Value, value: &Value, place: &Place) {
        let Some(fields) = value.as_object() else {
            return self.fault(place, Fault::WrongType, "must be an object");
        };
        let none = Map::new();
        let known = schema["properties"].as_object().unwrap_or(&none);
        for name in schema["required"].as_array().into_iter().flatten() {
            if let Some(name) = name.as_str().filter(|name| !fields.contains_key(*name)) {
                self.fault(&place.field(name), Fault::Missing, "is missing");
            }
        }
        // Metadata has a bare `type: object`; what it may hold is not the kind's business.
        let open = known.is_empty() || flag(schema, "x-kubernetes-preserve-unknown-fields");
        for (name, field) in fields {
            match known.get(name) {
                // Absent and null are the same for a field that is not nullable and not required.
                Some(_) if field.is_null() && !required(schema, name) => {}
                Some(inner) => self.value(inner, field, &place.field(name)),
                None if open => {}
                None => self.unknown(known, name, place),
            }
        }
    }

    fn unknown(&mut self, known: &Map<String, Value>, name: &str, place: &Place) {
        let mut names: Vec<&str> = known.keys().map(String::as_str).collect();
        names.sort_by_key(|known| distance(known, name));
        let message = match names.first() {
            Some(near) if distance(near, name) <= 2 => {
                format!("is not a field of this kind; did you mean {near}?")
            }
            _ => {
                names.sort_unstable();
                format!(
                    "is not a field of this kind; there are: {}",
                    names.join(", ")
                )
            }
        };
        let shown: String = name.chars().take(64).collect();
        self.fault(&place.field(&shown), Fault::UnknownField, message);
    }

    fn array(&mut self, schema: &Value, value: &Value, place: &Place) {
        let Some(items) = value.as_array() else {
            return self.fault(place, Fault::WrongType, "must be a list");
        };
        let count = items.len() as u64;
        if schema["maxItems"].as_u64().is_some_and(|max| count > max) {
            let message = format!(
                "has {count} entries, at most {} are allowed",
                schema["maxItems"]
            );
            return self.fault(place, Fault::OutOfBounds, message);
        }
        if schema["minItems"].as_u64().is_some_and(|min| count < min) {
            let message = format!("needs at least {} entry", schema["minItems"]);
            self.fault(place, Fault::OutOfBounds, message);
        }
        for (index, item) in items.iter().enumerate() {
            self.value(&schema["items"], item, &place.item(index));
        }
        self.uniqueness(schema, items, place);
    }

    fn uniqueness(&mut self, schema: &Value, items: &[Value], place: &Place) {
        let keys: Vec<&str> = match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => Vec::new(),
            Some("map") => strings(&schema["x-kubernetes-list-map-keys"]),
            _ => return,
        };
        let identity = |item: &Value| -> Vec<Value> {
            if keys.is_empty() {
                vec![item.clone()]
            } else {
                keys.iter().map(|key| item[*key].clone()).collect()
            }
        };
        let seen: Vec<Vec<Value>> = items.iter().map(identity).collect();
        for (index, item) in seen.iter().enumerate() {
            if let Some(first) = seen[..index].iter().position(|other| other == item) {
                let message = format!("is the same as entry {first}; each may stand once");
                self.fault(&place.item(index), Fault::Duplicate, message);
            }
        }
    }

    fn string(&mut self, schema: &Value, value: &Value, place: &Place) {
        let Some(text) = value.as_str() else {
            return self.fault(
                place,
                Fault::WrongType,
                "must be a string (put it in quotes)",
            );
        };
        let length = text.chars().count() as u64;
        if schema["maxLength"].as_u64().is_some_and(|max| length > max) {
            let message = format!("may have at most {} characters", schema["maxLength"]);
            return self.fault(place, Fault::OutOfBounds, message);
        }
        if schema["minLength"].as_u64().is_some_and(|min| length < min) {
            let message = format!("needs at least {} characters", schema["minLength"]);
            self.fault(place, Fault::OutOfBounds, message);
        } else if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            let message = format!("must be one of: {}", strings(&schema["enum"]).join(", "));
            self.fault(place, Fault::OutOfBounds, message);
        } else if let Some(pattern) = schema["pattern"].as_str()
            && !matches(pattern, text)
        {
            let message = format!("must have the form {pattern}");
            self.fault(place, Fault::OutOfBounds, message);
        }
    }

    fn integer(&mut self, schema: &Value, value: &Value, place: &Place) {
        let Some(number) = value.as_i64() else {
            return self.fault(place, Fault::WrongType, "must be an integer");
        };
        let bound = |name: &str| schema[name].as_f64();
        #[allow(clippy::cast_precision_loss)] // bounds are small whole numbers
        let number = number as f64;
        if bound("minimum").is_some_and(|min| number < min)
            || bound("maximum").is_some_and(|max| number > max)
        {
            self.fault(place, Fault::OutOfBounds, "is outside its range");
        }
    }
}

fn flag(schema: &Value, name: &str) -> bool {
    schema[name].as_bool() == Some(true)
}

fn required(schema: &Value, name: &str) -> bool {
    strings(&schema["required"]).contains(&name)
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Patterns come from our own schemas only; they are compiled once.
fn matches(pattern: &str, text: &str) -> bool {
    static PATTERNS: OnceLock<Mutex<HashMap<String, Option<Regex>>>> = OnceLock::new();
    let patterns = PATTERNS.get_or_init(Mutex::default);
    let mut patterns = patterns.lock().unwrap_or_else(PoisonError::into_inner);
    patterns
        .entry(pattern.to_owned())
        .or_insert_with(|| Regex::new(pattern).ok())
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(text))
}

/// How many letters differ (Levenshtein), without regard to case.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
