//! What confines a tenant is there before anything of it runs.

use kube::{api::ListParams, core::DynamicObject};
use serde_json::{Value, json};

use crate::stage::{Stage, delete, eventually, trust_anchor};

#[tokio::test]
async fn a_tenant_that_is_applied_gets_a_namespace_that_lets_nobody_in_and_nothing_out() {
    let stage = Stage::set().await;
    let operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    stage.until(&tenant, "Placed", "True Placed").await;

    let namespace = format!("pavilion-{tenant}");
    let found = stage.api("Namespace", None).get(&namespace).await.unwrap();
    let labels = found.metadata.labels.unwrap();
    for mode in ["enforce", "audit", "warn"] {
        let level = &labels[&format!("pod-security.kubernetes.io/{mode}")];
        let version = &labels[&format!("pod-security.kubernetes.io/{mode}-version")];
        assert_eq!(level, "restricted");
        assert_ne!(version, "latest");
    }
    let policies = stage.api("NetworkPolicy", Some(&namespace));
    let deny = policies.get("default-deny").await.unwrap();
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    assert_eq!(deny.data["spec"], spec);
    // Without a trust anchor nothing is fetched, and nothing goes out.
    for policy in policies.list(&ListParams::default()).await.unwrap() {
        assert!(
            policy.data["spec"]["egress"].is_null(),
            "{:?}",
            policy.metadata.name
        );
    }
    let quota = stage
        .api("ResourceQuota", Some(&namespace))
        .get("pavilion")
        .await
        .unwrap();
    assert_eq!(quota.data["spec"]["hard"]["services.nodeports"], "0");
    stage
        .api("LimitRange", Some(&namespace))
        .get("pavilion")
        .await
        .unwrap();
    let account = stage
        .api("ServiceAccount", Some(&namespace))
        .get("data-plane")
        .await
        .unwrap();
    assert_eq!(account.data["automountServiceAccountToken"], false);
    assert_eq!(operator.count("round_failures_total").await, 0);
}

#[tokio::test]
async fn pods_are_pulled_and_names_resolved_as_the_cluster_has_it() {
    let stage = Stage::set().await;
    let at_node = r#"{"ipBlock":{"cidr":"169.254.20.10/32"}}"#;
    let pods = r#"{"namespaceSelector":{},"podSelector":{"matchLabels":{"dns":"default"}}}"#;
    let more = ["--dns-peer", pods, "--dns-peer", at_node];
    let more = [&more[..], &["--dns-port", "53", "--dns-port", "5353"]].concat();
    let more = [&more[..], &["--image-pull-secret", "registry"]].concat();
    let operator = stage.operator_told("one", &more).await;
    let tenant = stage.confined("acme").await;
    let namespace = format!("pavilion-{tenant}");
    let sets = stage.api("StatefulSet", Some(&namespace));
    let set = sets.get("data-plane").await.unwrap();
    assert_eq!(
        set.data["spec"]["template"]["spec"]["imagePullSecrets"],
        json!([{"name": "registry"}])
    );
    let opening = opening_for_status_lists(&stage, &namespace).await;
    let names = &opening.data["spec"]["egress"][0];
    let peers = [pods, at_node].map(|peer| serde_json::from_str::<Value>(peer).unwrap());
    assert_eq!(names["to"], json!(peers));
    let ports = names["ports"].as_array().unwrap();
    let ports: Vec<&Value> = ports.iter().map(|port| &port["port"]).collect();
    assert_eq!(ports, [53, 53, 5353, 5353]);
    operator.rest().await;
    assert_eq!(operator.count("round_failures_total").await, 0);
}

#[tokio::test]
async fn a_tenant_with_a_trust_anchor_may_fetch_status_lists_and_no_more() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    let namespace = format!("pavilion-{tenant}");
    let policies = stage.api("NetworkPolicy", Some(&namespace));
    let opening = opening_for_status_lists(&stage, &namespace).await;
    let names = &opening.data["spec"]["egress"][0];
    let pods = json!({"matchLabels": {"k8s-app": "kube-dns"}});
    assert_eq!(
        names["to"],
        json!([{"namespaceSelector": {}, "podSelector": pods}])
    );
    let outside = &opening.data["spec"]["egress"][1];
    assert_eq!(outside["ports"], json!([{"port": 443, "protocol": "TCP"}]));
    let except = outside["to"][0]["ipBlock"]["except"].as_array().unwrap();
    for closed in ["10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"] {
        assert!(except.contains(&json!(closed)), "{closed}");
    }
    delete(&stage.api("TrustAnchor", Some(&namespace)), "issuers").await;
    eventually("the opening is closed again", async || {
        policies.get_opt("to-status-lists").await.unwrap().is_none()
    })
    .await;
}

/// Gives a tenant a trust anchor, and waits for what it may fetch by.
async fn opening_for_status_lists(stage: &Stage, namespace: &str) -> DynamicObject {
    stage
        .apply("TrustAnchor", Some(namespace), "issuers", trust_anchor())
        .await;
    let policies = stage.api("NetworkPolicy", Some(namespace));
    eventually("an opening for status lists", async || {
        policies.get_opt("to-status-lists").await.unwrap().is_some()
    })
    .await;
    policies.get("to-status-lists").await.unwrap()
}
