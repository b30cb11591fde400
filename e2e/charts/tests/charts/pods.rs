//! The pods of tenants: what they run and how they are labelled is the operator's to say, and not even the
//! operator changes more of one than an annotation.

use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::{
    callers::{BREAK_GLASS, by, refusal, user},
    objects::{api, merge, pod},
    operator::Operator,
    stage::{MALLORY, Stage},
};

fn annotation(name: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {name: value}}})
}

/// Would end the pod; of its spec few fields can be changed at all.
fn deadline() -> Value {
    json!({"spec": {"activeDeadlineSeconds": 1}})
}

#[tokio::test]
async fn a_tenants_pod_is_changed_by_nobody_and_annotated_by_the_operator() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "pods").await;
    let namespace = stage.tenant(&operator, "pods").await;
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    let rescuers = api(&rescuer, "Pod", Some(&namespace));
    let labels = json!({
        "app.kubernetes.io/managed-by": "pavilion-operator", "pavilion.dev/tenant": "pods",
    });
    let one = pod("one", labels);
    rescuers.create(&PostParams::default(), &one).await.unwrap();

    let mallory = user(MALLORY, &[]).await;
    let mallorys = api(&mallory, "Pod", Some(&namespace));
    for edit in [
        deadline(),
        json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}}),
        json!({"metadata": {"labels": {"app.kubernetes.io/component": "data-plane"}}}),
        annotation("pavilion.dev/bundle", "sha-256:0"),
    ] {
        let said = refusal(&edit.to_string(), merge(&mallorys, "one", &edit).await);
        assert!(said.contains("pavilion-managed-pods"), "{said}");
    }
    let deleted = mallorys.delete("one", &DeleteParams::default()).await;
    assert!(refusal("deleting", deleted).contains("pavilion-managed-pods"));
    // As network plugins do.
    merge(
        &mallorys,
        "one",
        &annotation("network.example/address", "10.0.0.1"),
    )
    .await
    .unwrap();

    let account = by(&operator.kubeconfig()).await;
    let operators = api(&account, "Pod", Some(&namespace));
    merge(
        &operators,
        "one",
        &annotation("pavilion.dev/bundle", "sha-256:1"),
    )
    .await
    .unwrap();
    let said = refusal("a deadline", merge(&operators, "one", &deadline()).await);
    assert!(said.contains("pavilion-operator-pods"), "{said}");

    rescuers
        .delete("one", &DeleteParams::default())
        .await
        .unwrap();
}
