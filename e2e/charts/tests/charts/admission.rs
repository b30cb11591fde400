//! What the operator made is the operator's: nobody else changes it, whatever roles allow.

use kube::{
    Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use pavilion_e2e_charts::{Helm, NAMESPACE};
use serde_json::{Value, json};

use crate::{
    callers::{BREAK_GLASS, refusal, user},
    objects::api,
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

async fn merge(
    api: &kube::Api<DynamicObject>,
    name: &str,
    patch: &Value,
) -> Result<DynamicObject, kube::Error> {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
}

#[tokio::test]
async fn an_edit_of_what_the_operator_made_is_refused_to_everybody_else() {
    let [_, helm] = Helm::both().unwrap();
    let stage = Stage::set(helm).await;
    let operator = Operator::leading(&stage.admin, "admission").await;
    let namespace = stage.tenant(&operator, "admission").await;
    let mallory = user(MALLORY, &[]).await;
    for (kind, name, edit) in edits() {
        let api = api(&mallory, kind, Some(&namespace));
        let said = refusal(kind, merge(&api, name, &edit).await);
        assert!(
            said.contains("pavilion-managed-objects") && said.contains(BREAK_GLASS),
            "{said}"
        );
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
    let [helm, _] = Helm::both().unwrap();
    let stage = Stage::set(helm).await;
    let operator = Operator::leading(&stage.admin, "glass").await;
    let namespace = stage.tenant(&operator, "glass").await;
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    for (kind, name, edit) in edits() {
        let api = api(&rescuer, kind, Some(&namespace));
        let before = api.get(name).await.unwrap();
        merge(&api, name, &edit).await.unwrap();
        eventually(&format!("{kind} {name} is as before"), async || {
            let now = api.get(name).await.unwrap();
            now.data["spec"] == before.data["spec"]
                && now.data["data"] == before.data["data"]
                && now.labels() == before.labels()
        })
        .await;
    }
    assert!(operator.count("objects_changed_total").await >= 5);
    assert_eq!(
        operator.count("round_failures_total").await,
        0,
        "{}",
        operator.said()
    );
}

#[tokio::test]
async fn the_namespace_of_a_tenant_keeps_its_labels_and_goes_only_when_it_is_named_twice() {
    let [_, helm] = Helm::both().unwrap();
    let stage = Stage::set(helm).await;
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
    let [helm, _] = Helm::both().unwrap();
    let stage = Stage::set(helm).await;
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
    let [_, helm] = Helm::both().unwrap();
    let stage = Stage::set(helm).await;
    let operator = Operator::leading(&stage.admin, "closed").await;
    let namespace = stage.tenant(&operator, "closed").await;
    let mallory = user(MALLORY, &[]).await;
    let pod = json!({
        "metadata": {"name": "spy"},
        "spec": {
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "spy", "image": "none",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    let pod: DynamicObject = serde_json::from_value(pod).unwrap();
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

#[tokio::test]
async fn the_api_server_finds_no_fault_in_the_policies() {
    let [helm, _] = Helm::both().unwrap();
    let stage = Stage::set(helm).await;
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
