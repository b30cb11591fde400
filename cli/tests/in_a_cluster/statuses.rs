//! `status` of a cluster.

use serde_json::Value;

use crate::stage::{Stage, condition, tenant_status};

#[tokio::test]
async fn a_cluster_reads_like_a_host() {
    let mut stage = Stage::set().await;
    stage.with_leader("replica-a").await;
    let acme = stage
        .with_tenant(
            "acme",
            tenant_status(&[condition("Ready", "True", "Ready", "")]),
        )
        .await;
    let beta = stage
        .with_tenant(
            "beta",
            tenant_status(&[condition(
                "Ready",
                "False",
                "DataPlaneUnavailable",
                "signer: no token",
            )]),
        )
        .await;
    let all = stage.run(&["status"]);
    assert_eq!(all.code, 0, "{}", all.err);
    assert!(all.out.starts_with("NAME "), "{}", all.out);
    let row = |name: &str| {
        all.out
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default()
    };
    assert!(
        row(&acme).contains(" True ") && row(&acme).contains(" here "),
        "{}",
        all.out
    );
    assert!(row(&beta).contains(" False "), "{}", all.out);
    assert!(
        all.out.contains(&format!("Tenant {beta} is not ready")),
        "{}",
        all.out
    );

    let one = stage.run(&["status", &acme, "-o", "json"]);
    let list: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["status"]["bundle"], "77ab02e");
    assert_eq!(list["items"][0].get("spec"), None);

    let none = stage.run(&["status", &stage.tenant("gamma")]);
    assert_eq!(none.code, 2, "{}", none.err);
    assert!(
        none.err.contains("there is no tenant gamma-"),
        "{}",
        none.err
    );
    stage.clear().await;
}

#[tokio::test]
async fn without_a_leader_nothing_is_called_ready() {
    let mut stage = Stage::set().await;
    let acme = stage
        .with_tenant(
            "acme",
            tenant_status(&[condition("Ready", "True", "Ready", "")]),
        )
        .await;
    let run = stage.run(&["status", &acme]);
    assert_eq!(run.code, 5, "{}", run.err);
    assert!(run.out.contains(" Unknown "), "{}", run.out);
    assert!(
        run.err.contains("no operator leads at https://"),
        "{}",
        run.err
    );
    let why = stage.run(&["why", &acme]);
    assert_eq!(why.code, 5, "{}", why.err);
    assert!(
        why.out.contains("is watched by nobody: OperatorStopped"),
        "{}",
        why.out
    );
    stage.clear().await;
}
