//! The namespace of a tenant stays as the operator made it: confined, closed, and there.

use kube::{
    Client,
    api::{DeleteParams, PostParams},
    core::DynamicObject,
};
use serde_json::{Value, json};

use crate::{
    callers::{BREAK_GLASS, refusal, user},
    objects::{api, merge, pod},
    operator::{Operator, eventually},
    stage::{MALLORY, Stage},
};

#[tokio::test]
async fn the_namespace_of_a_tenant_keeps_its_labels_and_goes_only_when_it_is_named_twice() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "namespaces").await;
    let namespace = stage.tenant(&operator, "namespaces").await;
    let mallory = user(MALLORY, &[]).await;
    let namespaces = api(&mallory, "Namespace", None);
    let labels = |labels: Value| json!({"metadata": {"labels": labels}});
    for edit in [
        json!({"pod-security.kubernetes.io/enforce": "privileged"}),
        json!({"pod-security.kubernetes.io/warn": null}),
        json!({"app.kubernetes.io/managed-by": null}),
        json!({"pavilion.dev/tenant": "another"}),
        json!({"app.kubernetes.io/managed-by": null, "pavilion.dev/tenant": null, "pod-security.kubernetes.io/enforce": null}),
    ] {
        let said = refusal(
            "labels",
            merge(&namespaces, &namespace, &labels(edit)).await,
        );
        assert!(said.contains("pavilion-tenant-namespaces"), "{said}");
    }
    // What others add is theirs.
    merge(
        &namespaces,
        &namespace,
        &labels(json!({"team": "identity"})),
    )
    .await
    .unwrap();

    let params = DeleteParams::default();
    let said = refusal("deleting", namespaces.delete(&namespace, &params).await);
    let confirmed = format!("pavilion.dev/confirm-deletion={namespace}");
    assert!(said.contains(&confirmed), "{said}");
    operator.stop().await;
    let annotation =
        json!({"metadata": {"annotations": {"pavilion.dev/confirm-deletion": namespace}}});
    merge(&namespaces, &namespace, &annotation).await.unwrap();
    namespaces.delete(&namespace, &params).await.unwrap();
    eventually(
        "the namespace is gone with all that the policies protect",
        async || namespaces.get_opt(&namespace).await.unwrap().is_none(),
    )
    .await;
}

/// A policy for one more way out or in.
fn policy(spec: Value) -> DynamicObject {
    let object = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "own"}, "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

#[tokio::test]
async fn a_tenants_own_network_policy_opens_nothing_but_single_networks_outside() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "network").await;
    let namespace = stage.tenant(&operator, "network").await;
    let mallory = user(MALLORY, &[]).await;
    let to =
        |cidr: &str| json!({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": cidr}}]}]});
    let opening = [
        json!({"podSelector": {}, "ingress": [{}]}),
        json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}),
        json!({"podSelector": {}, "egress": [{}]}),
        json!({"podSelector": {}, "egress": [{"ports": [{"port": 443}]}]}),
        json!({"podSelector": {}, "egress": [{"to": [{"namespaceSelector": {}}]}]}),
        json!({"podSelector": {}, "egress": [{"to": [{"podSelector": {}}]}]}),
        to("0.0.0.0/0"),
        to("10.0.0.0/8"),
        to("::/0"),
        to("169.254.169.254/32"),
        to("169.254.169.0/24"),
        to("fe80::1/128"),
    ];
    let policies = api(&mallory, "NetworkPolicy", Some(&namespace));
    for spec in opening {
        let made = policies
            .create(&PostParams::default(), &policy(spec.clone()))
            .await;
        let said = refusal(&spec.to_string(), made);
        assert!(said.contains("pavilion-network-policies"), "{said}");
    }
    for spec in [
        to("10.1.2.3/32"),
        to("203.0.113.0/24"),
        to("2001:db8::/64"),
        json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
    ] {
        policies
            .create(&PostParams::default(), &policy(spec))
            .await
            .unwrap();
        policies
            .delete("own", &DeleteParams::default())
            .await
            .unwrap();
    }
    // Elsewhere it is no business of ours.
    let elsewhere = api(&mallory, "NetworkPolicy", Some("default"));
    let open = policy(json!({"podSelector": {}, "ingress": [{}]}));
    elsewhere
        .create(&PostParams::default(), &open)
        .await
        .unwrap();
    elsewhere
        .delete("own", &DeleteParams::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn nothing_runs_in_the_namespace_of_a_tenant_but_what_the_operator_put_there() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "closed").await;
    let namespace = stage.tenant(&operator, "closed").await;
    let mallory = user(MALLORY, &[]).await;
    let pod = pod("spy", json!({}));
    let made = create_pod(&mallory, &namespace, &pod).await;
    assert!(refusal("a pod", made).contains("pavilion-closed-namespaces"));
    let labels = json!({"app": "spy"});
    let mut template = serde_json::to_value(&pod).unwrap();
    template["metadata"] = json!({"labels": labels});
    let deployment = json!({
        "metadata": {"name": "spy"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    });
    let deployment: DynamicObject = serde_json::from_value(deployment).unwrap();
    let deployments = api(&mallory, "Deployment", Some(&namespace));
    let made = deployments
        .create(&PostParams::default(), &deployment)
        .await;
    assert!(refusal("a Deployment", made).contains("pavilion-closed-namespaces"));
    // In an emergency, a pod to look with.
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    create_pod(&rescuer, &namespace, &pod).await.unwrap();
}

async fn create_pod(
    client: &Client,
    namespace: &str,
    pod: &DynamicObject,
) -> Result<DynamicObject, kube::Error> {
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    api(client, "Pod", Some(namespace))
        .create(&params, pod)
        .await
}
