//! A cluster comes up with every node Ready, and what is up stays as it is.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "other tests use the rest")]
mod machine;

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;
use pavilion_e2e_cluster::{Record, recorded};

/// The names of the nodes that are ready.
async fn ready(cluster: &str) -> Vec<String> {
    let client = machine::cluster(cluster).client().await.unwrap();
    let nodes = Api::<Node>::all(client)
        .list(&ListParams::default())
        .await
        .unwrap();
    let ready = |node: &Node| {
        let status = node.status.clone().unwrap();
        let conditions = status.conditions.unwrap();
        conditions
            .iter()
            .any(|one| one.type_ == "Ready" && one.status == "True")
    };
    let ready = nodes.items.into_iter().filter(ready);
    ready.map(|node| node.metadata.name.unwrap()).collect()
}

/// The processes of a cluster's first node.
fn processes(cluster: &str) -> Vec<(String, Record)> {
    recorded(&machine::first_node(cluster))
}

#[tokio::test]
async fn a_cluster_comes_up_and_up_again_changes_nothing() {
    let kubeconfig = machine::run(&["up"]);
    assert_eq!(ready("c1").await, ["c1-n1"]);
    let client = machine::cluster("c1").client().await.unwrap();
    assert_eq!(
        client.apiserver_version().await.unwrap().git_version,
        "v1.36.3"
    );
    let before = processes("c1");
    assert!(before.len() >= 9, "{before:?}");
    assert_eq!(machine::run(&["up"]), kubeconfig);
    assert_eq!(processes("c1"), before);
    assert!(before.iter().all(|(_, record)| record.lives()));
}

#[tokio::test]
async fn a_second_cluster_has_nodes_of_its_own_and_leaves_the_first_alone() {
    machine::run(&["up"]);
    let before = processes("c1");
    machine::run(&["up", "--name", "pair", "--nodes", "2"]);
    assert_eq!(ready("pair").await, ["pair-n1", "pair-n2"]);
    let of_second = processes("pair");
    // One more node, without a word about the others.
    machine::run(&["up", "--name", "pair", "--nodes", "3"]);
    assert_eq!(ready("pair").await, ["pair-n1", "pair-n2", "pair-n3"]);
    assert_eq!(processes("pair"), of_second);
    machine::run(&["down", "--name", "pair"]);
    assert_eq!(processes("c1"), before);
    assert_eq!(ready("c1").await, ["c1-n1"]);
}
