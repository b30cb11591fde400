//! A tenant's root is another one while relying parties ask.

use pavilion_e2e_charts::cert_manager::{CertManager, ORGANISATION, apply};
use serde_json::json;

use crate::{
    command::{kubectl, kubectl_with},
    stage::{Stage, TENANT_NAMESPACE, condition, eventually, until_ready},
    traffic::{Traffic, longest},
};

const PLAN: &str = "chart-test-vouched";

fn name_plan(plan: &str) {
    let patch = json!({"spec": {"plan": plan}}).to_string();
    kubectl_with(&["patch", "tenant", "acme", "--type=merge", "-p", &patch]);
}

fn pod() -> String {
    kubectl(&format!(
        "-n {TENANT_NAMESPACE} get pod data-plane-0 -o jsonpath={{.metadata.uid}}"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_named_for_a_live_tenant_fails_no_request_and_restarts_nothing() {
    let _stage = Stage::set().await;
    let cert_manager = CertManager::start().unwrap();
    let organisation = cert_manager.organisation().unwrap();
    apply(&json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "Plan", "metadata": {"name": PLAN},
        "spec": {
            // As in the chart's plan standard: the pod is to stay.
            "priorityClassName": "pavilion-data-plane",
            "trustRoot": {"issuerRef": {"name": ORGANISATION}},
        },
    }))
    .unwrap();
    let traffic = Traffic::of_who_also_trusts(&organisation).await;
    let (asked, before) = (traffic.go_on().await, pod());
    name_plan(PLAN);
    let took = eventually("the organisation vouches for the tenant", || {
        condition("TrustRootReady") == "True Ready"
    });
    let after = traffic.go_on().await;
    let tally = traffic.stop().await;
    eprintln!(
        "the root was another one after {took:?}, in which there were {} answers; the slowest took {:?}",
        after - asked,
        longest(&tally)
    );
    assert_eq!(pod(), before);
    assert_eq!(tally.refused, Vec::<String>::new(), "was refused");
    assert_eq!(tally.unanswered, Vec::<String>::new(), "got no answer");
    name_plan("standard");
    eventually("the tenant has a root of its own again", || {
        condition("TrustRootReady").is_empty()
    });
    until_ready();
    kubectl(&format!("delete plan {PLAN}"));
}
