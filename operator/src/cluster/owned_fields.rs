//! What of an object is ours, by the record that the API server keeps of who applied which field.
//!
//! `metadata.managedFields` names the fields that our last apply set, as long as nobody else has set
//! them since. The object reduced to those fields is therefore exactly what was applied, if nobody
//! touched it; what others added, and what the API server filled in, is not part of it. The form of
//! the names is that of structured-merge-diff (`f:` field, `k:` item by its keys, `v:` item by its
//! value, `i:` item by its place, `.` the thing itself).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use serde_json::{Map, Value};

/// The part of `object` that `manager` applied; `None` when it applied nothing.
pub fn applied_by(object: &DynamicObject, manager: &str) -> Option<Value> {
    let fields = fields_of(&object.metadata, manager)?;
    let mut ours = match &object.data {
        Value::Object(members) => members_of(members, fields),
        _ => Map::new(),
    };
    if let Some(Value::Object(fields)) = fields.get(METADATA) {
        let mut metadata = object.metadata.clone();
        metadata.managed_fields = None;
        let metadata = serde_json::to_value(metadata).unwrap_or_default();
        ours.insert("metadata".to_owned(), reduced(&metadata, fields));
    }
    Some(Value::Object(ours))
}

/// Whether `manager` applied anything of the object that this is the metadata of.
pub fn has_applied(metadata: &ObjectMeta, manager: &str) -> bool {
    fields_of(metadata, manager).is_some()
}

const METADATA: &str = "f:metadata";

fn fields_of<'a>(metadata: &'a ObjectMeta, manager: &str) -> Option<&'a Map<String, Value>> {
    let mut entries = metadata.managed_fields.iter().flatten();
    let entry = entries.find(|entry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().is_none_or(str::is_empty)
    })?;
    entry.fields_v1.as_ref()?.0.as_object()
}

fn reduced(value: &Value, fields: &Map<String, Value>) -> Value {
    let whole = fields.keys().all(|name| name == ".");
    match value {
        _ if whole => value.clone(),
        Value::Object(members) => Value::Object(members_of(members, fields)),
        Value::Array(items) => items_of(items, fields),
        other => other.clone(),
    }
}

fn members_of(members: &Map<String, Value>, fields: &Map<String, Value>) -> Map<String, Value> {
    let kept = fields.iter().filter_map(|(name, inner)| {
        let name = name.strip_prefix("f:")?;
        let value = reduced(members.get(name)?, inner.as_object()?);
        Some((name.to_owned(), value))
    });
    kept.collect()
}

/// In the order in which they stand in the object.
fn items_of(items: &[Value], fields: &Map<String, Value>) -> Value {
    let kept = items.iter().enumerate().filter_map(|(index, item)| {
        let inner = fields
            .iter()
            .find(|(name, _)| names(name, index, item))
            .and_then(|(_, inner)| inner.as_object())?;
        Some(reduced(item, inner))
    });
    Value::Array(kept.collect())
}

fn names(name: &str, index: usize, item: &Value) -> bool {
    match name.split_once(':') {
        Some(("k", keys)) => match serde_json::from_str::<Map<String, Value>>(keys) {
            Ok(keys) => keys.iter().all(|(key, value)| &item[key] == value),
            Err(_) => false,
        },
        Some(("v", value)) => {
            serde_json::from_str::<Value>(value).is_ok_and(|value| &value == item)
        }
        Some(("i", place)) => place.parse() == Ok(index),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn object(fields: Value) -> DynamicObject {
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
        serde_json::from_value(object).unwrap()
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
    fn what_was_never_applied_by_us_is_nothing() {
        assert_eq!(applied_by(&object(json!({"f:spec": {}})), "others"), None);
        let bare = serde_json::from_value(json!({"metadata": {}})).unwrap();
        assert_eq!(applied_by(&bare, "ours"), None);
        assert_eq!(applied_by(&object(json!({})), "kubelet"), None);
    }
}
