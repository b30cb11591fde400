//! What holds for every kind.

use pavilion_crds::{
    Kind,
    admission::{Fault, judge},
};
use serde_json::json;

use crate::objects::{
    anchor, faults, plan, policy, refused, region, relying_party, tenant, with, without,
};

#[test]
fn the_smallest_objects_are_accepted() {
    assert_eq!(faults(Kind::Region, &region()), []);
    assert_eq!(faults(Kind::Plan, &plan()), []);
    assert_eq!(faults(Kind::Tenant, &tenant()), []);
    assert_eq!(faults(Kind::Policy, &policy()), []);
    assert_eq!(faults(Kind::TrustAnchor, &anchor()), []);
    assert_eq!(faults(Kind::RelyingParty, &relying_party()), []);
}

#[test]
fn defaults_are_the_documented_ones() {
    let object = judge(Kind::Tenant, &tenant(), None).unwrap();
    assert_eq!(
        object["spec"]["signing"],
        json!({"rotateEvery": "2160h", "overlap": "168h"})
    );
    assert_eq!(
        object["spec"]["verification"],
        json!({
            "timeToLive": "10m", "keepResult": "15m", "answerTimeToLive": "10m",
            "tokenTimeToLive": "5m", "clockLeeway": "30s",
        })
    );
    for field in ["suspend", "hibernate"] {
        assert_eq!(object["spec"][field], json!(false), "{field}");
    }
    assert_eq!(object["spec"]["plan"], json!("standard"));
    let object = judge(Kind::Plan, &plan(), None).unwrap();
    assert_eq!(
        object["spec"]["storage"],
        json!({"log": "8Gi", "state": "1Gi"})
    );
    assert_eq!(
        object["spec"]["programs"]["signer"],
        json!({"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}})
    );
    let object = judge(Kind::TrustAnchor, &anchor(), None).unwrap();
    assert_eq!(
        object["spec"]["algorithms"],
        json!(["ES256", "ES384", "EdDSA"])
    );
    assert_eq!(
        object["spec"]["status"],
        json!({"required": true, "maxAge": "1h", "onUnreachable": "Indeterminate", "allowPrivateAddresses": false})
    );
}

#[test]
fn an_unknown_field_is_named_with_the_one_that_was_meant() {
    let object = with(tenant(), "/spec/ingres", json!({}));
    let violations = judge(Kind::Tenant, &object, None).unwrap_err();
    assert_eq!(violations[0].path, "spec.ingres");
    assert!(violations[0].message.contains("did you mean ingress?"));
    let object = with(tenant(), "/spec/colour", json!("red"));
    let violations = judge(Kind::Tenant, &object, None).unwrap_err();
    assert!(
        violations[0]
            .message
            .contains("there are: deletionPolicy, hibernate, ingress, plan, regions, residency")
    );
}

#[test]
fn every_fault_of_an_object_is_reported_at_once() {
    let object = with(tenant(), "/spec/suspend", json!("no"));
    let object = with(object, "/spec/regions", json!([]));
    let object = without(object, "/spec/ingress");
    let mut found = faults(Kind::Tenant, &object);
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(
        found,
        [
            ("spec.ingress".into(), Fault::Missing),
            ("spec.regions".into(), Fault::OutOfBounds),
            ("spec.suspend".into(), Fault::WrongType),
        ]
    );
}

#[test]
fn wrong_types_are_named() {
    refused(
        Kind::Tenant,
        &with(tenant(), "/spec/regions", json!("eu")),
        "spec.regions",
        Fault::WrongType,
    );
    refused(
        Kind::Tenant,
        &with(tenant(), "/spec/ingress", json!([])),
        "spec.ingress",
        Fault::WrongType,
    );
    refused(
        Kind::Tenant,
        &with(tenant(), "/spec/regions", json!([7])),
        "spec.regions[0]",
        Fault::WrongType,
    );
    let object = with(policy(), "/spec/evidence/0/claims/0/path", json!([1.5]));
    refused(
        Kind::Policy,
        &object,
        "spec.evidence[0].claims[0].path[0]",
        Fault::WrongType,
    );
}

#[test]
fn lists_are_bounded_and_their_entries_stand_once() {
    let many: Vec<String> = (0..17).map(|n| format!("r{n}")).collect();
    refused(
        Kind::Tenant,
        &with(tenant(), "/spec/ingress/hosts", json!(many)),
        "spec.ingress.hosts",
        Fault::OutOfBounds,
    );
    let twice = json!(["eu", "us", "eu"]);
    refused(
        Kind::Tenant,
        &with(tenant(), "/spec/ingress/hosts", twice),
        "spec.ingress.hosts[2]",
        Fault::Duplicate,
    );
    let again = policy()["spec"]["evidence"][0].clone();
    refused(
        Kind::Policy,
        &with(policy(), "/spec/evidence/-", again),
        "spec.evidence[1]",
        Fault::Duplicate,
    );
}

#[test]
fn hosts_and_names_have_a_form() {
    for host in [
        "Verify.acme.example",
        "acme_example",
        "-acme.example",
        "acme..example",
        "https://a.example",
        "",
    ] {
        let object = with(tenant(), "/spec/ingress/hosts", json!([host]));
        refused(
            Kind::Tenant,
            &object,
            "spec.ingress.hosts[0]",
            Fault::OutOfBounds,
        );
    }
    let object = with(policy(), "/spec/evidence/0/format", json!("jwt_vc"));
    refused(
        Kind::Policy,
        &object,
        "spec.evidence[0].format",
        Fault::OutOfBounds,
    );
}
