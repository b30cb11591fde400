//! A look at a tenant that fails after some of it was written.

use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    between::Between,
    stage::{Operator, REGION, Stage, delete, eventually, host},
};

/// An operator that may do everything but tell a tenant how it is, which is what it does last.
async fn half_way(stage: &Stage, name: &str) -> (Between, Operator, String) {
    let way = Between::open(&stage.client).await;
    let operator = stage.operator_by(&way, "one");
    operator.until_ready().await;
    let tenant = stage.confined(name).await;
    operator.rest().await;
    let status = format!("/tenants/{tenant}/status");
    way.forbid(move |what| what.ends_with(&status));
    (way, operator, tenant)
}

/// What the verifier of a tenant is given to serve.
async fn bundle(stage: &Stage, tenant: &str) -> Value {
    let maps = stage.api("ConfigMap", Some(&format!("pavilion-{tenant}")));
    let found = maps.get("pavilion").await.unwrap();
    serde_json::from_str(found.data["data"]["bundle.json"].as_str().unwrap()).unwrap()
}

/// Waits until one more look has failed.
async fn fails_on(operator: &Operator) {
    let failed = operator.count("round_failures_total").await;
    eventually("it fails again", async || {
        operator.count("round_failures_total").await > failed
    })
    .await;
}

#[tokio::test]
async fn no_version_is_given_out_twice_although_what_follows_it_fails() {
    let stage = Stage::set().await;
    let (way, operator, tenant) = half_way(&stage, "acme").await;
    let mut version = bundle(&stage, &tenant).await["version"].as_u64().unwrap();
    let secret = format!("tenant-{tenant}");
    let secrets = stage.api("Secret", Some(&stage.namespace));
    // The last is an edit that is taken back.
    for edit in ["one", "other", "one"] {
        let host = format!("{edit}.{}", host(&tenant));
        stage.apply_tenant(&tenant, REGION, &host).await;
        eventually("the edit is in force", async || {
            bundle(&stage, &tenant).await["hosts"] == json!([host])
        })
        .await;
        let now = bundle(&stage, &tenant).await["version"].as_u64().unwrap();
        assert!(now > version, "version {now} after {version}");
        version = now;
        let keys = secrets.get(&secret).await.unwrap();
        fails_on(&operator).await;
        let after = secrets.get(&secret).await.unwrap();
        assert_eq!(after.resource_version(), keys.resource_version());
    }
    way.allow();
    let tenants = stage.api("Tenant", None);
    eventually("the tenant is told", async || {
        let found = tenants.get(&tenant).await.unwrap();
        found.data["status"]["observedGeneration"] == json!(found.metadata.generation)
    })
    .await;
    assert_eq!(bundle(&stage, &tenant).await["version"], version);
}

#[tokio::test]
async fn a_tenant_hibernates_although_it_cannot_be_told_so() {
    let stage = Stage::set().await;
    let (_way, _operator, tenant) = half_way(&stage, "acme").await;
    let hibernating = Patch::Merge(json!({"spec": {"hibernate": true}}));
    let tenants = stage.api("Tenant", None);
    let params = PatchParams::default();
    tenants.patch(&tenant, &params, &hibernating).await.unwrap();
    let sets = stage.api("StatefulSet", Some(&format!("pavilion-{tenant}")));
    eventually("its programs stop", async || {
        sets.get("data-plane").await.unwrap().data["spec"]["replicas"] == 0
    })
    .await;
}

/// Gives a tenant another host and breaks it once that is in force: nothing of it can be made anew from what its owner says
/// then. What its verifier is given to serve.
async fn edited_and_broken(stage: &Stage, operator: &Operator, tenant: &str) -> Value {
    let other = format!("other.{}", host(tenant));
    stage.apply_tenant(tenant, REGION, &other).await;
    eventually("the edit is in force", async || {
        bundle(stage, tenant).await["hosts"] == json!([other])
    })
    .await;
    let before = bundle(stage, tenant).await;
    let broken = Patch::Merge(json!({"spec": {"plan": "none"}}));
    let tenants = stage.api("Tenant", None);
    let params = PatchParams::default();
    tenants.patch(tenant, &params, &broken).await.unwrap();
    fails_on(operator).await;
    before
}

#[tokio::test]
async fn what_somebody_deletes_while_looks_fail_is_made_again_as_it_was() {
    let stage = Stage::set().await;
    let (way, operator, tenant) = half_way(&stage, "acme").await;
    let before = edited_and_broken(&stage, &operator, &tenant).await;
    let namespace = format!("pavilion-{tenant}");
    let maps = stage.api("ConfigMap", Some(&namespace));
    let of_tenant = format!("/namespaces/{namespace}/");
    way.forbid(move |what| what.starts_with("PATCH ") && what.contains(&of_tenant));
    delete(&maps, "pavilion").await;
    fails_on(&operator).await;
    way.allow();
    is_again(&stage, &tenant, &before).await;
}

#[tokio::test]
async fn what_was_written_is_made_again_as_it_was_although_it_was_never_read_back() {
    let stage = Stage::set().await;
    let (way, operator, tenant) = half_way(&stage, "acme").await;
    let namespace = format!("pavilion-{tenant}");
    let status = format!("/tenants/{tenant}/status");
    let read = format!("GET /api/v1/namespaces/{namespace}/configmaps/pavilion");
    way.forbid(move |what| what.ends_with(&status) || what == read);
    let before = edited_and_broken(&stage, &operator, &tenant).await;
    delete(&stage.api("ConfigMap", Some(&namespace)), "pavilion").await;
    way.allow();
    is_again(&stage, &tenant, &before).await;
}

/// Waits until the verifier of a tenant is given something to serve, which is to be this.
async fn is_again(stage: &Stage, tenant: &str, before: &Value) {
    let maps = stage.api("ConfigMap", Some(&format!("pavilion-{tenant}")));
    eventually("it is there again", async || {
        maps.get_opt("pavilion").await.unwrap().is_some()
    })
    .await;
    assert_eq!(bundle(stage, tenant).await, *before);
}
