//! Network policy is enforced, and from the first moment of a pod on.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[allow(dead_code, reason = "other tests use the rest")]
mod machine;

use k8s_openapi::api::core::v1::{Namespace, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, LogParams, PostParams};
use kube::{Api, Client};
use pavilion_e2e_cluster::{PATIENCE, Seen, reference};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

const GUARDED: &str = "policy-guarded";
const OPEN: &str = "policy-open";
const PORT: u16 = 8080;

/// Makes an object of a namespace from its text.
macro_rules! create {
    ($client:expr, $kind:ty, $namespace:expr, $object:expr) => {
        Api::<$kind>::namespaced($client.clone(), $namespace)
            .create(
                &PostParams::default(),
                &serde_json::from_value($object).unwrap(),
            )
            .await
            .unwrap()
    };
}

/// A pod that runs the probe, as confined as the strictest rules for pods ask.
fn pod(name: &str, arguments: &[&str]) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "probe",
                "image": reference("probe"),
                "imagePullPolicy": "Never",
                "args": arguments,
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// A pod that greets whoever reaches it; ready when the kubelet did.
fn server(name: &str) -> Value {
    let mut pod = pod(name, &["serve", &format!(":{PORT}")]);
    let probe = json!({"tcpSocket": {"port": PORT}, "periodSeconds": 1});
    pod["spec"]["containers"][0]["readinessProbe"] = probe;
    pod
}

/// The address of a service for a pod, known before the pod is there.
async fn service(client: &Client, namespace: &str, name: &str) -> String {
    let object = json!({
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": name},
            "publishNotReadyAddresses": true,
            "ports": [{"port": PORT}],
        },
    });
    let made = create!(client, Service, namespace, object);
    format!("{}:{PORT}", made.spec.unwrap().cluster_ip.unwrap())
}

/// Nothing in and nothing out, but for a friend from the open namespace to the server.
fn policies() -> [Value; 2] {
    let from = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": OPEN}},
        "podSelector": {"matchLabels": {"app": "friend"}},
    });
    [
        json!({
            "metadata": {"name": "nothing"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        }),
        json!({
            "metadata": {"name": "friend"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "server"}},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [from], "ports": [{"port": PORT}]}],
            },
        }),
    ]
}

/// Looks until something is as it should be.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn pod_until(client: &Client, namespace: &str, name: &str, holds: impl Fn(&Pod) -> bool) {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let what = format!("{namespace}/{name} is as it should be");
    until(&what, async || holds(&pods.get(name).await.unwrap())).await;
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

fn ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|one| one.type_ == "Ready" && one.status == "True")
}

async fn running(client: &Client, namespace: &str, name: &str) {
    pod_until(client, namespace, name, |pod| phase(pod) == "Running").await;
}

/// What a pod that watched has to say: how often it tried, and how often it was greeted.
async fn watched(client: &Client, namespace: &str, name: &str) -> (u32, u32) {
    pod_until(client, namespace, name, |pod| phase(pod) == "Succeeded").await;
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let log = pods.logs(name, &LogParams::default()).await.unwrap();
    let seen = Seen::read(&log).unwrap()[0];
    println!(
        "{name}: {} attempts, greeted {}",
        seen.attempts, seen.greeted
    );
    (seen.attempts, seen.greeted)
}

/// Whether a pod is greeted that tries, one after the other as long as anything is waited for.
async fn is_let_through(client: &Client, namespace: &str, name: &str, address: &str) -> bool {
    let deadline = Instant::now() + PATIENCE;
    for attempt in 1.. {
        let name = format!("{name}-{attempt}");
        create!(
            client,
            Pod,
            namespace,
            pod(&name, &["watch", "5s", address])
        );
        let (_, greeted) = watched(client, namespace, &name).await;
        if greeted > 0 || Instant::now() > deadline {
            return greeted > 0;
        }
    }
    false
}

/// Makes a namespace anew, and waits for what every pod in it needs.
async fn namespace(client: &Client, name: &str) {
    let all = Api::<Namespace>::all(client.clone());
    // From an earlier run; mostly there is none.
    let _ = all.delete(name, &DeleteParams::default()).await;
    until("the old namespace is gone", async || {
        all.get_opt(name).await.unwrap().is_none()
    })
    .await;
    let strict = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let object = json!({"metadata": {"name": name, "labels": strict}});
    let object = serde_json::from_value(object).unwrap();
    all.create(&PostParams::default(), &object).await.unwrap();
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), name);
    let there = async || accounts.get_opt("default").await.unwrap().is_some();
    until("the namespace has its service account", there).await;
}

#[tokio::test]
async fn policy_holds_from_the_first_moment_of_a_pod() {
    machine::run(&["up"]);
    let client = machine::cluster("c1").client().await.unwrap();
    namespace(&client, GUARDED).await;
    namespace(&client, OPEN).await;
    for policy in policies() {
        create!(client, NetworkPolicy, GUARDED, policy);
    }
    let guarded = service(&client, GUARDED, "server").await;
    let open = service(&client, OPEN, "outside").await;

    // The callers try before there is anybody to answer, so that no moment of the server's is missed, and for as long as
    // it may take to start on a busy machine.
    for caller in ["stranger", "friend"] {
        create!(client, Pod, OPEN, pod(caller, &["watch", "1m", &guarded]));
    }
    create!(client, Pod, OPEN, server("outside"));
    running(&client, OPEN, "stranger").await;
    running(&client, OPEN, "friend").await;
    pod_until(&client, OPEN, "outside", ready).await;
    create!(client, Pod, GUARDED, server("server"));
    // And this one tries from its own first moment on.
    create!(
        client,
        Pod,
        GUARDED,
        pod("captive", &["watch", "5s", &open])
    );
    // The kubelet's probe is no pod's traffic: it passes.
    pod_until(&client, GUARDED, "server", ready).await;

    let (attempts, greeted) = watched(&client, OPEN, "stranger").await;
    assert!(attempts > 1_200, "{attempts}");
    assert_eq!(greeted, 0, "the stranger was let in");
    let (_, greeted) = watched(&client, OPEN, "friend").await;
    assert!(greeted > 0, "the friend was not let in");
    let (attempts, greeted) = watched(&client, GUARDED, "captive").await;
    assert!(attempts > 100, "{attempts}");
    assert_eq!(greeted, 0, "the captive got out");

    // Without the policies both get through: it was they that refused.
    for name in ["nothing", "friend"] {
        let policies = Api::<NetworkPolicy>::namespaced(client.clone(), GUARDED);
        policies
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }
    assert!(is_let_through(&client, OPEN, "stranger-later", &guarded).await);
    assert!(is_let_through(&client, GUARDED, "captive-later", &open).await);
}
