//! A tenant whose owner wants no requests answered, and one that is let go.

use k8s_openapi::{
    ByteString,
    api::{apps::v1::StatefulSet, core::v1::Secret},
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::stage::{Stage, delete, eventually, host};

/// What the edge is told of a tenant.
async fn route(stage: &Stage, tenant: &str) -> Value {
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let found = secrets.get(&format!("tenant-{tenant}")).await.unwrap();
    let ByteString(text) = &found.data.unwrap()["route.json"];
    serde_json::from_slice(text).unwrap()
}

/// How many pods a tenant is to have.
async fn replicas(stage: &Stage, tenant: &str) -> Option<i32> {
    let namespace = format!("pavilion-{tenant}");
    let sets: Api<StatefulSet> = Api::namespaced(stage.client.clone(), &namespace);
    sets.get("data-plane").await.unwrap().spec.unwrap().replicas
}

#[tokio::test]
async fn a_suspended_tenant_is_closed_and_one_that_hibernates_is_stopped_too() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    let keys = route(&stage, &tenant).await["certificate"].clone();
    let steps = [
        (true, false, json!("tenant_suspended"), 1, "Suspended"),
        (true, true, json!("tenant_suspended"), 0, "Suspended"),
        (false, true, json!("tenant_hibernated"), 0, "Hibernated"),
        (false, false, Value::Null, 1, "DataPlaneUnavailable"),
    ];
    for (suspend, hibernate, closed, pods, ready) in steps {
        let spec = json!({"spec": {"suspend": suspend, "hibernate": hibernate}});
        let tenants = stage.api("Tenant", None);
        let (params, patch) = (PatchParams::default(), Patch::Merge(&spec));
        tenants.patch(&tenant, &params, &patch).await.unwrap();
        eventually(&format!("{spec} is carried out"), async || {
            route(&stage, &tenant).await["closed"] == closed
                && replicas(&stage, &tenant).await == Some(pods)
        })
        .await;
        stage
            .until(&tenant, "Ready", &format!("False {ready}"))
            .await;
        let route = route(&stage, &tenant).await;
        assert_eq!(route["hosts"], json!([host(&tenant)]));
        assert_eq!(route["certificate"], keys, "nothing is made anew");
    }
}

#[tokio::test]
async fn a_tenant_that_is_let_go_keeps_its_keys_and_not_its_hosts() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    let keys = route(&stage, &tenant).await["certificate"].clone();
    let tenants = stage.api("Tenant", None);
    delete(&tenants, &tenant).await;
    eventually("the tenant is gone", async || {
        tenants.get_opt(&tenant).await.unwrap().is_none()
    })
    .await;
    let route = route(&stage, &tenant).await;
    assert_eq!(route["closed"], "tenant_terminating");
    assert_eq!(route["hosts"], json!([]), "they are anybody's");
    assert_eq!(route["certificate"], keys);
    assert_eq!(replicas(&stage, &tenant).await, Some(0));
}
