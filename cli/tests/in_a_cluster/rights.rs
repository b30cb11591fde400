//! People who may little.

use serde_json::Value;

use crate::stage::{Stage, condition, tenant_status};

#[tokio::test]
async fn who_may_nothing_is_told_so_and_sees_what_that_hides() {
    let mut stage = Stage::set().await;
    let acme = stage
        .with_tenant(
            "acme",
            tenant_status(&[condition("Ready", "True", "Ready", "")]),
        )
        .await;
    for args in [&["status"][..], &["status", &acme], &["why", &acme]] {
        let run = stage.run_as("stranger", args);
        assert_eq!((run.code, run.out.as_str()), (4, ""), "{}", run.err);
        assert!(
            run.err.contains("you may not do this at https://"),
            "{}",
            run.err
        );
        assert!(run.err.contains("\"stranger\" cannot"), "{}", run.err);
        assert!(!run.err.contains("Error"), "no debug text: {}", run.err);
    }
    let run = stage.run_as("stranger", &["check", "-o", "json"]);
    assert_eq!(run.code, 1, "{}", run.err);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let outcome = |name: &str| {
        let line = checks.iter().find(|line| line["check"] == name);
        line.map(|line| line["outcome"].clone()).unwrap_or_default()
    };
    assert_eq!(outcome("API server"), "ok");
    // That it is served is for all to see; what it looks like is not.
    assert_eq!(outcome("kind Tenant"), "warning");
    assert_eq!(outcome("leader"), "warning");
    assert_eq!(outcome("storage"), "warning");
    assert_eq!(outcome("Pod Security"), "warning");
    assert_eq!(outcome("you: tenants"), "failed");
    stage.clear().await;
}
