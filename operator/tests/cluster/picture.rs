//! All that there is of a tenant, without what differs from one tenant to the next.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{ResourceExt, api::ListParams, core::DynamicObject};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Kinds in the tenant's own namespace.
const KINDS: [&str; 6] = [
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "ServiceAccount",
    "ConfigMap",
    "StatefulSet",
];

/// Everything that was made for a tenant, by kind and name: who wrote which fields, and of what has no secrets what it
/// says; and the conditions and finalizers of the Tenant.
pub async fn picture(stage: &Stage, tenant: &str) -> BTreeMap<String, String> {
    let namespace = format!("pavilion-{tenant}");
    let mut found = BTreeMap::new();
    let mut add = |kind: &str, object: DynamicObject| {
        // Made by the cluster itself.
        if object.managed_fields().iter().any(is_ours) {
            let name = format!("{kind} {}", object.name_any()).replace(tenant, "TENANT");
            found.insert(name, drawn(kind, object).replace(tenant, "TENANT"));
        }
    };
    if let Some(object) = stage
        .api("Namespace", None)
        .get_opt(&namespace)
        .await
        .unwrap()
    {
        add("Namespace", object);
    }
    for kind in KINDS {
        let api = stage.api(kind, Some(&namespace));
        for object in api.list(&ListParams::default()).await.unwrap() {
            add(kind, object);
        }
    }
    for namespace in [&namespace, &stage.namespace] {
        let api = stage.api("Secret", Some(namespace));
        let of_tenant = ListParams::default().labels(&format!("pavilion.dev/tenant={tenant}"));
        for object in api.list(&of_tenant).await.unwrap() {
            add("Secret", object);
        }
    }
    if let Some(object) = stage.api("Tenant", None).get_opt(tenant).await.unwrap() {
        add("Tenant", object);
    }
    found
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    let manager = entry.manager.as_deref();
    manager.is_some_and(|name| name.starts_with("pavilion"))
}

fn drawn(kind: &str, object: DynamicObject) -> String {
    let managed = object.managed_fields().iter();
    let ours = managed.filter(|entry| is_ours(entry) && entry.subresource.is_none());
    let mut managers: Vec<_> = ours
        .map(|entry| json!([entry.manager, entry.fields_v1]).to_string())
        .collect();
    managers.sort();
    let metadata = &object.metadata;
    let says = match kind {
        // Keys and certificates, and their digests.
        "Secret" | "ConfigMap" | "StatefulSet" => Value::Null,
        "Tenant" => json!({
            "finalizers": metadata.finalizers,
            "conditions": conditions(&object.data["status"]["conditions"]),
            "current": object.data["status"]["observedGeneration"] == json!(metadata.generation),
        }),
        _ => object.data["spec"].clone(),
    };
    let own = json!({"labels": metadata.labels, "deleted": metadata.deletion_timestamp.is_some()});
    json!({"managers": managers, "own": own, "says": says}).to_string()
}

/// Types, statuses and reasons of what follows from the operator's own work.
fn conditions(conditions: &Value) -> Vec<[Value; 3]> {
    let steady = ["Accepted", "Placed", "IsolationApplied"];
    let all = conditions.as_array().into_iter().flatten();
    all.filter(|one| steady.iter().any(|type_| one["type"] == *type_))
        .map(|one| {
            [
                one["type"].clone(),
                one["status"].clone(),
                one["reason"].clone(),
            ]
        })
        .collect()
}
