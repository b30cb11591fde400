//! The page for a newcomer with a cluster.

use pavilion_e2e_charts::{Helm, page};

use crate::{
    command::{plugin_program, tool},
    stage::Stage,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_command_from_installing_to_a_verified_answer_does_what_it_says() {
    let _stage = Stage::set().await;
    let [_, helm] = Helm::both().unwrap();
    let (kubectl, plugin) = (tool("kubectl"), plugin_program());
    let programs = [
        ("helm", helm.program()),
        ("kubectl", kubectl.as_path()),
        ("kubectl-pavilion", plugin.as_path()),
    ];
    let outcome = page::execute("tutorial-cluster.md", &programs).unwrap();
    let told = format!("{}\n{}", outcome.printed, outcome.said);
    assert!(outcome.succeeded, "{told}");
    assert!(outcome.printed.contains("PASS over18"), "{told}");
}
