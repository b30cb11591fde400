//! `why` in a cluster.

use serde_json::{Value, json};

use crate::stage::{Stage, condition, tenant_status};

#[tokio::test]
async fn a_refused_policy_is_told_down_to_the_field_with_what_serves_instead() {
    let mut stage = Stage::set().await;
    stage.with_leader("replica-a").await;
    let beta = stage.tenant("beta");
    let message = format!(
        "Policy pavilion-{beta}/over21: spec.rule.all[1]: 'country in [DE]' and 'not country in [DE]' cannot \
         both hold [ClauseNeverTrue] Correct the clause at the path named.\nWhat was accepted before keeps serving."
    );
    let conditions = [
        condition("Accepted", "True", "Accepted", ""),
        condition(
            "PoliciesReady",
            "False",
            "Progressing",
            "1 of 2 policies serve",
        ),
        condition("Ready", "False", "ClauseNeverTrue", &message),
    ];
    stage.with_tenant("beta", tenant_status(&conditions)).await;
    let status = json!({
        "observedGeneration": 1,
        "conditions": [condition("Accepted", "False", "ClauseNeverTrue", &message)],
        "revision": {"number": 2, "digest": "sha-256:ab"},
    });
    stage.with_policy(&beta, "over21", status).await;
    let why = stage.run(&["why", &beta]);
    assert_eq!(why.code, 1, "{}", why.err);
    assert_eq!(
        why.out,
        format!(
            "{beta} is not Ready\n\
             └─ Policy {beta}/over21 is not Accepted: ClauseNeverTrue\n   \
             spec.rule.all[1]: 'country in [DE]' and 'not country in [DE]' cannot both hold\n   \
             the revision before (2) keeps serving since 2026-01-15 14:02\n   \
             → kubectl pavilion explain ClauseNeverTrue\n"
        )
    );
    let why = stage.run(&["why", &beta, "-o", "json"]);
    let why: Value = serde_json::from_str(&why.out).unwrap();
    assert_eq!(why["causes"][0]["faults"][0]["field"], "spec.rule.all[1]");
    assert_eq!(why["causes"][0]["instead"]["since"], "2026-01-15T14:02:00Z");
    stage.clear().await;
}

#[tokio::test]
async fn a_tenant_that_is_ready_takes_one_line_and_one_without_a_status_says_so() {
    let mut stage = Stage::set().await;
    stage.with_leader("replica-a").await;
    let acme = stage
        .with_tenant(
            "acme",
            tenant_status(&[condition("Ready", "True", "Ready", "")]),
        )
        .await;
    let why = stage.run(&["why", &acme]);
    assert_eq!(
        (why.code, why.out),
        (
            0,
            format!("{acme} is Ready since 2026-01-15 14:02, policies 1/2, bundle 77ab02e\n")
        )
    );
    let fresh = stage
        .with_tenant("fresh", json!({"observedGeneration": 0}))
        .await;
    let why = stage.run(&["why", &fresh]);
    assert_eq!(why.code, 1);
    assert!(why.out.contains("has no status"), "{}", why.out);
    stage.clear().await;
}
