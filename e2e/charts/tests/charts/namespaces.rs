//! The namespace of a tenant stays as the operator made it: confined, closed, and there.

use kube::{
    Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use serde_json::{Value, json};

use crate::{
    callers::{BREAK_GLASS, refusal, user},
    objects::{api, merge, pod},
    operator::{Operator, eventually},
    stage::{LABEL, MALLORY, Stage},
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
        to("fd00:ec2::254/128"),
        to("fd00:ec2::/64"),
        to("100.100.100.0/24"),
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
    let said = refusal("a pod", made);
    assert!(said.contains("pavilion-closed-namespaces"), "{said}");
    assert!(said.contains("pods: what runs in the namespace"), "{said}");
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
    let said = refusal("a Deployment", made);
    assert!(said.contains("deployments: what runs in"), "{said}");
    let three = json!({"spec": {"replicas": 3}});
    let sets = api(&mallory, "StatefulSet", Some(&namespace));
    let (params, three) = (PatchParams::default(), Patch::Merge(&three));
    let scaled = sets.patch_scale("data-plane", &params, &three).await;
    let said = refusal("scaling", scaled);
    assert!(said.contains("statefulsets/scale: what runs in"), "{said}");
    // In an emergency, a pod to look with.
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    create_pod(&rescuer, &namespace, &pod).await.unwrap();
}

#[tokio::test]
async fn what_was_in_a_namespace_before_it_became_a_tenants_starts_nothing_there() {
    let stage = Stage::set().await;
    let labels = json!({LABEL: "true", "pavilion.dev/tenant": "before"});
    let namespace = "pavilion-before";
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
    stage.apply("Namespace", None, namespace, object).await;
    let mallory = user(MALLORY, &[]).await;
    let mut template = serde_json::to_value(pod("spy", json!({}))).unwrap();
    let labels = json!({"app": "spy"});
    template["metadata"] = json!({"labels": labels});
    let selector = json!({"matchLabels": labels});
    let mut of_job = template.clone();
    of_job["spec"]["restartPolicy"] = json!("Never");
    let none = json!({"hard": {"pods": "0"}});
    for (kind, name, spec) in [
        ("ResourceQuota", "none", none),
        (
            "StatefulSet",
            "asleep",
            json!({"replicas": 0, "selector": selector, "template": template}),
        ),
        (
            "StatefulSet",
            "waiting",
            json!({"replicas": 1, "selector": selector, "template": template}),
        ),
        (
            "Deployment",
            "asleep",
            json!({"replicas": 0, "selector": selector, "template": template}),
        ),
        (
            "Job",
            "asleep",
            json!({"suspend": true, "template": of_job}),
        ),
    ] {
        let object = json!({"metadata": {"name": name}, "spec": spec});
        let object = serde_json::from_value(object).unwrap();
        let api = api(&mallory, kind, Some(namespace));
        api.create(&PostParams::default(), &object).await.unwrap();
    }
    let operator = Operator::leading(&stage.admin, "before").await;
    stage.tenant(&operator, "before").await;
    let wakes = json!({"spec": {"replicas": 1}});
    for (kind, edit) in [
        ("StatefulSet", &wakes),
        ("Deployment", &wakes),
        ("Job", &json!({"spec": {"suspend": false}})),
    ] {
        let api = api(&mallory, kind, Some(namespace));
        let said = refusal(kind, merge(&api, "asleep", edit).await);
        assert!(said.contains("pavilion-closed-namespaces"), "{said}");
    }
    // What keeps the cluster's own controller from its pod goes.
    let quotas = api(&mallory, "ResourceQuota", Some(namespace));
    quotas
        .delete("none", &DeleteParams::default())
        .await
        .unwrap();
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    let sets = api(&rescuer, "StatefulSet", Some(namespace));
    let looks = json!({"metadata": {"annotations": {"looks": "again"}}});
    merge(&sets, "waiting", &looks).await.unwrap();
    let events = api(&stage.admin, "Event", Some(namespace));
    eventually("the controller is refused its pod", async || {
        let events = events.list(&ListParams::default()).await.unwrap();
        events.into_iter().any(|event| {
            let said = event.data["note"].as_str().unwrap_or_default();
            event.data["regarding"]["name"] == "waiting" && said.contains("pavilion-tenant-pods")
        })
    })
    .await;
    let pods = api(&stage.admin, "Pod", Some(namespace));
    assert!(pods.get_opt("waiting-0").await.unwrap().is_none());
    // Of somebody who has something to do before it goes.
    let held = json!({"metadata": {"finalizers": ["example.dev/hook"]}});
    let let_go = json!({"metadata": {"finalizers": null}});
    let starts = json!({"metadata": {"finalizers": null}, "spec": {"replicas": 2}});
    let rescuers = api(&rescuer, "Deployment", Some(namespace));
    merge(&rescuers, "asleep", &held).await.unwrap();
    let deployments = api(&mallory, "Deployment", Some(namespace));
    let early = merge(&deployments, "asleep", &let_go).await;
    deployments
        .delete("asleep", &DeleteParams::default())
        .await
        .unwrap();
    let more = merge(&deployments, "asleep", &starts).await;
    let gone = merge(&deployments, "asleep", &let_go).await;
    if gone.is_err() {
        // Else the namespace would stay for good, and with it every later test.
        merge(&rescuers, "asleep", &let_go).await.unwrap();
    }
    for (what, tried) in [("before it is deleted", early), ("with an edit", more)] {
        let said = refusal(what, tried);
        assert!(said.contains("pavilion-closed-namespaces"), "{said}");
    }
    gone.unwrap();
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
