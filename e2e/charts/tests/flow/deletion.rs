//! The end of a tenant.

use pavilion_e2e_charts::NAMESPACE;

use crate::{
    command::{kubectl, kubectl_with, run, tool},
    shop::Shop,
    stage::{Stage, TENANT_NAMESPACE, condition, eventually},
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
    is_kept(&uid);
}

/// The last checkpoint of the log of the tenant with that uid is kept.
fn is_kept(uid: &str) {
    let evidence = format!("evidence-acme-{}", &uid[..8]);
    let checkpoint = kubectl(&format!(
        "-n {NAMESPACE} get configmap {evidence} -o jsonpath={{.data.checkpoint}}"
    ));
    assert!(checkpoint.lines().count() >= 5, "{checkpoint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_deleted_while_it_hibernates_wakes_to_tell_the_last_checkpoint_and_is_refused_meanwhile()
 {
    let _stage = Stage::set().await;
    let shop = Shop::open();
    assert!(shop.ask("1990-05-17").0.succeeded);
    let patch = r#"{"spec": {"hibernate": true, "deletionPolicy": "Delete"}}"#;
    kubectl_with(&["patch", "tenant", "acme", "--type=merge", "-p", patch]);
    eventually("it hibernates", || {
        condition("Suspended") == "True Hibernated"
    });
    let uid = kubectl("get tenant acme -o jsonpath={.metadata.uid}");
    kubectl("delete tenant acme --wait=false");
    eventually("the edge says that it is being deleted", || {
        shop.ask("1990-05-17").0.said.contains("tenant_terminating")
    });
    eventually("the tenant is gone", || {
        kubectl("get tenant acme --ignore-not-found").is_empty()
    });
    is_kept(&uid);
}
