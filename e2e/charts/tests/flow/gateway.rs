//! Relying parties that come through a Gateway, which is on the tenant's node as it would be in a cluster.

use std::fs;

use pavilion_e2e::judges;
use pavilion_e2e_charts::gateway::{
    Contour, Definitions, GATEWAY, PLATFORM, class, ours, seen_from,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    command::kubectl_with,
    shop::{Shop, verify},
    stage::{Stage, cluster, condition, eventually, install, install_with, until_ready},
};

/// Applies an object as the platform team would.
fn apply(object: &Value) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("object.json");
    fs::write(&file, object.to_string()).unwrap();
    kubectl_with(&["apply", "-f", &file.display().to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_through_a_gateway_is_answered_and_the_answer_can_be_checked() {
    let _stage = Stage::set().await;
    let cluster =
        cluster().expect("KUBECONFIG is no cluster of the harness, whose nodes can be entered");
    let node = cluster.nodes().remove(0);
    let definitions = Definitions::find().unwrap();
    definitions.install().unwrap();
    definitions.upgrade().unwrap();
    apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLATFORM}}));
    install_with(&[
        &format!("--set=router.gateway.name={GATEWAY}"),
        &format!("--set=router.gateway.namespace={PLATFORM}"),
    ]);
    eventually(
        "the tenant is not Ready before somebody leads to it",
        || condition("Ready") == "False GatewaySilent",
    );

    let envoy = cluster.command_on(&node, &judges::envoy()).unwrap();
    let machine = seen_from(node.address.into()).unwrap();
    let contour = Contour::start(envoy, machine).unwrap();
    apply(&class());
    apply(&contour.gateway(&ours()));
    until_ready();
    let shop = Shop::by(format!("{}:{}", node.address, contour.port()));
    let (asked, answer) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "{}{}", asked.printed, asked.said);
    assert!(asked.printed.contains("PASS over18"), "{}", asked.printed);
    let verified = verify(&answer);
    assert!(verified.succeeded, "{}{}", verified.printed, verified.said);

    drop(contour);
    install();
    definitions.remove().unwrap();
    until_ready();
}
