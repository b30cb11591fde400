//! A change reaches the pod, and a wrong one does not.

use serde_json::json;

use crate::{
    command::kubectl_with,
    shop::Shop,
    stage::{Stage, TENANT_NAMESPACE, apply_quickstart, condition, eventually, tenant},
};

/// Gives the policy another rule, for one claim of the credential.
fn edit(claim: &str, years: u32) {
    let rule = json!({"claim": claim, "age": {"atLeast": years}});
    let patch = json!({"spec": {"rule": rule}}).to_string();
    kubectl_with(&[
        "-n",
        TENANT_NAMESPACE,
        "patch",
        "policy.pavilion.dev",
        "over18",
        "--type=merge",
        "-p",
        &patch,
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_policy_is_served_and_status_names_the_new_bundle() {
    let _stage = Stage::set().await;
    let before = tenant()["status"]["served"]["digest"].clone();
    edit("pid.birthdate", 21);
    let took = eventually("another bundle is served", || {
        tenant()["status"]["served"]["digest"] != before
    });
    eprintln!("an edited policy was served after {took:?}");
    let shop = Shop::open();
    // Old enough for 18, not for 21.
    let (asked, _) = shop.ask("2007-01-01");
    assert!(asked.printed.contains("FAIL over18"), "{}", asked.printed);
    apply_quickstart();
    eventually("the quickstart's own bundle is served again", || {
        shop.ask("2007-01-01").0.printed.contains("PASS over18")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_is_no_use_leaves_the_last_good_bundle_serving_and_says_so() {
    let _stage = Stage::set().await;
    let served = tenant()["status"]["served"]["digest"].clone();
    edit("pid.unknown", 18);
    eventually("the tenant says that it is not as it is to be", || {
        condition("Ready").starts_with("False ReferenceDangling")
    });
    assert_eq!(tenant()["status"]["served"]["digest"], served);
    assert!(Shop::open().ask("1990-05-17").0.succeeded);
    apply_quickstart();
    eventually("the tenant is Ready again", || {
        condition("Ready") == "True Ready"
    });
}
