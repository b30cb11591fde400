//! Whether a tenant is isolated is told by what was tried: where policy is enforced, and when somebody opens a hole.

use pavilion_e2e_charts::{NAMESPACE, verdict};
use serde_json::{Value, json};

use crate::{
    command::{kubectl, kubectl_with},
    stage::{Stage, TENANT_NAMESPACE, eventually, tenant, until_ready},
};

/// The namespace of the neighbour.
const NEIGHBOURHOOD: &str = "pavilion-system-neighbour";

/// Whom neither roles nor admission policies hold.
const RESCUER: [&str; 3] = [
    "--as=rescuer",
    "--as-group=system:masters",
    "--as-group=pavilion:break-glass",
];

/// Status and reason of a condition of the tenant, and its message.
fn condition(type_: &str) -> (String, String) {
    let status = &tenant()["status"];
    let found = pavilion_e2e_charts::condition(status, type_);
    let message = found.and_then(|found| found["message"].as_str());
    (
        verdict(status, type_),
        message.unwrap_or_default().to_owned(),
    )
}

/// Waits for a verdict; what was said with it.
fn until(expected: &str) -> String {
    let took = eventually(&format!("IsolationVerified is {expected}"), || {
        condition("IsolationVerified").0 == expected
    });
    eprintln!("IsolationVerified was {expected} after {took:?}");
    condition("IsolationVerified").1
}

fn until_verified() -> String {
    until("True IsolationVerified")
}

/// A policy that lets everybody in and everything out, and its end.
fn hole(verb: &str) {
    let path = std::env::temp_dir().join(format!("pavilion-hole-{}.json", std::process::id()));
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "hole", "namespace": TENANT_NAMESPACE},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]},
    });
    std::fs::write(&path, policy.to_string()).unwrap();
    let file = path.display().to_string();
    kubectl_with(&[&RESCUER[..], &[verb, "-f", &file]].concat());
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confined_tenant_is_verified_by_what_was_refused_to_it_and_reached_by_its_neighbour() {
    let _stage = Stage::set().await;
    let message = until_verified();
    let (refused, _) = message.split_once("refused to a pod of another").unwrap();
    assert!(refused.contains("the API server at"), "{message}");
    assert!(refused.contains("its neighbour at"), "{message}");
    for port in ["8443", "8444", "9101", "9104"] {
        assert!(message.contains(port), "{port}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_is_found_named_told_aloud_and_found_closed_again() {
    let _stage = Stage::set().await;
    until_verified();
    hole("create");
    let message = until("False ApiServerReachable");
    assert!(
        message.contains("its neighbour at"),
        "the whole of it: {message}"
    );
    eventually("its doors are found open too", || {
        let (verdict, message) = condition("IsolationVerified");
        verdict.starts_with("False")
            && message.contains("reaches it at")
            && message.contains("8443")
    });
    assert_eq!(condition("Ready").0, "False ApiServerReachable");
    eventually("an event tells of it", || {
        let events = kubectl("get events.events.k8s.io -n default -o json");
        let events: Value = serde_json::from_str(&events).unwrap();
        let mut events = events["items"].as_array().unwrap().iter();
        events.any(|event| {
            event["reason"] == "ApiServerReachable" && event["regarding"]["name"] == "acme"
        })
    });
    hole("delete");
    until_verified();
    until_ready();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anybody_who_tries_it_is_unknown_and_the_tenant_serves_on() {
    let _stage = Stage::set().await;
    until_verified();
    let scale = |replicas: u8| {
        let replicas = format!("--replicas={replicas}");
        let line = [
            "-n",
            NEIGHBOURHOOD,
            "scale",
            "deployment",
            "pavilion-neighbour",
        ];
        kubectl_with(&[&line[..], &[&replicas]].concat());
    };
    scale(0);
    until("Unknown ProbeSilent");
    assert_eq!(condition("Ready").0, "True Ready");
    scale(1);
    until_verified();
}

/// How often a probe has tried something.
fn tries(namespace: &str, pod: &str) -> u64 {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:9105/proxy/metrics");
    let metrics = kubectl(&format!("get --raw {path}"));
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("pavilion_probe_tries_total"));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tried_again_and_again_is_written_once() {
    let _stage = Stage::set().await;
    until_verified();
    until_ready();
    let version = || kubectl("get tenant acme -o jsonpath={.metadata.resourceVersion}");
    let maps = || {
        let path = "-o jsonpath={.items[*].metadata.resourceVersion}";
        kubectl(&format!("get configmaps -n {TENANT_NAMESPACE} {path}"))
            + &kubectl(&format!("get configmaps -n {NEIGHBOURHOOD} {path}"))
            + &kubectl(&format!("get configmaps -n {NAMESPACE} {path}"))
    };
    // A status may just be on its way, so this is looked at until it is quiet.
    let mut quiet = version();
    eventually("the status is still for ten tries of everything", || {
        let before = tries(TENANT_NAMESPACE, "data-plane-0");
        let written = maps();
        eventually("everything was tried again", || {
            tries(TENANT_NAMESPACE, "data-plane-0") >= before + 50
        });
        let still = version() == quiet && maps() == written;
        quiet = version();
        still
    });
}
