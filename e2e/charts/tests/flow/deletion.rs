//! The end of a tenant, whatever is deleted first.

use std::time::Duration;

use pavilion_crds::Kind;
use pavilion_e2e_charts::{Helm, NAMESPACE, RELEASE};

use crate::{
    command::{kubectl, kubectl_with, run, tool},
    shop::Shop,
    stage::{Stage, TENANT_NAMESPACE, condition, eventually, install},
};

/// Whom the policies do not hold.
const BREAK_GLASS: &str = "--as=somebody --as-group=system:masters --as-group=pavilion:break-glass";

fn let_go() {
    let patch = r#"{"spec": {"deletionPolicy": "Delete"}}"#;
    kubectl_with(&["patch", "tenant", "acme", "--type=merge", "-p", patch]);
}

fn is_gone(line: &str) -> bool {
    kubectl(&format!("{line} --ignore-not-found")).is_empty()
}

/// Waits until nothing is left of the tenant; how long that took.
fn until_nothing_is_left() -> Duration {
    let took = eventually("the tenant is gone", || is_gone("get tenant acme"));
    assert_nothing_is_left();
    took
}

fn assert_nothing_is_left() {
    assert!(is_gone(&format!("get namespace {TENANT_NAMESPACE}")));
    assert!(is_gone(&format!("-n {NAMESPACE} get secret tenant-acme")));
}

/// What the tenant's condition `Terminating` says.
fn terminating() -> String {
    let path = "{.status.conditions[?(@.type==\"Terminating\")]}";
    kubectl_with(&["get", "tenant", "acme", "-o", &format!("jsonpath={path}")])
}

fn delete_namespace() {
    let confirmed = format!("pavilion.dev/confirm-deletion={TENANT_NAMESPACE}");
    kubectl(&format!(
        "annotate namespace {TENANT_NAMESPACE} {confirmed}"
    ));
    kubectl(&format!("delete namespace {TENANT_NAMESPACE} --wait=false"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_tenant_is_not_deleted_and_one_that_may_go_leaves_the_last_checkpoint_of_its_log()
 {
    let _stage = Stage::set().await;
    let shop = Shop::open();
    let (asked, _) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "{}{}", asked.printed, asked.said);
    let refused = run(
        &tool("kubectl"),
        &["delete", "tenant", "acme", "--wait=false"],
    );
    assert!(!refused.succeeded, "{}", refused.printed);
    assert!(refused.said.contains("deletionPolicy"), "{}", refused.said);
    let (asked, _) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "{}{}", asked.printed, asked.said);

    let_go();
    let uid = kubectl("get tenant acme -o jsonpath={.metadata.uid}");
    kubectl("delete tenant acme --wait=false");
    let took = until_nothing_is_left();
    eprintln!("a tenant was gone {took:?} after it was deleted");
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
    until_nothing_is_left();
    is_kept(&uid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_namespace_is_deleted_first_ends() {
    let _stage = Stage::set().await;
    let_go();
    delete_namespace();
    kubectl("delete tenant acme --wait=false");
    let took = until_nothing_is_left();
    eprintln!("a tenant whose namespace went first was gone after {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_alone_comes_back_and_its_tenant_ends_like_any_other() {
    let _stage = Stage::set().await;
    let uid = || {
        kubectl(&format!(
            "get namespace {TENANT_NAMESPACE} --ignore-not-found -o jsonpath={{.metadata.uid}}"
        ))
    };
    let before = uid();
    delete_namespace();
    eventually("the namespace is made again", || {
        let now = uid();
        !now.is_empty() && now != before
    });
    let_go();
    kubectl("delete tenant acme --wait=false");
    until_nothing_is_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_deleted_while_no_operator_is_installed_ends_when_one_is_again() {
    let _stage = Stage::set().await;
    let_go();
    let [_, helm] = Helm::both().unwrap();
    let line = ["uninstall", RELEASE, "--namespace", NAMESPACE, "--wait"];
    helm.succeed(&line).unwrap();
    kubectl("delete tenant acme --wait=false");
    let deleted = kubectl("get tenant acme -o jsonpath={.metadata.deletionTimestamp}");
    assert!(!deleted.is_empty(), "its mark keeps it");
    install();
    let took = until_nothing_is_left();
    eprintln!("a tenant that was deleted without an operator was gone {took:?} after one came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_definition_is_deleted_ends_once_it_may_and_all_can_be_installed_again() {
    let stage = Stage::set().await;
    let definitions: Vec<String> = Kind::ALL
        .map(|kind| format!("{}.pavilion.dev", kind.plural()))
        .to_vec();
    let definitions = definitions.join(" ");
    kubectl(&format!("delete crd {definitions} --wait=false"));
    eventually("the tenant says that it is protected", || {
        terminating().contains("DeletionProtected")
    });
    let_go();
    let took = eventually("the definitions are gone", || {
        is_gone(&format!("get crd {definitions}"))
    });
    assert_nothing_is_left();
    eprintln!("the definitions were gone {took:?} after the last tenant might go");
    drop(stage);
    let _stage = Stage::set().await;
    // An operator that ran all the while looks again for kinds that are gone, less and less often.
    let shop = Shop::open();
    eventually("the tenant answers again", || {
        shop.ask("1990-05-17").0.succeeded
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_deletion_is_named_and_the_way_out_of_the_guide_works() {
    let _stage = Stage::set().await;
    let_go();
    kubectl(&format!("-n {TENANT_NAMESPACE} create configmap held"));
    let held = |finalizers: &str| {
        let patch = format!(r#"{{"metadata": {{"finalizers": {finalizers}}}}}"#);
        let line = ["-n", TENANT_NAMESPACE, "patch", "configmap", "held"];
        kubectl_with(&[&line[..], &["--type=merge", "-p", &patch]].concat());
    };
    held(r#"["example.com/held"]"#);
    kubectl("delete tenant acme --wait=false");
    eventually("the step is named", || {
        terminating().contains("its namespace goes with everything in it")
    });
    eventually("what keeps the namespace is named", || {
        kubectl(&format!("describe namespace {TENANT_NAMESPACE}")).contains("example.com/held")
    });
    // The way out, when nothing else helps: nothing is seen to then.
    let patch = r#"{"metadata": {"finalizers": null}}"#;
    kubectl_with(&["patch", "tenant", "acme", "--type=merge", "-p", patch]);
    eventually("the tenant is gone", || is_gone("get tenant acme"));
    assert!(!is_gone(&format!("get namespace {TENANT_NAMESPACE}")));
    held("null");
    eventually("the namespace is gone", || {
        is_gone(&format!("get namespace {TENANT_NAMESPACE}"))
    });
    let secret = "delete secret tenant-acme --ignore-not-found";
    kubectl(&format!("-n {NAMESPACE} {BREAK_GLASS} {secret}"));
    assert_nothing_is_left();
}
