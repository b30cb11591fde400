//! What a Plan may say.

use pavilion_crds::{
    Kind,
    admission::{Fault, judge},
};
use serde_json::{Value, json};

use crate::objects::{faults, plan, refused, with};

#[test]
fn a_plan_promises_no_more_than_may_be_taken_and_says_amounts_in_one_form() {
    let signer = |requests: Value, limits: Value| {
        let signer = json!({"signer": {"requests": requests, "limits": limits}});
        with(plan(), "/spec/programs", signer)
    };
    let share = |cpu: &str, memory: &str| json!({"cpu": cpu, "memory": memory});
    let object = signer(share("1500m", "1Gi"), share("2", "1024Mi"));
    assert_eq!(faults(Kind::Plan, &object), []);
    for requests in [share("2001m", "64Mi"), share("50m", "2Gi")] {
        let object = signer(requests, share("2", "1Gi"));
        refused(Kind::Plan, &object, "spec.programs.signer", Fault::Rule);
    }
    for (cpu, memory, field) in [
        ("0.5", "64Mi", "cpu"),
        ("1", "64M", "memory"),
        ("0", "64Mi", "cpu"),
    ] {
        let object = signer(share(cpu, memory), share("2", "1Gi"));
        let path = format!("spec.programs.signer.requests.{field}");
        refused(Kind::Plan, &object, &path, Fault::OutOfBounds);
    }
    let object = with(
        plan(),
        "/spec/programs",
        json!({"signer": {"limits": share("1", "1Gi")}}),
    );
    refused(
        Kind::Plan,
        &object,
        "spec.programs.signer.requests",
        Fault::Missing,
    );
}

#[test]
fn a_plan_names_an_issuer_of_cert_manager_by_its_name_alone_or_one_of_another_group_whole() {
    let root = |value: Value| with(plan(), "/spec/trustRoot", json!({"issuerRef": value}));
    let named = judge(Kind::Plan, &root(json!({"name": "organisation"})), None).unwrap();
    assert_eq!(
        named["spec"]["trustRoot"]["issuerRef"],
        json!({"name": "organisation", "kind": "ClusterIssuer", "group": "cert-manager.io"})
    );
    let other = json!({"name": "a", "kind": "StepClusterIssuer", "group": "certmanager.step.sm"});
    assert_eq!(faults(Kind::Plan, &root(other)), []);
    let path = "spec.trustRoot.issuerRef.kind";
    let unknown = root(json!({"name": "a", "kind": "StepClusterIssuer"}));
    refused(Kind::Plan, &unknown, path, Fault::Rule);
    let path = "spec.trustRoot.issuerRef.name";
    refused(Kind::Plan, &root(json!({})), path, Fault::Missing);
}
