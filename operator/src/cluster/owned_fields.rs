//! What of an object is ours, by the record that the API server keeps of who applied which field.
//!
//! `metadata.managedFields` names the fields that our last apply set, as long as nobody else has set
//! them since. The object reduced to those fields is therefore exactly what was applied, if nobody
//! touched it; what others added, and what the API server filled in, is not part of it. The form of
//! the names is that of structured-merge-diff (`f:` field, `k:` item by its keys, `v:` item by its
//! value, `i:` item by its place, `.` the thing itself).

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::told::{METADATA, Told};

/// What is read of the metadata.
#[derive(Deserialize)]
struct Recorded<'a> {
    #[serde(borrow, rename = "managedFields", default)]
    entries: Vec<Entry<'a>>,
}

/// Who set which fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow, default)]
    manager: Cow<'a, str>,
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
    #[serde(borrow, default)]
    subresource: Cow<'a, str>,
    #[serde(borrow, default)]
    fields_v1: Option<&'a RawValue>,
}

/// The part of `object` that `manager` applied; `None` when it applied nothing.
pub fn applied_by(object: &Told, manager: &str) -> Option<Value> {
    let metadata = object.text(METADATA)?;
    let fields = fields_of(metadata, manager)?;
    let mut ours = Map::new();
    for (name, inner) in &fields {
        let Some((name, inner)) = name.strip_prefix(FIELD).zip(inner.as_object()) else {
            continue;
        };
        let value = if name == METADATA {
            Value::Object(members_of(&mut named(metadata, inner), inner))
        } else {
            match object.text(name) {
                Some(text) => reduced(read(text)?, inner),
                None => continue,
            }
        };
        ours.insert(name.to_owned(), value);
    }
    Some(Value::Object(ours))
}

/// Whether `manager` applied anything of an object.
pub fn has_applied(object: &Told, manager: &str) -> bool {
    let metadata = object.text(METADATA);
    metadata.is_some_and(|metadata| fields_of(metadata, manager).is_some())
}

/// Whether anybody but `manager` set anything of an object.
pub fn is_shared(object: &Told, manager: &str) -> bool {
    let recorded = object
        .text(METADATA)
        .and_then(|metadata| serde_json::from_str(metadata.get()).ok());
    recorded.is_none_or(|Recorded { entries }| {
        let mut entries = entries.iter();
        entries.any(|entry| entry.manager != manager)
    })
}

const FIELD: &str = "f:";

fn fields_of(metadata: &RawValue, manager: &str) -> Option<Map<String, Value>> {
    let Recorded { entries } = serde_json::from_str(metadata.get()).ok()?;
    let entry = entries.into_iter().find(|entry| {
        entry.manager == manager && entry.operation == "Apply" && entry.subresource.is_empty()
    })?;
    match read(entry.fields_v1?)? {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// Of the metadata the members that are among these fields: the record itself is the largest and never is.
fn named(metadata: &RawValue, fields: &Map<String, Value>) -> Map<String, Value> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(metadata.get()).unwrap_or_default();
    let named = fields.keys().filter_map(|name| {
        let name = name.strip_prefix(FIELD)?;
        Some((name.to_owned(), read(members.get(name)?)?))
    });
    named.collect()
}

fn read(text: &RawValue) -> Option<Value> {
    serde_json::from_str(text.get()).ok()
}

fn reduced(value: Value, fields: &Map<String, Value>) -> Value {
    let whole = fields.keys().all(|name| name == ".");
    match value {
        value if whole => value,
        Value::Object(mut members) => Value::Object(members_of(&mut members, fields)),
        Value::Array(items) => items_of(items, fields),
        other => other,
    }
}

fn members_of(members: &mut Map<String, Value>, fields: &Map<String, Value>) -> Map<String, Value> {
    let kept = fields.iter().filter_map(|(name, inner)| {
        let (name, inner) = (name.strip_prefix(FIELD)?, inner.as_object()?);
        let value = members.get_mut(name)?.take();
        Some((name.to_owned(), reduced(value, inner)))
    });
    kept.collect()
}

/// In the order in which they stand in the object.
fn items_of(items: Vec<Value>, fields: &Map<String, Value>) -> Value {
    let named = fields.iter();
    let named: Vec<_> = named
        .filter_map(|(name, inner)| Some((Item::read(name)?, inner.as_object()?)))
        .collect();
    let kept = items.into_iter().enumerate().filter_map(|(index, item)| {
        let (_, inner) = named.iter().find(|(name, _)| name.is(index, &item))?;
        Some(reduced(item, inner))
    });
    Value::Array(kept.collect())
}

/// What an item of a list is called.
enum Item {
    Keys(Map<String, Value>),
    Value(Value),
    Place(usize),
}

impl Item {
    fn read(name: &str) -> Option<Self> {
        let (form, text) = name.split_once(':')?;
        match form {
            "k" => serde_json::from_str(text).ok().map(Self::Keys),
            "v" => serde_json::from_str(text).ok().map(Self::Value),
            "i" => text.parse().ok().map(Self::Place),
            _ => None,
        }
    }

    fn is(&self, index: usize, item: &Value) -> bool {
        match self {
            Self::Keys(keys) => keys.iter().all(|(key, value)| &item[key] == value),
            Self::Value(value) => value == item,
            Self::Place(place) => *place == index,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::cluster::told::tests::told;

    fn object(fields: Value) -> Told {
        let fields = json!([
            {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
            {"manager": "ours", "operation": "Apply", "fieldsV1": fields},
        ]);
        let object = json!({
            "metadata": {"labels": {"a": "1", "theirs": "2"}, "managedFields": fields},
            "spec": {
                "replicas": 1,
                "atomic": {"x": 1, "y": [2]},
                "ports": [{"port": 1, "protocol": "TCP", "name": "theirs"}, {"port": 2, "protocol": "TCP", "name": "ours"}],
                "set": ["one", "two"],
            },
            "status": {"ready": true},
        });
        told(&object)
    }

    #[test]
    fn what_others_added_is_not_ours() {
        let fields = json!({
            "f:metadata": {"f:labels": {"f:a": {}}},
            "f:spec": {
                "f:atomic": {},
                "f:ports": {r#"k:{"port":2,"protocol":"TCP"}"#: {".": {}, "f:name": {}, "f:port": {}}},
                "f:set": {r#"v:"two""#: {}},
            },
        });
        let ours = applied_by(&object(fields), "ours").unwrap();
        assert_eq!(
            ours,
            json!({
                "metadata": {"labels": {"a": "1"}},
                "spec": {"atomic": {"x": 1, "y": [2]}, "ports": [{"name": "ours", "port": 2}], "set": ["two"]},
            })
        );
    }

    #[test]
    fn a_field_that_is_gone_is_missing() {
        let ours = applied_by(
            &object(json!({"f:spec": {"f:gone": {}, "f:replicas": {}}})),
            "ours",
        );
        assert_eq!(ours.unwrap(), json!({"spec": {"replicas": 1}}));
    }

    #[test]
    fn an_object_is_shared_with_whoever_else_is_on_record() {
        let of = |managers: &[&str]| {
            let entries = managers.iter().map(|manager| {
                json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {}}})
            });
            told(&json!({"metadata": {"managedFields": entries.collect::<Vec<_>>()}}))
        };
        assert!(!is_shared(&of(&["ours"]), "ours"));
        assert!(is_shared(&of(&["ours", "theirs"]), "ours"));
        assert!(is_shared(&of(&["theirs"]), "ours"));
    }

    #[test]
    fn what_was_never_applied_by_us_is_nothing() {
        assert_eq!(applied_by(&object(json!({"f:spec": {}})), "others"), None);
        let bare = told(&json!({"metadata": {}}));
        assert_eq!(applied_by(&bare, "ours"), None);
        assert_eq!(applied_by(&object(json!({})), "kubelet"), None);
    }
}
