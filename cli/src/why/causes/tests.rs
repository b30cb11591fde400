use serde_json::{Value, json};

use super::*;

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2027-01-15T14:02:00Z", "observedGeneration": 1,
    })
}

fn tenant(conditions: &[Value]) -> Value {
    json!({
        "kind": "Tenant", "metadata": {"name": "beta", "generation": 1},
        "status": {"observedGeneration": 1, "conditions": conditions, "policies": "1/2", "bundle": "77ab02e",
            "served": {"version": 4, "digest": "sha-256:77ab02e0"}},
    })
}

fn object(kind: &str, name: &str, accepted: Value) -> Document {
    Document::new(json!({
        "kind": kind, "metadata": {"name": name, "namespace": "pavilion-beta", "generation": 1},
        "status": {"observedGeneration": 1, "conditions": [accepted], "revision": {"number": 2}},
    }))
}

fn causes(tenant: Value, objects: Vec<Document>) -> Vec<Cause> {
    let tenant = Document::new(tenant);
    of(&tenant, &objects)
}

fn said(causes: &[Cause]) -> Vec<String> {
    let line = |cause: &Cause| {
        let code = cause.code.as_deref().unwrap_or("-");
        format!("{} {} {}: {code}", cause.kind, cause.name, cause.says)
    };
    causes.iter().map(line).collect()
}

#[test]
fn a_refused_policy_is_the_cause_and_what_follows_from_it_is_not_named() {
    let message =
        "Policy pavilion-beta/over21: spec.rule.all[1]: cannot hold [ClauseNeverTrue] Correct it.";
    let found = causes(
        tenant(&[
            condition("Accepted", "True", "Accepted", ""),
            condition("Programmed", "True", "Ready", ""),
            condition(
                "PoliciesReady",
                "False",
                "Progressing",
                "1 of 2 policies serve",
            ),
            condition("Suspended", "False", "Ready", ""),
            condition("Ready", "False", "ClauseNeverTrue", message),
        ]),
        vec![
            object(
                "Policy",
                "over18",
                condition("Accepted", "True", "Accepted", ""),
            ),
            object(
                "Policy",
                "over21",
                condition("Accepted", "False", "ClauseNeverTrue", message),
            ),
            object(
                "RelyingParty",
                "shop",
                condition("Accepted", "False", "SetRefused", "another"),
            ),
        ],
    );
    assert_eq!(
        said(&found),
        ["Policy over21 is not Accepted: ClauseNeverTrue"]
    );
    assert_eq!(
        found[0].faults[0].field.as_deref(),
        Some("spec.rule.all[1]")
    );
    let instead = found[0]
        .instead
        .as_ref()
        .map(|instead| instead.serves.as_str());
    assert_eq!(instead, Some("the revision before (2) keeps serving"));
}

#[test]
fn the_first_program_in_the_order_of_starting_explains_the_others() {
    let mut tenant = tenant(&[
        condition(
            "Programmed",
            "False",
            "Progressing",
            "the verifier does not answer",
        ),
        condition("Ready", "False", "DataPlaneUnavailable", "signer: no token"),
    ]);
    tenant["status"]["dataPlane"] = json!([
        {"name": "verifier", "ready": false, "reason": "waits", "restarts": 0},
        {"name": "signer", "ready": false, "reason": "no token", "restarts": 3},
        {"name": "auditor", "ready": true, "restarts": 0},
    ]);
    let found = causes(tenant.clone(), Vec::new());
    assert_eq!(
        said(&found),
        ["Tenant beta has no signer that is ready: DataPlaneUnavailable"]
    );
    let words: Vec<&str> = found[0]
        .faults
        .iter()
        .map(|fault| fault.message.as_str())
        .collect();
    assert_eq!(
        words,
        [
            "signer: no token",
            "signer was started again 3 times",
            "not ready either: verifier"
        ]
    );
    tenant["status"]["conditions"] = json!([
        condition("Suspended", "True", "Suspended", "spec.suspend is true"),
        condition("Programmed", "False", "Suspended", ""),
        condition("Ready", "False", "Suspended", ""),
    ]);
    assert_eq!(
        said(&causes(tenant.clone(), Vec::new())),
        ["Tenant beta is Suspended: Suspended"]
    );
    tenant["status"]["conditions"] = json!([
        condition("Suspended", "True", "Hibernated", "spec.hibernate is true"),
        condition("Programmed", "False", "Hibernated", ""),
        condition("Ready", "False", "Hibernated", ""),
    ]);
    assert_eq!(
        said(&causes(tenant, Vec::new())),
        ["Tenant beta is Suspended: Hibernated"]
    );
}

#[test]
fn where_no_condition_says_more_the_summary_does() {
    let router = condition(
        "Ready",
        "False",
        "DataPlaneUnavailable",
        "router: not reached",
    );
    let found = causes(
        tenant(&[condition("Programmed", "True", "Ready", ""), router]),
        Vec::new(),
    );
    assert_eq!(
        said(&found),
        ["Tenant beta is not Ready: DataPlaneUnavailable"]
    );
    let other_set = "another manifest of the set is refused: a.yaml: x";
    let found = causes(
        tenant(&[
            condition("Accepted", "False", "SetRefused", other_set),
            condition("Ready", "False", "SetRefused", other_set),
        ]),
        Vec::new(),
    );
    assert_eq!(said(&found), ["Tenant beta is not Ready: SetRefused"]);
    let found = causes(
        tenant(&[condition("Placed", "True", "Placed", "")]),
        Vec::new(),
    );
    assert_eq!(said(&found), ["Tenant beta has no condition Ready: -"]);
}

#[test]
fn what_the_operator_has_not_looked_at_is_said_first() {
    assert_eq!(
        said(&causes(
            json!({"kind": "Tenant", "metadata": {"name": "beta"}}),
            Vec::new()
        )),
        ["Tenant beta has no status: no operator has looked at it yet: -"]
    );
    let mut newer = tenant(&[condition(
        "Placed",
        "False",
        "PlacedElsewhere",
        "belongs to there",
    )]);
    newer["metadata"]["generation"] = json!(5);
    let found = said(&causes(newer, Vec::new()));
    assert!(
        found[0].contains("generation 5 is not looked at yet"),
        "{found:?}"
    );
    assert_eq!(found[1], "Tenant beta is not Placed: PlacedElsewhere");
}

#[test]
fn that_nobody_watches_is_said_once_and_a_condition_of_a_later_release_is_not_passed_over() {
    let found = causes(
        tenant(&[
            condition(
                "IsolationVerified",
                "Unknown",
                "ProbeNotRun",
                "the probe cannot run",
            ),
            condition("Programmed", "Unknown", "OperatorStopped", "nobody looks"),
            condition("Ready", "Unknown", "OperatorStopped", "nobody looks"),
        ]),
        Vec::new(),
    );
    assert_eq!(
        said(&found),
        [
            "Tenant beta is watched by nobody: OperatorStopped",
            "Tenant beta may not be IsolationVerified, nobody can tell: ProbeNotRun",
        ]
    );
}

#[test]
fn a_tenant_that_is_ready_has_no_cause() {
    let found = causes(
        tenant(&[condition("Ready", "True", "Ready", "")]),
        Vec::new(),
    );
    assert_eq!(found, []);
}

#[test]
fn a_tenant_that_is_being_deleted_has_no_programs_because_of_that() {
    let stopping = |status: &str, reason: &str| {
        let mut tenant = tenant(&[
            condition("Terminating", status, reason, "its programs stop"),
            condition("Ready", "False", "DataPlaneUnavailable", "signer: gone"),
        ]);
        tenant["status"]["dataPlane"] = json!([{"name": "signer", "ready": false, "restarts": 0}]);
        said(&causes(tenant, Vec::new()))
    };
    assert_eq!(
        stopping("True", "Terminating"),
        ["Tenant beta is Terminating: Terminating"]
    );
    // One that is protected goes on, so that its programs are missed.
    assert_eq!(
        stopping("False", "DeletionProtected"),
        ["Tenant beta has no signer that is ready: DataPlaneUnavailable"]
    );
}
