//! Who reaches operator and edge, and whom they reach, where network policy is enforced. Probes stand for
//! the programs: a policy knows pods by their labels.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use pavilion_e2e_charts::NAMESPACE;
use pavilion_e2e_cluster::Seen;
use serde_json::{Value, json};

use crate::{
    operator::eventually,
    probes::{probe, start, tried},
    stage::{LABEL, Stage},
};

/// The namespaces of a tenant and of somebody else.
const TENANT: &str = "chart-test-tenant";
const ELSEWHERE: &str = "chart-test-elsewhere";
/// The namespace that the chart makes for the neighbour.
const NEIGHBOURHOOD: &str = "pavilion-system-neighbour";

/// Who is there: name, namespace, component.
const EVERYBODY: [(&str, &str, &str); 6] = [
    ("operator", NAMESPACE, "operator"),
    ("router", NAMESPACE, "router"),
    ("neighbour", NAMESPACE, "none"),
    ("tenant", TENANT, "data-plane"),
    ("stranger", ELSEWHERE, "none"),
    // The neighbour that tries whether tenants are isolated.
    ("confidant", NEIGHBOURHOOD, "neighbour"),
];

/// Who talks to whom at which port, and whether that may be.
type Way = (&'static str, &'static str, u16, bool);

const WAYS: [Way; 22] = [
    ("router", "operator", 9443, true),
    ("stranger", "operator", 9443, false),
    ("neighbour", "operator", 9443, false),
    ("tenant", "operator", 9443, false),
    ("neighbour", "operator", 9100, false),
    ("stranger", "router", 8443, true),
    ("operator", "router", 9100, true),
    ("stranger", "router", 9100, false),
    ("tenant", "router", 9100, false),
    ("router", "tenant", 8443, true),
    ("router", "tenant", 8444, true),
    ("router", "tenant", 9101, false),
    ("operator", "tenant", 9101, true),
    ("operator", "tenant", 8443, false),
    ("router", "stranger", 8443, false),
    ("operator", "tenant", 9104, true),
    ("router", "tenant", 9104, false),
    ("operator", "confidant", 9104, true),
    ("tenant", "confidant", 9104, false),
    ("tenant", "confidant", 8080, true),
    ("stranger", "confidant", 8080, false),
    ("confidant", "stranger", 5432, true),
];

fn labels(component: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "pavilion", "app.kubernetes.io/component": component, LABEL: "true",
    })
}

fn pods(stage: &Stage, namespace: &str) -> Api<Pod> {
    Api::namespaced(stage.admin.clone(), namespace)
}

/// Somebody to be reached at every port; its address.
async fn serving(stage: &Stage, (name, namespace, component): (&str, &str, &str)) -> String {
    let ports: BTreeSet<u16> = WAYS.iter().map(|(_, _, port, _)| *port).collect();
    let listen: Vec<String> = ports.iter().map(|port| format!(":{port}")).collect();
    let arguments: Vec<&str> = iter::once("serve")
        .chain(listen.iter().map(String::as_str))
        .collect();
    let server = probe(&format!("callee-{name}"), &labels(component), &arguments);
    let server = start(&pods(stage, namespace), &server, "Running").await;
    server.status.unwrap().pod_ip.unwrap()
}

/// How often somebody was greeted who tried all its ways.
async fn greeted(
    stage: &Stage,
    caller: &str,
    ways: &[Way],
    at: &BTreeMap<&str, String>,
) -> Vec<u32> {
    let (_, namespace, component) = EVERYBODY
        .into_iter()
        .find(|(known, ..)| *known == caller)
        .unwrap();
    let ways: Vec<(String, bool)> = ways
        .iter()
        .map(|(_, to, port, allowed)| (format!("{}:{port}", at[to]), *allowed))
        .collect();
    let greeted = |seen: &Seen| seen.greeted;
    let (name, labels) = (format!("caller-{caller}"), labels(component));
    let caller = (name.as_str(), &labels);
    let seen = tried(&pods(stage, namespace), caller, "2s", &ways, greeted).await;
    seen.iter().map(greeted).collect()
}

async fn clear(stage: &Stage) {
    let probes = ListParams::default().labels(LABEL);
    for namespace in [NAMESPACE, NEIGHBOURHOOD] {
        let own = pods(stage, namespace);
        let params = DeleteParams::default();
        own.delete_collection(&params, &probes).await.unwrap();
        eventually("the probes are gone", async || {
            own.list(&probes).await.unwrap().items.is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn only_those_reach_operator_and_edge_who_have_business_there() {
    let stage = Stage::set().await;
    clear(&stage).await;
    for (name, labels) in [
        (TENANT, json!({LABEL: "true", "pavilion.dev/tenant": "one"})),
        (ELSEWHERE, json!({LABEL: "true"})),
    ] {
        let object: Value = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels},
        });
        stage.apply("Namespace", None, name, object).await;
    }
    let serving = EVERYBODY.map(async |somebody| (somebody.0, serving(&stage, somebody).await));
    let at = join_all(serving).await.into_iter().collect();
    let tried = EVERYBODY.map(async |(caller, ..)| {
        let ways: Vec<Way> = WAYS
            .into_iter()
            .filter(|(from, ..)| *from == caller)
            .collect();
        let greeted = greeted(&stage, caller, &ways, &at).await;
        ways.into_iter().zip(greeted)
    });
    for ((from, to, port, allowed), greeted) in join_all(tried).await.into_iter().flatten() {
        assert_eq!(greeted > 0, allowed, "{from} to {to} at {port}: {greeted}");
    }
    clear(&stage).await;
}
