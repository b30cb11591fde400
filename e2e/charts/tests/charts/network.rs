//! Who reaches operator and edge, and whom they reach, where network policy is enforced. Probes stand for
//! the programs: a policy knows pods by their labels.

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, ListParams, LogParams, PostParams},
};
use pavilion_e2e_charts::NAMESPACE;
use pavilion_e2e_cluster::reference;
use serde_json::{Value, json};

use crate::{
    operator::eventually,
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

/// A probe that passes for somebody.
fn probe(who: &str, name: &str, arguments: &[&str]) -> Pod {
    let (_, component) = of(who);
    let pod = json!({
        "metadata": {"name": name, "labels": {
            "app.kubernetes.io/name": "pavilion", "app.kubernetes.io/component": component, LABEL: "true",
        }},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "probe", "image": reference("probe"), "imagePullPolicy": "Never", "args": arguments,
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    serde_json::from_value(pod).unwrap()
}

fn pods(stage: &Stage, namespace: &str) -> Api<Pod> {
    Api::namespaced(stage.admin.clone(), namespace)
}

/// Starts a pod and waits until it is in a phase.
async fn run(stage: &Stage, who: &str, pod: &Pod, phase: &str) -> Pod {
    let pods = pods(stage, of(who).0);
    let name = pod.metadata.name.clone().unwrap();
    pods.create(&PostParams::default(), pod).await.unwrap();
    eventually(&format!("{name} is {phase}"), async || {
        let status = pods.get(&name).await.unwrap().status.unwrap_or_default();
        status.phase.as_deref() == Some(phase) && status.pod_ip.is_some()
    })
    .await;
    pods.get(&name).await.unwrap()
}

/// How often somebody was greeted who tried for two seconds.
async fn greeted(stage: &Stage, number: usize, (from, to, port, _): Way) -> u32 {
    let listen = format!(":{port}");
    let server = probe(to, &format!("callee-{number}"), &["serve", &listen]);
    let server = run(stage, to, &server, "Running").await;
    let address = format!("{}{listen}", server.status.unwrap().pod_ip.unwrap());
    let name = format!("caller-{number}");
    let caller = probe(from, &name, &["watch", &address, "2s"]);
    run(stage, from, &caller, "Succeeded").await;
    let (pods, params) = (pods(stage, of(from).0), LogParams::default());
    let log = pods.logs(&name, &params).await.unwrap();
    let mut words = log.split_whitespace();
    let greeted = words.find_map(|word| word.strip_prefix("greeted="));
    greeted.unwrap().parse().unwrap()
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
