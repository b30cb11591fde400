//! `why` on one host.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/command.rs"]
#[allow(dead_code)]
mod command;

use std::fs;

use assert_cmd::Command;
use command::{Run, finished};
use serde_json::{Value, json};
use tempfile::TempDir;

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-15T14:02:00Z", "observedGeneration": 1,
    })
}

/// A state directory where acme is Ready and beta has a policy that can never pass.
fn state() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |file: &str, value: Value| {
        let path = dir.path().join("status").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, value.to_string()).unwrap();
    };
    let tenant = |name: &str, conditions: Value| {
        json!({
            "kind": "Tenant", "metadata": {"name": name, "generation": 1},
            "status": {"observedGeneration": 1, "conditions": conditions, "policies": "2/2", "bundle": "9f3c41d",
                "served": {"version": 3, "digest": "sha-256:9f3c41d0"}},
        })
    };
    let ready = condition("Ready", "True", "Ready", "The object is served.");
    write("tenant/acme.json", tenant("acme", json!([ready])));
    let message = "beta.yaml:12: Policy pavilion-beta/over21: spec.rule.all[1]: cannot hold\u{1b}[31m \
                   [ClauseNeverTrue] Correct the clause at the path named.\nWhat was accepted before keeps serving.";
    let refused = condition("Ready", "False", "ClauseNeverTrue", message);
    write("tenant/beta.json", tenant("beta", json!([refused])));
    let refused = condition("Accepted", "False", "ClauseNeverTrue", message);
    write(
        "policy/beta.over21.json",
        json!({
            "kind": "Policy", "metadata": {"name": "over21", "namespace": "pavilion-beta", "generation": 1},
            "status": {"observedGeneration": 1, "conditions": [refused], "revision": {"number": 2}},
        }),
    );
    dir
}

fn why(dir: &TempDir, args: &[&str]) -> Run {
    let mut command = Command::cargo_bin("kubectl-pavilion").unwrap();
    command.env("TZ", "UTC").arg("why").args(args);
    finished(command.arg("--state").arg(dir.path()))
}

/// Holds the directory as an operator does that runs.
fn operator(dir: &TempDir) -> fs::File {
    let lock = fs::File::create(dir.path().join("lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn the_cause_is_told_down_to_file_and_field() {
    let dir = state();
    let _operator = operator(&dir);
    let run = why(&dir, &["beta"]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert_eq!(
        run.out,
        "beta is not Ready\n\
         └─ Policy beta/over21 is not Accepted: ClauseNeverTrue\n   \
         beta.yaml:12: spec.rule.all[1]: cannot hold·[31m\n   \
         the revision before (2) keeps serving since 2026-01-15 14:02\n   \
         → kubectl pavilion explain ClauseNeverTrue\n"
    );
}

#[test]
fn one_that_is_ready_takes_one_line() {
    let dir = state();
    let _operator = operator(&dir);
    let run = why(&dir, &["acme"]);
    let line = "acme is Ready since 2026-01-15 14:02, policies 2/2, bundle 9f3c41d\n";
    assert_eq!((run.code, run.out.as_str()), (0, line));
    let run = why(&dir, &["acme", "-o", "json"]);
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        answer,
        json!({"tenant": "acme", "ready": true, "causes": []})
    );
}

#[test]
fn nobody_is_called_ready_whom_nobody_watches() {
    let dir = state();
    let run = why(&dir, &["acme"]);
    assert_eq!(run.code, 5, "{}", run.err);
    assert!(
        run.out
            .contains("Tenant acme is watched by nobody: OperatorStopped"),
        "{}",
        run.out
    );
    assert!(run.err.contains("no operator runs on"), "{}", run.err);
}

#[test]
fn a_tenant_that_is_not_there_is_a_wrong_command_line() {
    let run = why(&state(), &["delta"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("there is no tenant delta"), "{}", run.err);
}
