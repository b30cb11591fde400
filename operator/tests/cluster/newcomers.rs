//! What a tenant that is new costs, and that one from before is never taken for new.

use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    between::Between,
    stage::{REGION, Stage, delete, eventually, host},
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

#[tokio::test]
async fn a_tenant_under_the_name_of_one_whose_keys_were_destroyed_gets_none_of_them() {
    let stage = Stage::set().await;
    let way = Between::open(&stage.client).await;
    let operator = stage.operator_by(&way, "one");
    operator.until_ready().await;
    for heard in [false, true] {
        let tenant = stage.confined(&format!("acme-{heard}")).await;
        operator.rest().await;
        let before = keys(&stage, &tenant).await;
        // Whoever looks after the cluster forces it out, as the guide says, and destroys what is left.
        way.keep_quiet(true);
        force_out(&stage, &tenant).await;
        if heard {
            way.keep_quiet(false);
            eventually("it has heard of that", async || {
                operator.count("tenant_isolation").await == 1
            })
            .await;
        }
        stage.apply_tenant(&tenant, REGION, &host(&tenant)).await;
        way.keep_quiet(false);
        let namespace = format!("pavilion-{tenant}");
        eventually("the next one is confined", async || {
            let set = stage.api("StatefulSet", Some(&namespace));
            set.get_opt("data-plane").await.unwrap().is_some()
        })
        .await;
        stage
            .until(&tenant, "IsolationApplied", "True IsolationApplied")
            .await;
        for (before, now) in before.iter().zip(keys(&stage, &tenant).await) {
            let before = before.as_object().unwrap();
            for (entry, before) in before {
                let same = now.get(entry) == Some(before);
                assert!(!same || entry == "route.json", "{entry} is as before");
            }
        }
    }
}

/// Takes a Tenant away with all that was made for it, without its operator.
async fn force_out(stage: &Stage, tenant: &str) {
    let unmarked = json!({"metadata": {"finalizers": null}});
    let unmarked = Patch::Merge(&unmarked);
    let tenants = stage.api("Tenant", None);
    let params = PatchParams::default();
    tenants.patch(tenant, &params, &unmarked).await.unwrap();
    delete(&tenants, tenant).await;
    let namespaces = stage.api("Namespace", None);
    let namespace = format!("pavilion-{tenant}");
    delete(&namespaces, &namespace).await;
    let secrets = stage.api("Secret", Some(&stage.namespace));
    delete(&secrets, &format!("tenant-{tenant}")).await;
    eventually("its namespace is gone", async || {
        namespaces.get_opt(&namespace).await.unwrap().is_none()
    })
    .await;
}

#[tokio::test]
async fn nothing_is_made_for_a_tenant_that_was_deleted_before_it_was_marked() {
    let stage = Stage::set().await;
    let way = Between::open(&stage.client).await;
    let operator = stage.operator_by(&way, "one");
    operator.until_ready().await;
    let tenant = stage.tenant("acme");
    let mark = format!("/tenants/{tenant}");
    way.forbid(move |what| what.ends_with(&mark));
    stage.apply_tenant(&tenant, REGION, &host(&tenant)).await;
    stage
        .until(&tenant, "IsolationApplied", "False ApiRefused")
        .await;
    way.keep_quiet(true);
    delete(&stage.api("Tenant", None), &tenant).await;
    way.allow();
    let rounds = operator.count("rounds_total").await;
    eventually("it has looked once more", async || {
        operator.count("rounds_total").await > rounds
    })
    .await;
    operator.rest().await;
    way.keep_quiet(false);
    operator.rest().await;
    let namespaces = stage.api("Namespace", None);
    let made = namespaces.get_opt(&format!("pavilion-{tenant}")).await;
    assert!(made.unwrap().is_none());
    assert_eq!(operator.object_writes().await, 0);
    assert_eq!(operator.count("tenant_isolation").await, 0);
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
