//! The end of a tenant.

use pavilion_e2e_charts::NAMESPACE;

use crate::{
    command::{kubectl, kubectl_with, run, tool},
    shop::Shop,
    stage::{Stage, TENANT_NAMESPACE, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_tenant_is_not_deleted_and_one_that_may_go_leaves_the_last_checkpoint_of_its_log()
 {
    let _stage = Stage::set().await;
    let shop = Shop::open();
    assert!(shop.ask("1990-05-17").0.succeeded);
    let refused = run(
        &tool("kubectl"),
        &["delete", "tenant", "acme", "--wait=false"],
    );
    assert!(!refused.succeeded, "{}", refused.printed);
    assert!(refused.said.contains("deletionPolicy"), "{}", refused.said);
    assert!(shop.ask("1990-05-17").0.succeeded);

    let patch = r#"{"spec": {"deletionPolicy": "Delete"}}"#;
    kubectl_with(&["patch", "tenant", "acme", "--type=merge", "-p", patch]);
    let uid = kubectl("get tenant acme -o jsonpath={.metadata.uid}");
    kubectl("delete tenant acme --wait=false");
    let gone = |line: &str| kubectl(line).is_empty();
    let took = eventually("the tenant is gone", || {
        gone("get tenant acme --ignore-not-found")
    });
    eprintln!("a tenant was gone {took:?} after it was deleted");
    assert!(gone(&format!(
        "get namespace {TENANT_NAMESPACE} --ignore-not-found"
    )));
    assert!(gone(&format!(
        "-n {NAMESPACE} get secret tenant-acme --ignore-not-found"
    )));
    let evidence = format!("evidence-acme-{}", &uid[..8]);
    let checkpoint = kubectl(&format!(
        "-n {NAMESPACE} get configmap {evidence} -o jsonpath={{.data.checkpoint}}"
    ));
    assert!(checkpoint.lines().count() >= 5, "{checkpoint}");
}
