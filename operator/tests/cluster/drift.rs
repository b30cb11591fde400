//! What somebody changes is put right, and what is right is left alone.

use kube::{
    api::{Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use serde_json::{Value, json};

use crate::stage::{REGION, Stage, delete, eventually};

/// What is in an object, without what the cluster counts in it.
fn content(object: &DynamicObject) -> Value {
    let mut data = object.data.clone();
    if let Some(fields) = data.as_object_mut() {
        fields.remove("status");
    }
    data
}

#[tokio::test]
async fn whatever_somebody_edits_or_deletes_of_a_tenants_objects_is_put_right() {
    let stage = Stage::set().await;
    let operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    let namespace = format!("pavilion-{tenant}");
    let edits = [
        (
            "Namespace",
            None,
            namespace.as_str(),
            json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}),
        ),
        (
            "NetworkPolicy",
            Some(namespace.as_str()),
            "default-deny",
            json!({"spec": {"policyTypes": ["Ingress"]}}),
        ),
        (
            "ResourceQuota",
            Some(namespace.as_str()),
            "pavilion",
            json!({"spec": {"hard": {"pods": "1000"}}}),
        ),
        (
            "LimitRange",
            Some(namespace.as_str()),
            "pavilion",
            json!({"spec": {"limits": [{"type": "Container"}]}}),
        ),
        (
            "ServiceAccount",
            Some(namespace.as_str()),
            "data-plane",
            json!({"automountServiceAccountToken": null}),
        ),
        (
            "ConfigMap",
            Some(namespace.as_str()),
            "pavilion",
            json!({"data": {"bundle.json": null}}),
        ),
        // Out of our sight, as its author may hope.
        (
            "Namespace",
            None,
            namespace.as_str(),
            json!({"metadata": {"labels": {
                "app.kubernetes.io/managed-by": null, "pavilion.dev/tenant": null,
                "pod-security.kubernetes.io/enforce": "privileged",
            }}}),
        ),
        (
            "NetworkPolicy",
            Some(namespace.as_str()),
            "from-router",
            json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}, "spec": {"ingress": [{}]}}),
        ),
    ];
    for (kind, place, name, edit) in edits {
        let api = stage.api(kind, place);
        let before = api.get(name).await.unwrap();
        api.patch(name, &PatchParams::default(), &Patch::Merge(&edit))
            .await
            .unwrap();
        eventually(&format!("{kind} {name} is as before"), async || {
            let now = api.get(name).await.unwrap();
            content(&now) == content(&before) && now.metadata.labels == before.metadata.labels
        })
        .await;
    }
    for (kind, name) in [
        ("NetworkPolicy", "default-deny"),
        ("ConfigMap", "pavilion"),
        ("ServiceAccount", "data-plane"),
    ] {
        let api = stage.api(kind, Some(&namespace));
        let before = api.get(name).await.unwrap();
        delete(&api, name).await;
        eventually(&format!("{kind} {name} is there again"), async || {
            let now = api.get_opt(name).await.unwrap();
            now.is_some_and(|now| {
                content(&now) == content(&before) && now.metadata.uid != before.metadata.uid
            })
        })
        .await;
    }
    assert!(operator.count("objects_changed_total").await >= 6);
}

#[tokio::test]
async fn what_others_add_beside_ours_is_left_alone() {
    let stage = Stage::set().await;
    let operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    stage.until_counted(1).await;
    operator.rest().await;
    let objects = operator.object_writes().await;
    let statuses = operator.status_writes().await;
    let namespace = stage.api("Namespace", None);
    let name = format!("pavilion-{tenant}");
    let edit =
        json!({"metadata": {"labels": {"team": "identity"}, "annotations": {"cost-centre": "7"}}});
    namespace
        .patch(&name, &PatchParams::default(), &Patch::Merge(&edit))
        .await
        .unwrap();
    // A later change has been seen through; so has the edit.
    stage
        .apply_tenant(&tenant, REGION, &format!("other.{tenant}.example"))
        .await;
    eventually("the change is in force", async || {
        let map = stage
            .api("ConfigMap", Some(&name))
            .get("pavilion")
            .await
            .unwrap();
        let bundle: Value =
            serde_json::from_str(map.data["data"]["bundle.json"].as_str().unwrap()).unwrap();
        bundle["hosts"] == json!([format!("other.{tenant}.example")])
    })
    .await;
    let found = namespace.get(&name).await.unwrap();
    assert_eq!(found.metadata.labels.unwrap()["team"], "identity");
    eventually("the status follows", async || {
        operator.status_writes().await > statuses
    })
    .await;
    operator.rest().await;
    assert_eq!(
        operator.object_writes().await,
        objects + 2,
        "the tenant's certificate and the ConfigMap"
    );
}

#[tokio::test]
async fn what_others_call_ours_in_namespaces_of_their_own_is_left_alone_and_keeps_no_tenant_back() {
    let stage = Stage::set().await;
    let operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    let theirs = format!("theirs-{}", stage.mark);
    stage.namespace_with(&theirs, json!({})).await;
    let labels =
        json!({"app.kubernetes.io/managed-by": "pavilion-operator", "pavilion.dev/tenant": tenant});
    let named = json!({"metadata": {"name": "like-ours", "labels": labels}});
    let maps = stage.api("ConfigMap", Some(&theirs));
    let object: DynamicObject = serde_json::from_value(named).unwrap();
    maps.create(&PostParams::default(), &object).await.unwrap();
    operator.rest().await;
    stage
        .apply_tenant(&tenant, REGION, &format!("other.{tenant}.example"))
        .await;
    let generation = stage.api("Tenant", None).get(&tenant).await.unwrap();
    let generation = generation.metadata.generation;
    eventually("the change was seen through", async || {
        let found = stage.api("Tenant", None).get(&tenant).await.unwrap();
        found.data["status"]["observedGeneration"] == json!(generation)
    })
    .await;
    operator.rest().await;
    assert!(maps.get_opt("like-ours").await.unwrap().is_some());
    assert_eq!(operator.count("objects_deleted_total").await, 0);
    assert_eq!(operator.count("round_failures_total").await, 0);
}

#[tokio::test]
async fn an_operator_that_starts_again_writes_nothing_when_all_is_as_it_is_to_be() {
    let stage = Stage::set().await;
    let tenants: Vec<String> = (0..20).map(|n| stage.tenant(&format!("t{n}"))).collect();
    let mut first = stage.operator("one").await;
    for tenant in &tenants {
        stage
            .apply_tenant(tenant, REGION, &format!("{tenant}.example"))
            .await;
    }
    for tenant in &tenants {
        stage
            .until(tenant, "IsolationApplied", "True IsolationApplied")
            .await;
    }
    assert!(first.count("objects_made_total").await >= 20 * 7);
    stage.until_counted(20).await;
    first.rest().await;
    first.signal(rustix::process::Signal::TERM);
    assert_eq!(first.code().await, Some(0));

    let second = stage.operator("two").await;
    eventually("every tenant was looked at", async || {
        second.count("rounds_total").await >= 20
    })
    .await;
    second.rest().await;
    assert_eq!(second.object_writes().await, 0);
    // A pod or two may have come to another state meanwhile, but not the pods of all.
    let statuses = second.status_writes().await;
    assert!(statuses < tenants.len() as u64 / 2, "{statuses}");
    assert_eq!(second.count("round_failures_total").await, 0);
}
