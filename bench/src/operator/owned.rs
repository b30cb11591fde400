//! What an operator made, as it applied it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

/// What the operator labels everything with.
const LABEL: &str = "app.kubernetes.io/managed-by=pavilion-operator";
const TENANT: &str = "pavilion.dev/tenant";
/// Namespaces first, and what starts pods last.
const FIRST: &str = "Namespace";
const LAST: &str = "StatefulSet";

/// An object and where it is applied.
pub struct Object {
    /// Its kind's path.
    pub resource: ApiResource,
    /// Its namespace, if its kind has one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What is applied.
    pub patch: Value,
}

/// All objects, tenant by tenant, in an order in which they can be applied.
pub struct Objects {
    /// Of each tenant.
    pub by_tenant: BTreeMap<String, Vec<Object>>,
}

impl Objects {
    /// What is there of an operator's, with no more in it than it applied.
    pub async fn of(client: &Client) -> Result<Self> {
        let mut by_tenant: BTreeMap<String, Vec<Object>> = BTreeMap::new();
        let discovery = Discovery::new(client.clone()).run().await?;
        let kinds = discovery
            .groups()
            .flat_map(kube::discovery::ApiGroup::recommended_resources);
        for (resource, capabilities) in kinds {
            if !capabilities.supports_operation(verbs::LIST) {
                continue;
            }
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            let labelled = ListParams::default().labels(LABEL);
            for found in api.list(&labelled).await?.items {
                let Some(tenant) = found.labels().get(TENANT).cloned() else {
                    continue;
                };
                // What another made of it, as of a pod, is not applied.
                let Some(patch) = applied(&found, &resource)? else {
                    continue;
                };
                by_tenant.entry(tenant).or_default().push(Object {
                    resource: resource.clone(),
                    namespace: (capabilities.scope == Scope::Namespaced)
                        .then(|| found.namespace())
                        .flatten(),
                    name: found.name_any(),
                    patch,
                });
            }
        }
        for objects in by_tenant.values_mut() {
            objects.sort_by_key(|object| match object.resource.kind.as_str() {
                FIRST => 0,
                LAST => 2,
                _ => 1,
            });
        }
        Ok(Self { by_tenant })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.by_tenant.values().map(Vec::len).sum()
    }
}

/// How many of what is made last there are.
pub async fn stateful_sets(client: &Client) -> Result<usize> {
    let api: Api<StatefulSet> = Api::all(client.clone());
    Ok(api.list_metadata(&ListParams::default()).await?.items.len())
}

/// What was applied of an object, by the record of who owns which field (KEP-555); none if nothing was.
fn applied(object: &DynamicObject, resource: &ApiResource) -> Result<Option<Value>> {
    let whole = serde_json::to_value(object)?;
    let entries = object.metadata.managed_fields.iter().flatten();
    let mut ours = entries.filter(|entry| {
        let by = entry.manager.as_deref().unwrap_or_default();
        entry.operation.as_deref() == Some("Apply") && by.starts_with("pavilion")
    });
    let Some(entry) = ours.next() else {
        return Ok(None);
    };
    let fields = entry
        .fields_v1
        .as_ref()
        .context("an entry without fields")?;
    let mut patch = part(&whole, &fields.0);
    patch["apiVersion"] = json!(resource.api_version);
    patch["kind"] = json!(resource.kind);
    patch["metadata"]["name"] = json!(object.name_any());
    Ok(Some(patch))
}

/// The part of a value that a set of fields names (`FieldsV1`).
fn part(value: &Value, fields: &Value) -> Value {
    let Some(fields) = fields.as_object().filter(|fields| !fields.is_empty()) else {
        return value.clone();
    };
    match value {
        Value::Object(members) => {
            let named = fields.iter().filter_map(|(field, below)| {
                let name = field.strip_prefix("f:")?;
                Some((name.to_owned(), part(members.get(name)?, below)))
            });
            Value::Object(named.collect())
        }
        Value::Array(items) => {
            let named = items.iter().filter_map(|item| {
                let below = fields.iter().find(|(field, _)| names(field, item))?;
                Some(part(item, below.1))
            });
            named.collect()
        }
        other => other.clone(),
    }
}

/// Whether a field of a list (`k:{"name":"x"}`, `v:"x"`) is that item.
fn names(field: &str, item: &Value) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    if let Some(key) = field.strip_prefix("k:").and_then(parsed) {
        let mut members = key.as_object().into_iter().flatten();
        return members.all(|(name, value)| item.get(name) == Some(value));
    }
    field.strip_prefix("v:").and_then(parsed).as_ref() == Some(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_own_is_left_out() {
        let object = json!({
            "metadata": {"labels": {"ours": "1", "theirs": "2"}, "uid": "u", "finalizers": ["a", "b"]},
            "spec": {
                "ports": [{"name": "x", "port": 1, "protocol": "TCP"}, {"name": "y", "port": 2}],
                "empty": {}, "count": 3,
            },
        });
        let fields = json!({
            "f:metadata": {"f:labels": {"f:ours": {}}, "f:finalizers": {"v:\"b\"": {}}},
            "f:spec": {
                "f:ports": {"k:{\"name\":\"x\"}": {".": {}, "f:name": {}, "f:port": {}}},
                "f:empty": {},
            },
        });
        let expected = json!({
            "metadata": {"labels": {"ours": "1"}, "finalizers": ["b"]},
            "spec": {"ports": [{"name": "x", "port": 1}], "empty": {}},
        });
        assert_eq!(part(&object, &fields), expected);
    }
}
