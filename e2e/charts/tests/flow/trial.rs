//! `helm test` runs the real flow, and fails where relying parties would get no answer.

use pavilion_e2e_charts::{Helm, NAMESPACE, RELEASE};

use crate::{
    command::{kubectl, plugin},
    stage::{Stage, edge, eventually},
};

const STEPS: [&str; 7] = [
    "tenant",
    "old enough",
    "checked offline",
    "receipt changed",
    "presented again",
    "too young",
    "removed",
];

#[tokio::test]
async fn helm_test_makes_a_tenant_that_answers_and_leaves_nothing_behind() {
    let _stage = Stage::set().await;
    for helm in Helm::both().unwrap() {
        let test = ["test", RELEASE, "--namespace", NAMESPACE, "--logs"];
        let outcome = helm.run(&test).unwrap();
        let (printed, said) = (&outcome.printed, &outcome.said);
        assert!(outcome.succeeded, "{}: {said}\n{printed}", helm.name);
        for step in STEPS {
            let line = printed.lines().find(|line| line.starts_with(step));
            let line = line.unwrap_or_else(|| panic!("{}: no {step} in {printed}", helm.name));
            assert!(line.contains("✔ passed"), "{line}");
        }
        assert_eq!(
            kubectl("get tenants -o name").trim(),
            "tenant.pavilion.dev/acme"
        );
        let left = kubectl("get clusterroles,clusterrolebindings -o name");
        assert!(!left.contains("pavilion-test"), "{left}");
    }
}

#[tokio::test]
async fn a_trial_fails_where_the_edge_is_away_and_the_next_takes_up_what_it_left() {
    let _stage = Stage::set().await;
    let edge = edge();
    let port = |port: &str| {
        let line = [
            "try",
            "--region",
            "eu-central",
            "--tenant",
            "passing",
            "--connect",
            port,
        ];
        plugin(&line)
    };
    // Nobody listens there.
    let away = port("127.0.0.1:1");
    assert!(!away.succeeded, "{}", away.printed);
    let line = |step: &str| {
        let line = away.printed.lines().find(|line| line.starts_with(step));
        line.unwrap_or_else(|| panic!("no {step} in {}", away.printed))
            .to_owned()
    };
    assert!(line("tenant").contains("✔ passed"), "{}", away.printed);
    assert!(line("old enough").contains("✘ failed"), "{}", away.printed);
    assert!(line("removed").contains("✔ passed"), "{}", away.printed);

    let kept = plugin(&[
        "try",
        "--region",
        "eu-central",
        "--tenant",
        "passing",
        "--connect",
        &edge,
        "--keep",
    ]);
    assert!(kept.succeeded, "{}{}", kept.printed, kept.said);
    assert!(kubectl("get tenants -o name").contains("passing"));
    let again = port(&edge);
    assert!(again.succeeded, "{}{}", again.printed, again.said);
    eventually("nothing is left", || {
        !kubectl("get tenants -o name").contains("passing")
    });
}

#[tokio::test]
async fn a_tenant_that_no_trial_made_is_left_alone() {
    let _stage = Stage::set().await;
    let edge = edge();
    let taken = plugin(&[
        "try",
        "--region",
        "eu-central",
        "--tenant",
        "acme",
        "--connect",
        &edge,
    ]);
    assert!(!taken.succeeded);
    assert!(taken.said.contains("that no trial made"), "{}", taken.said);
    assert!(kubectl("get tenants -o name").contains("acme"));
}
