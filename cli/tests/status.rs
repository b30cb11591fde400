//! What `status` makes of the documents that the operator writes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/command.rs"]
mod command;

use std::fs;

use command::pavilion;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use tempfile::TempDir;

fn condition(kind: &str, status: &str, reason: &str, message: &str, age_seconds: i64) -> Value {
    let since = Timestamp::now() - age_seconds.seconds();
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": since.to_string(), "observedGeneration": 1,
    })
}

fn tenant(name: &str, conditions: &[Value]) -> Value {
    let phase = match name {
        "acme" => "Ready",
        _ => "Provisioning",
    };
    json!({
        "apiVersion": "pavilion.dev/v1alpha1",
        "kind": "Tenant",
        "metadata": {"name": name, "generation": 1},
        "status": {
            "observedGeneration": 1, "phase": phase, "conditions": conditions, "region": "eu-central", "policies": "1/2",
            "bundle": "9f3c41d", "dataPlane": [],
        },
    })
}

/// acme is ready; beta has a policy that is not accepted; gamma has not been reported on.
fn state() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |kind: &str, name: &str, value: &Value| {
        let folder = dir.path().join("status").join(kind);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.json")), value.to_string()).unwrap();
    };
    write(
        "tenant",
        "acme",
        &tenant("acme", &[condition("Ready", "True", "Serving", "", 245)]),
    );
    let causes = [
        condition("Accepted", "True", "Accepted", "", 90_000),
        condition(
            "PoliciesReady",
            "False",
            "PolicyNotReady",
            "1 of 2 policies serve\nsee over21",
            9_000,
        ),
        condition("Suspended", "False", "Running", "", 9_000),
        condition(
            "Ready",
            "False",
            "PolicyNotReady",
            "not every policy serves",
            9_000,
        ),
    ];
    write("tenant", "beta", &tenant("beta", &causes));
    write("tenant", "gamma", &tenant("gamma", &[]));
    let known = pavilion_catalogue::ALL
        .iter()
        .find(|entry| entry.area == pavilion_catalogue::Area::Manifest)
        .unwrap();
    let message = "spec.rule.all[1]: cannot hold\u{1b}[31m";
    write(
        "policy",
        "beta.over21",
        &json!({
            "kind": "Policy",
            "metadata": {"name": "over21", "namespace": "pavilion-beta"},
            "status": {"conditions": [condition("Accepted", "False", known.code, message, 60), "odd"]},
        }),
    );
    write(
        "operator",
        "operator",
        &json!({
            "kind": "Operator",
            "metadata": {"name": "operator", "generation": 4},
            "status": {
                "conditions": [condition("Accepted", "False", "SetRefused", "1 faults", 60)],
                "manifests": {"refusals": [{
                    "file": "acme.yaml", "line": 12, "field": "spec.regions", "code": known.code,
                    "message": "unknown field", "hint": "Remove it.",
                }]},
            },
        }),
    );
    fs::write(dir.path().join("status/VERSION"), "1").unwrap();
    dir
}

/// Holds the directory as an operator does that runs.
fn operator(dir: &TempDir) -> fs::File {
    let lock = fs::File::create(dir.path().join("lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn without_an_operator_nothing_is_called_ready() {
    let dir = state();
    let ask = |args: &[&str]| {
        let state = dir.path().to_str().unwrap().to_owned();
        pavilion([&["status", "--state", &state][..], args].concat())
    };
    let held = operator(&dir);
    assert_eq!(ask(&[]).code, 0);
    drop(held);
    let run = ask(&[]);
    assert_eq!(run.code, 5, "{}", run.err);
    assert!(run.out.contains("acme    Unknown "), "{}", run.out);
    assert!(run.err.contains("no operator runs on"), "{}", run.err);
    assert!(
        !run.out.contains("OperatorStopped"),
        "said once: {}",
        run.out
    );
    assert!(
        run.out.contains("Policy pavilion-beta/over21"),
        "{}",
        run.out
    );
    let list: Value = serde_json::from_str(&ask(&["acme", "-o", "json"]).out).unwrap();
    let ready = &list["items"][0]["status"]["conditions"][0];
    assert_eq!(ready["status"], "Unknown");
    assert_eq!(ready["reason"], "OperatorStopped");
    fs::remove_file(dir.path().join("lock")).unwrap();
    assert_eq!(ask(&[]).code, 5);
}

fn run(args: &[&str]) -> (i32, String, String) {
    let dir = state();
    let _operator = operator(&dir);
    let run = pavilion(
        [
            &["status", "--state", dir.path().to_str().unwrap()][..],
            args,
        ]
        .concat(),
    );
    (run.code, run.out, run.err)
}

#[test]
fn tenants_read_like_kubectl_get_and_each_obstacle_is_told() {
    let (code, out, err) = run(&[]);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines[0],
        "NAME    READY     PHASE          REGION       POLICIES   BUNDLE    SINCE"
    );
    assert_eq!(
        lines[1],
        "acme    True      Ready          eu-central   1/2        9f3c41d   4m"
    );
    assert_eq!(
        lines[2],
        "beta    False     Provisioning   eu-central   1/2        9f3c41d   2h"
    );
    assert!(lines[3].starts_with("gamma   Unknown "), "{out}");
    assert!(out.contains(
        "\nTenant beta is not ready\n└─ PoliciesReady is False: PolicyNotReady\n   1 of 2 policies serve\n   see over21\n"
    ), "{out}");
    assert!(
        out.contains("\nPolicy pavilion-beta/over21 is not ready\n└─ Accepted is False: "),
        "{out}"
    );
    assert!(
        out.contains("spec.rule.all[1]: cannot hold·[31m\n"),
        "no escape sequence gets through: {out}"
    );
    assert!(
        out.contains(
            "\nOperator operator is not ready\n✘ acme.yaml:12 spec.regions: unknown field ["
        ),
        "{out}"
    );
    assert!(!out.contains("Tenant acme"), "{out}");
    assert!(err.contains("next: kubectl pavilion explain "), "{err}");
}

#[test]
fn one_tenant_is_shown_with_what_belongs_to_it() {
    let (_, out, _) = run(&["beta"]);
    assert!(
        out.contains("pavilion-beta/over21") && !out.contains("acme") && !out.contains("gamma"),
        "{out}"
    );
    let (code, out, err) = run(&["delta"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("there is no tenant delta"), "{err}");
}

#[test]
fn programs_get_the_documents_as_a_list() {
    let (_, out, _) = run(&["-o", "json"]);
    let list: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(list["kind"], "List");
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["acme", "beta", "gamma", "operator", "over21"]);
    let (_, out, _) = run(&["acme", "-o", "yaml"]);
    assert!(out.contains("kind: List\n"), "{out}");
}

#[test]
fn a_directory_that_is_no_state_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = pavilion(["status", "--state", dir.path().to_str().unwrap()]);
    assert_eq!(run.code, 6);
    assert!(
        run.err.contains("cannot read") && run.err.contains("pavilion-operator standalone"),
        "{}",
        run.err
    );
}
