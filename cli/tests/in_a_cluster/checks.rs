//! `check` of a cluster.

use serde_json::Value;

use crate::stage::Stage;

fn line<'a>(report: &'a Value, check: &str) -> &'a Value {
    let mut lines = report["checks"].as_array().unwrap().iter();
    let line = lines.find(|line| line["check"] == check);
    line.unwrap_or_else(|| panic!("no line {check} in {report}"))
}

#[tokio::test]
async fn what_is_there_is_well_and_what_lacks_is_named() {
    let stage = Stage::set().await;
    stage.with_leader("replica-a").await;
    let run = stage.run(&["check", "--output", "json"]);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    for check in [
        "API server",
        "kind Tenant",
        "kind TrustAnchor",
        "kind RelyingParty",
        "kind Policy",
        "leader",
        "Pod Security",
        "you: namespaces",
        "you: tenants",
        "you: policies",
    ] {
        assert_eq!(
            line(&report, check)["outcome"],
            "ok",
            "{}",
            line(&report, check)
        );
    }
    let leader = line(&report, "leader")["found"].as_str().unwrap();
    assert!(leader.contains("replica-a in cli-"), "{leader}");
    // In the namespace of this test there is no Deployment.
    assert_eq!(line(&report, "operator")["outcome"], "warning");
    assert_eq!(line(&report, "router")["found"], "is not installed");
    assert_eq!((run.code, &report["fit"]), (1, &Value::Bool(false)));

    let run = stage.run(&["check"]);
    assert!(
        run.out.contains("✔ ok      API server") && run.out.contains("✘ failed  router"),
        "{}",
        run.out
    );
    assert!(run.out.contains("→ helm install pavilion"), "{}", run.out);
    stage.clear().await;
}
