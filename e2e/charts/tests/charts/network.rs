//! Who reaches operator and edge, and whom they reach, where network policy is enforced. Probes stand for
//! the programs: a policy knows pods by their labels.

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use pavilion_e2e_charts::NAMESPACE;
use serde_json::{Value, json};

use crate::{
    operator::eventually,
    probes::{probe, seen, start},
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

fn of(name: &str) -> (&'static str, &'static str) {
    let mut all = EVERYBODY.into_iter();
    let (_, namespace, component) = all.find(|(known, ..)| *known == name).unwrap();
    (namespace, component)
}

fn labels(component: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "pavilion", "app.kubernetes.io/component": component, LABEL: "true",
    })
}

fn pods(stage: &Stage, namespace: &str) -> Api<Pod> {
    Api::namespaced(stage.admin.clone(), namespace)
}

/// How often somebody was greeted who tried for two seconds.
async fn greeted(stage: &Stage, number: usize, (from, to, port, _): Way) -> u32 {
    let listen = format!(":{port}");
    let (namespace, component) = of(to);
    let server = format!("callee-{number}");
    let server = probe(&server, &labels(component), &["serve", &listen]);
    let server = start(&pods(stage, namespace), &server, "Running").await;
    let address = format!("{}{listen}", server.status.unwrap().pod_ip.unwrap());
    let (namespace, component) = of(from);
    let (name, pods) = (format!("caller-{number}"), pods(stage, namespace));
    let caller = probe(&name, &labels(component), &["watch", &address, "2s"]);
    start(&pods, &caller, "Succeeded").await;
    seen(&pods, &name).await.greeted
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
    let attempts = WAYS.into_iter().enumerate().map(async |(number, way)| {
        let greeted = greeted(&stage, number, way).await;
        (way, greeted)
    });
    // A few at once: the node has two cores.
    let tried: Vec<_> = stream::iter(attempts).buffer_unordered(5).collect().await;
    for ((from, to, port, allowed), greeted) in tried {
        assert_eq!(greeted > 0, allowed, "{from} to {to} at {port}: {greeted}");
    }
    clear(&stage).await;
}
