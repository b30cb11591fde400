//! What a tenant that is new costs, and that one from before is never taken for new.

use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    between::Between,
    stage::{Stage, eventually},
};

/// Kinds in a tenant's own namespace.
const KINDS: [&str; 7] = [
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StatefulSet",
];

#[tokio::test]
async fn a_new_tenant_is_asked_for_once() {
    let stage = Stage::set().await;
    let way = Between::open(&stage.client).await;
    let operator = stage.operator_by(&way, "one");
    operator.until_ready().await;
    let tenant = stage.confined("acme").await;
    operator.rest().await;
    let asked = format!("/api/v1/namespaces/pavilion-{tenant}");
    assert_eq!(way.reads_of(&tenant), [asked]);
}

#[tokio::test]
async fn a_tenant_from_before_keeps_its_keys_also_when_somebody_took_every_mark_of_ours_away() {
    let stage = Stage::set().await;
    let mut operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    operator.rest().await;
    operator.signal(Signal::TERM);
    assert_eq!(operator.code().await, Some(0));
    let keys = keys(&stage, &tenant).await;
    let released = json!({"metadata": {"finalizers": null}});
    let released = Patch::Merge(&released);
    let params = PatchParams::default();
    let namespace = format!("pavilion-{tenant}");
    let tenants = stage.api("Tenant", None);
    tenants.patch(&tenant, &params, &released).await.unwrap();
    let unmarked = json!({"metadata": {"labels": null}});
    let unmarked = Patch::Merge(&unmarked);
    let beside = stage.api("Secret", Some(&stage.namespace));
    let keyring = format!("tenant-{tenant}");
    beside.patch(&keyring, &params, &unmarked).await.unwrap();
    for kind in KINDS {
        let api = stage.api(kind, Some(&namespace));
        for object in api.list(&ListParams::default()).await.unwrap() {
            let name = object.name_any();
            api.patch(&name, &params, &unmarked).await.unwrap();
        }
    }
    let namespaces = stage.api("Namespace", None);
    let ours =
        ["pavilion.dev/tenant", "app.kubernetes.io/managed-by"].map(|label| (label, Value::Null));
    let ours = json!({"metadata": {"labels": std::collections::BTreeMap::from(ours)}});
    let ours = Patch::Merge(&ours);
    namespaces.patch(&namespace, &params, &ours).await.unwrap();

    let second = stage.operator("two").await;
    eventually("the marks are there again", async || {
        let found = beside.get(&keyring).await.unwrap();
        found.labels().contains_key("pavilion.dev/tenant")
    })
    .await;
    second.rest().await;
    assert_eq!(self::keys(&stage, &tenant).await, keys);
}

/// What is in the two Secrets of a tenant.
async fn keys(stage: &Stage, tenant: &str) -> [Value; 2] {
    let data = async |namespace: &str, name: &str| {
        let api = stage.api("Secret", Some(namespace));
        api.get(name).await.unwrap().data["data"].clone()
    };
    [
        data(&stage.namespace, &format!("tenant-{tenant}")).await,
        data(&format!("pavilion-{tenant}"), "pavilion").await,
    ]
}
