//! What fails comes back, and nothing that was answered is lost.

use pavilion_e2e_charts::NAMESPACE;

use crate::{
    command::kubectl,
    shop::{Shop, verify},
    stage::{Stage, TENANT_NAMESPACE, eventually, until_ready},
};

/// Throws the tenant's pod away, as a node that is drained does.
fn evict() {
    let uid = || {
        kubectl(&format!(
            "-n {TENANT_NAMESPACE} get pods -o jsonpath={{.items[*].metadata.uid}}"
        ))
    };
    let before = uid();
    kubectl(&format!(
        "-n {TENANT_NAMESPACE} --as=rescuer --as-group=system:masters --as-group=pavilion:break-glass delete pod data-plane-0"
    ));
    eventually("another pod takes its place", || {
        let now = uid();
        !now.is_empty() && now != before
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_replaced_keeps_keys_and_log_and_is_found_again() {
    let _stage = Stage::set().await;
    let shop = Shop::open();
    let (asked, before) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "{}", asked.said);
    evict();
    until_ready();
    let (asked, _) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "Ready, and yet: {}", asked.said);
    assert!(verify(&before).succeeded, "what was answered stays good");
    let (asked, after) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "{}", asked.said);
    for file in ["log.vkey", "jwks.json"] {
        let read = |folder: &std::path::Path| std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(read(&before), read(&after), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_answer_while_no_operator_runs() {
    let _stage = Stage::set().await;
    let shop = Shop::open();
    kubectl(&format!(
        "-n {NAMESPACE} scale deployment pavilion-operator --replicas=0"
    ));
    let pods = || {
        kubectl(&format!(
            "-n {NAMESPACE} get pods -l app.kubernetes.io/component=operator -o name"
        ))
    };
    eventually("no operator is left", || pods().is_empty());
    let (asked, _) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "{}", asked.said);
    kubectl(&format!(
        "-n {NAMESPACE} scale deployment pavilion-operator --replicas=2"
    ));
    eventually("the operator is back", || pods().lines().count() == 2);
    until_ready();
}
