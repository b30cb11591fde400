//! What a Tenant may say.

use pavilion_crds::{
    Kind,
    admission::{Fault, judge},
};
use serde_json::{Value, json};

use crate::objects::{faults, refused, relying_party, tenant, with};

#[test]
fn a_tenants_name_leaves_room_for_its_namespace() {
    let object = with(tenant(), "/metadata/name", json!("a".repeat(54)));
    assert_eq!(faults(Kind::Tenant, &object), []);
    let object = with(tenant(), "/metadata/name", json!("a".repeat(55)));
    let violations = judge(Kind::Tenant, &object, None).unwrap_err();
    assert!(violations[0].message.contains("54 characters"));
}

#[test]
fn an_answer_never_outlives_the_key_it_is_checked_with() {
    let object = with(tenant(), "/spec/signing", json!({"overlap": "5m"}));
    refused(Kind::Tenant, &object, "spec.signing.overlap", Fault::Rule);
    let object = with(
        object,
        "/spec/verification",
        json!({"answerTimeToLive": "5m"}),
    );
    assert_eq!(faults(Kind::Tenant, &object), []);
}

#[test]
fn lifetimes_keep_to_their_bounds() {
    for (field, value) in [
        ("timeToLive", "9s"),
        ("timeToLive", "25h"),
        ("keepResult", "0s"),
        ("answerTimeToLive", "169h"),
        ("tokenTimeToLive", "2h"),
        ("clockLeeway", "6m"),
    ] {
        let object = with(tenant(), "/spec/verification", json!({field: value}));
        let found = faults(Kind::Tenant, &object);
        assert!(
            found.contains(&(format!("spec.verification.{field}"), Fault::Rule)),
            "{field} {value}: {found:?}"
        );
    }
    let object = with(
        tenant(),
        "/spec/signing",
        json!({"overlap": "10h", "rotateEvery": "10h"}),
    );
    refused(Kind::Tenant, &object, "spec.signing.overlap", Fault::Rule);
    let object = with(
        tenant(),
        "/spec/verification",
        json!({"timeToLive": "ten minutes"}),
    );
    refused(
        Kind::Tenant,
        &object,
        "spec.verification.timeToLive",
        Fault::OutOfBounds,
    );
    let object = with(
        relying_party(),
        "/spec/obligations",
        json!({"keepResult": "1s"}),
    );
    refused(
        Kind::RelyingParty,
        &object,
        "spec.obligations.keepResult",
        Fault::Rule,
    );
}

#[test]
fn the_home_region_cannot_move() {
    let moved = with(tenant(), "/spec/regions", json!(["us-east"]));
    let violations = judge(Kind::Tenant, &moved, Some(&tenant())).unwrap_err();
    assert_eq!(
        (violations[0].path.as_str(), violations[0].fault),
        ("spec.regions", Fault::Rule)
    );
    // A second region would do nothing in this release.
    refused(
        Kind::Tenant,
        &with(tenant(), "/spec/regions", json!(["eu-central", "us-east"])),
        "spec.regions",
        Fault::OutOfBounds,
    );
}

#[test]
fn a_residency_asks_for_something() {
    let object = with(tenant(), "/spec/residency", json!({}));
    refused(Kind::Tenant, &object, "spec.residency", Fault::Rule);
    let object = with(tenant(), "/spec/residency", json!({"regimes": ["GDPR"]}));
    assert_eq!(faults(Kind::Tenant, &object), []);
}

#[test]
fn a_certificate_of_a_tenants_own_comes_from_one_secret_or_from_two_files() {
    let tls = |value: Value| with(tenant(), "/spec/ingress/tls", value);
    let accepted = [
        json!({"secretName": "pavilion-tls"}),
        json!({"certificateFile": "c.pem", "keyFile": "k.pem"}),
    ];
    for value in accepted {
        assert_eq!(faults(Kind::Tenant, &tls(value)), []);
    }
    let refused_forms = [
        json!({}),
        json!({"keyFile": "k.pem"}),
        json!({"secretName": "pavilion-tls", "certificateFile": "c.pem"}),
        json!({"secretName": "pavilion-tls", "certificateFile": "c.pem", "keyFile": "k.pem"}),
    ];
    for value in refused_forms {
        let path = "spec.ingress.tls";
        refused(Kind::Tenant, &tls(value), path, Fault::Rule);
    }
    let other = tls(json!({"secretName": "somebody-elses"}));
    let path = "spec.ingress.tls.secretName";
    refused(Kind::Tenant, &other, path, Fault::Rule);
}
