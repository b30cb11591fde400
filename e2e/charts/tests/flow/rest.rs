//! A tenant that is suspended, and one that hibernates.

use std::path::Path;

use serde_json::Value;

use crate::{
    command::{kubectl, kubectl_with},
    shop::{Shop, verify},
    stage::{Stage, TENANT_NAMESPACE, condition, eventually, tenant, until_ready},
};

/// Sets a field of the tenant's spec.
fn set(field: &str, value: bool) {
    let patch = format!(r#"{{"spec": {{"{field}": {value}}}}}"#);
    kubectl_with(&["patch", "tenant", "acme", "--type=merge", "-p", &patch]);
}

/// The uid of the tenant's pod, empty when there is none.
fn pod() -> String {
    kubectl(&format!(
        "-n {TENANT_NAMESPACE} get pods -o jsonpath={{.items[*].metadata.uid}}"
    ))
}

/// Which place in the log an answer has.
fn index(answer: &Path) -> u64 {
    let read = std::fs::read_to_string(answer.join("answer.json")).unwrap();
    let answer: Value = serde_json::from_str(&read).unwrap();
    answer["evidence"]["index"].as_u64().unwrap()
}

/// Waits until the tenant is in a phase, as its owner would; how long that took.
fn until(phase: &str) {
    let took = eventually(&format!("the tenant is {phase}"), || {
        tenant()["status"]["phase"] == phase
    });
    eprintln!("a tenant was {phase} after {took:?}");
}

/// Asks in vain: the edge answers with this code.
fn refused(shop: &Shop, code: &str) {
    let (asked, _) = shop.ask("1990-05-17");
    assert!(!asked.succeeded, "{}", asked.printed);
    for part in [code, "503"] {
        assert!(asked.said.contains(part), "no {part} in: {}", asked.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_is_refused_at_the_edge_runs_on_and_answers_at_once_when_it_resumes() {
    let _stage = Stage::set().await;
    let shop = Shop::open();
    let (asked, before) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "{}", asked.said);
    let running = pod();
    set("suspend", true);
    until("Suspended");
    assert_eq!(condition("Ready"), "False Suspended");
    assert_eq!(condition("Suspended"), "True Suspended");
    refused(&shop, "tenant_suspended");
    assert_eq!(pod(), running, "its programs run on");
    set("suspend", false);
    until("Ready");
    let (asked, after) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "Ready, and yet: {}", asked.said);
    assert_eq!(pod(), running);
    assert!(index(&after) > index(&before), "the log goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_hibernates_has_no_pod_and_wakes_with_its_keys_and_its_log() {
    let _stage = Stage::set().await;
    let shop = Shop::open();
    let (asked, before) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "{}", asked.said);
    set("hibernate", true);
    until("Hibernated");
    eventually("its pod is gone", || pod().is_empty());
    assert_eq!(condition("Suspended"), "True Hibernated");
    refused(&shop, "tenant_hibernated");
    set("suspend", true);
    until("Suspended");
    refused(&shop, "tenant_suspended");
    assert!(pod().is_empty());
    set("suspend", false);
    set("hibernate", false);
    eventually("it wakes", || condition("Suspended") == "False Ready");
    let took = until_ready();
    eprintln!("a tenant was Ready {took:?} after it was woken");
    let (asked, after) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "Ready, and yet: {}", asked.said);
    assert!(index(&after) > index(&before), "the log goes on");
    assert!(verify(&before).succeeded, "what was answered stays good");
    for file in ["log.vkey", "jwks.json"] {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(read(&before), read(&after), "{file}");
    }
}
