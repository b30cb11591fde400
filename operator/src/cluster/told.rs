//! An object as the API server tells it, read only as far as somebody asks.
//!
//! Most of what is told of the objects that were made for tenants is what we wrote ourselves: it is enough then to see
//! which object it is, and of which version. Everything else stays text until it is wanted.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::{ApiResource, DynamicObject, DynamicResourceScope, Resource};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Value, value::RawValue};

/// The member that says which object it is.
pub const METADATA: &str = "metadata";

/// An object.
#[derive(Clone, Debug)]
pub struct Told {
    /// Name, place, identity, version and labels; nothing else of it.
    pub metadata: ObjectMeta,
    /// Every member by its name, the metadata once more among them.
    members: BTreeMap<String, Box<RawValue>>,
}

/// What is read at once.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Head {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
}

impl Told {
    /// The text of a member.
    pub fn text(&self, member: &str) -> Option<&RawValue> {
        self.members.get(member).map(|text| &**text)
    }

    /// A member; null where there is none.
    pub fn member(&self, member: &str) -> Value {
        let text = self.text(member);
        // It was read once as JSON.
        let value = text.and_then(|text| serde_json::from_str(text.get()).ok());
        value.unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = BTreeMap::<String, Box<RawValue>>::deserialize(deserializer)?;
        let head = match members.get(METADATA) {
            Some(text) => serde_json::from_str(text.get()).map_err(D::Error::custom)?,
            None => Head::default(),
        };
        let metadata = ObjectMeta {
            name: head.name,
            namespace: head.namespace,
            uid: head.uid,
            resource_version: head.resource_version,
            generation: head.generation,
            deletion_timestamp: head.deletion_timestamp,
            labels: head.labels,
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, members })
    }
}

/// Of a kind that is told beside it, like one that is read whole.
impl Resource for Told {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::kind(kind)
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::group(kind)
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::version(kind)
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used)]
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::json;

    use super::*;

    /// An object as its watch tells it.
    pub fn told(object: &Value) -> Told {
        serde_json::from_str(&object.to_string()).unwrap()
    }

    fn quota() -> Value {
        json!({
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {
                "name": "pavilion", "namespace": "pavilion-acme", "uid": "u", "resourceVersion": "7", "generation": 2,
                "deletionTimestamp": "2026-06-01T12:00:00Z", "labels": {"a": "1"},
                "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}],
            },
            "spec": {"hard": {"pods": "8"}},
        })
    }

    fn check(found: &Told) {
        let metadata = &found.metadata;
        assert_eq!(metadata.name.as_deref(), Some("pavilion"));
        assert_eq!(metadata.namespace.as_deref(), Some("pavilion-acme"));
        assert_eq!(metadata.uid.as_deref(), Some("u"));
        assert_eq!(metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(metadata.generation, Some(2));
        assert_eq!(metadata.labels.as_ref().unwrap()["a"], "1");
        assert!(metadata.deletion_timestamp.is_some());
        assert_eq!(metadata.managed_fields, None);
        assert_eq!(found.member("spec"), json!({"hard": {"pods": "8"}}));
        assert_eq!(found.member("status"), Value::Null);
    }

    #[test]
    fn an_object_is_read_alike_from_an_answer_a_list_and_a_watch() {
        let object = quota().to_string();
        check(&serde_json::from_str(&object).unwrap());
        let list = format!(
            r#"{{"kind":"ResourceQuotaList","apiVersion":"v1","metadata":{{}},"items":[{object}]}}"#
        );
        let list: ObjectList<Told> = serde_json::from_str(&list).unwrap();
        check(&list.items[0]);
        let event = format!(r#"{{"type":"MODIFIED","object":{object}}}"#);
        let event: WatchEvent<Told> = serde_json::from_str(&event).unwrap();
        let WatchEvent::Modified(object) = event else {
            unreachable!("another event");
        };
        check(&object);
    }

    #[test]
    fn an_object_whose_metadata_are_none_is_refused() {
        assert!(serde_json::from_str::<Told>(r#"{"metadata":{"name":1}}"#).is_err());
        assert!(serde_json::from_str::<Told>(r#"{"spec":{}}"#).is_ok());
    }
}
