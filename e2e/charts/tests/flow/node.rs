//! The node loses its power while relying parties ask, and comes back.

use std::time::Duration;

use crate::{
    command::{run, tool},
    stage::{Stage, cluster, eventually, until_ready},
    traffic::Traffic,
};

/// What the edge and a tenant that has just come back may say, on a machine that boots and has little time for it.
const COMING_BACK: [&str; 7] = [
    "edge_draining",
    "log_unavailable",
    "overloaded",
    "signer_unavailable",
    "state_unavailable",
    "tenant_starting",
    "tenant_unavailable",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_loses_its_power_comes_back_with_every_answer_that_was_given() {
    let _stage = Stage::set().await;
    let traffic = Traffic::start().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let cluster =
        cluster().expect("KUBECONFIG is no cluster of the harness, whose nodes have a switch");
    let nodes = cluster.nodes();
    let [node] = &nodes[..] else {
        panic!("the edge and the tenant are to be on the one node, with the control plane");
    };
    cluster.restart(node).unwrap();
    let before = traffic.answered();
    eventually("the API server answers", || {
        run(&tool("kubectl"), &["get", "--raw", "/readyz"]).succeeded
    });
    eventually("relying parties are answered again", || {
        traffic.answered() > before
    });
    until_ready();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tally = traffic.stop().await;
    eprintln!(
        "{} answers before, {} after; {} refusals and {} without an answer in between",
        before,
        tally.answered.len() - before,
        tally.refused.len(),
        tally.unanswered.len()
    );
    for code in &tally.refused {
        assert!(COMING_BACK.contains(&code.as_str()), "{code}");
    }
    let passed = tally.answered.iter().all(|answer| answer.verdict == "pass");
    assert!(passed, "somebody old enough was told something else");
}
