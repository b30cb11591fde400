//! What the operator made is the operator's: nobody else changes it, whatever roles allow.

use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
    core::DynamicObject,
};
use pavilion_e2e_charts::NAMESPACE;
use serde_json::{Value, json};

use crate::{
    callers::{BREAK_GLASS, refusal, user},
    objects::{api, content, merge},
    operator::{Operator, eventually},
    stage::{MALLORY, Stage},
};

/// What somebody may try with what confines a tenant.
fn edits() -> [(&'static str, &'static str, Value); 5] {
    [
        (
            "NetworkPolicy",
            "default-deny",
            json!({"spec": {"policyTypes": ["Ingress"]}}),
        ),
        (
            "NetworkPolicy",
            "from-router",
            json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}}),
        ),
        (
            "ResourceQuota",
            "pavilion",
            json!({"spec": {"hard": {"pods": "1000"}}}),
        ),
        (
            "ServiceAccount",
            "data-plane",
            json!({"automountServiceAccountToken": true}),
        ),
        (
            "ConfigMap",
            "pavilion",
            json!({"data": {"bundle.json": "{}"}}),
        ),
    ]
}

#[tokio::test]
async fn an_edit_of_what_the_operator_made_is_refused_to_everybody_else() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "admission").await;
    let namespace = stage.tenant(&operator, "admission").await;
    let mallory = user(MALLORY, &[]).await;
    for (kind, name, edit) in edits() {
        let api = api(&mallory, kind, Some(&namespace));
        // A NetworkPolicy is guarded by two of them, and either may be the first to say so.
        let said = refusal(kind, merge(&api, name, &edit).await);
        assert!(
            said.contains("ValidatingAdmissionPolicy 'pavilion-"),
            "{said}"
        );
        assert!(said.contains(BREAK_GLASS), "{said}");
        let deleted = api.delete(name, &DeleteParams::default()).await;
        assert!(refusal(kind, deleted).contains("pavilion-managed-objects"));
    }
    // One after the other, not the list as such.
    let policies = api(&mallory, "NetworkPolicy", Some(&namespace));
    let all = ListParams::default();
    refusal(
        "all of them",
        policies
            .delete_collection(&DeleteParams::default(), &all)
            .await,
    );
    assert!(policies.list(&all).await.unwrap().items.len() >= 3);
    // What only looks as if the operator had made it.
    let forged = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "forged", "labels": {"app.kubernetes.io/managed-by": "pavilion-operator"}},
    });
    let forged: DynamicObject = serde_json::from_value(forged).unwrap();
    let maps = api(&mallory, "ConfigMap", Some(&namespace));
    refusal(
        "a forged ConfigMap",
        maps.create(&PostParams::default(), &forged).await,
    );
    assert_eq!(operator.count("objects_changed_total").await, 0);
}

#[tokio::test]
async fn whoever_breaks_the_glass_may_and_the_operator_puts_it_right() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "glass").await;
    let namespace = stage.tenant(&operator, "glass").await;
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    for (kind, name, edit) in edits() {
        let api = api(&rescuer, kind, Some(&namespace));
        let before = api.get(name).await.unwrap();
        merge(&api, name, &edit).await.unwrap();
        eventually(&format!("{kind} {name} is as before"), async || {
            let now = api.get(name).await.unwrap();
            content(&now) == content(&before) && now.labels() == before.labels()
        })
        .await;
    }
    // What lost its label was lost to sight, and made again.
    assert!(operator.count("objects_changed_total").await >= 4);
    assert_eq!(
        operator.count("round_failures_total").await,
        0,
        "{}",
        operator.said()
    );
}

#[tokio::test]
async fn the_api_server_finds_no_fault_in_the_policies() {
    let stage = Stage::set().await;
    let policies = api(&stage.admin, "ValidatingAdmissionPolicy", None);
    let ours = ListParams::default().labels("app.kubernetes.io/name=pavilion");
    eventually("the policies are looked at", async || {
        let found = policies.list(&ours).await.unwrap().items;
        found.len() >= 9
            && found.iter().all(|policy| {
                policy.data["status"]["observedGeneration"] == json!(policy.metadata.generation)
            })
    })
    .await;
    for policy in policies.list(&ours).await.unwrap() {
        let warnings = &policy.data["status"]["typeChecking"]["expressionWarnings"];
        assert!(warnings.is_null(), "{}: {warnings}", policy.name_any());
    }
    // Its own objects are Helm's to change.
    let deployments = api(&stage.admin, "Deployment", Some(NAMESPACE));
    let label = json!({"metadata": {"labels": {"team": "identity"}}});
    merge(&deployments, "pavilion-operator", &label)
        .await
        .unwrap();
}
