//! The rules of the kinds, as an author of manifests meets them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pavilion_crds::{
    Kind,
    admission::{Fault, judge},
};
use serde_json::{Value, json};

fn tenant() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": "acme"},
        "spec": {"regions": ["eu-central"], "ingress": {"hosts": ["verify.acme.example"]}},
    })
}

fn region() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "Region", "metadata": {"name": "eu-central"},
        "spec": {"jurisdiction": "DE"},
    })
}

fn plan() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "large"},
        "spec": {},
    })
}

fn policy() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "Policy",
        "metadata": {"name": "over18", "namespace": "pavilion-acme"},
        "spec": {
            "purposes": ["age-restricted-sale"],
            "evidence": [{
                "id": "pid", "format": "dc+sd-jwt", "types": ["urn:eudi:pid:1"], "trust": ["pids"],
                "claims": [{"id": "birthdate", "path": ["birthdate"]}, {"id": "first", "path": ["names", 0, null]}],
            }],
            "rule": {"all": [{"claim": "pid.birthdate", "age": {"atLeast": 18}}, {"not": {"any": []}}]},
        },
    })
}

fn anchor() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "TrustAnchor",
        "metadata": {"name": "pids", "namespace": "pavilion-acme"},
        "spec": {
            "credentialTypes": ["urn:eudi:pid:1"],
            "issuers": [{"issuer": "https://pid.example", "jwks": {"keys": [{"kty": "EC"}]}}],
        },
    })
}

fn relying_party() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "RelyingParty",
        "metadata": {"name": "shop", "namespace": "pavilion-acme"},
        "spec": {
            "authentication": {"privateKeyJwt": {"jwksFile": "keys.json"}},
            "purposes": ["age-restricted-sale"], "policies": ["over18"],
        },
    })
}

/// `object` with the value at `pointer` replaced; an array index of `-` appends.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).expect("a parent");
    match parent {
        Value::Array(items) => items.push(value),
        Value::Object(fields) => {
            fields.insert(last.to_owned(), value);
        }
        _ => panic!("{pointer} has no parent"),
    }
    object
}

fn without(mut object: Value, pointer: &str) -> Value {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    object
        .pointer_mut(parent)
        .and_then(Value::as_object_mut)
        .and_then(|fields| fields.remove(last))
        .expect("a field");
    object
}

fn faults(kind: Kind, object: &Value) -> Vec<(String, Fault)> {
    judge(kind, object, None)
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|violation| (violation.path, violation.fault))
        .collect()
}

fn refused(kind: Kind, object: &Value, path: &str, fault: Fault) {
    assert_eq!(faults(kind, object), vec![(path.to_owned(), fault)]);
}

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
fn a_jurisdiction_is_a_country_or_the_union() {
    for known in ["DE", "CH", "EU", "GB"] {
        let object = with(region(), "/spec/jurisdiction", json!(known));
        assert_eq!(faults(Kind::Region, &object), [], "{known}");
    }
    for unknown in ["UK", "de", "ZZ", "XX"] {
        let object = with(region(), "/spec/jurisdiction", json!(unknown));
        refused(Kind::Region, &object, "spec.jurisdiction", Fault::Rule);
        let object = with(
            tenant(),
            "/spec/residency",
            json!({"jurisdictions": ["DE", unknown]}),
        );
        let path = "spec.residency.jurisdictions[1]";
        refused(Kind::Tenant, &object, path, Fault::Rule);
    }
}

#[test]
fn a_region_is_named_as_tenants_name_it_and_has_an_address_that_leads_somewhere() {
    let object = with(region(), "/metadata/name", json!("eu.central"));
    assert_eq!(faults(Kind::Region, &object).len(), 1);
    for fine in [
        "https://edge.example",
        "https://10.0.0.1:8443",
        "https://a:65535",
    ] {
        let object = with(region(), "/spec/endpoint", json!(fine));
        assert_eq!(faults(Kind::Region, &object), [], "{fine}");
    }
    for bad in [
        "http://edge.example",
        "edge.example",
        "https://edge.example/path",
        "https://edge.example:0",
        "https://user@edge.example",
    ] {
        let object = with(region(), "/spec/endpoint", json!(bad));
        refused(Kind::Region, &object, "spec.endpoint", Fault::OutOfBounds);
    }
    for bad in [json!("GDPR law"), json!(""), json!("-")] {
        let object = with(region(), "/spec/regimes", json!([bad]));
        refused(Kind::Region, &object, "spec.regimes[0]", Fault::OutOfBounds);
    }
}

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
fn a_residency_asks_for_something() {
    let object = with(tenant(), "/spec/residency", json!({}));
    refused(Kind::Tenant, &object, "spec.residency", Fault::Rule);
    let object = with(tenant(), "/spec/residency", json!({"regimes": ["GDPR"]}));
    assert_eq!(faults(Kind::Tenant, &object), []);
}

#[test]
fn an_issuer_is_checked_in_exactly_one_way() {
    let issuer = |value: Value| with(anchor(), "/spec/issuers", json!([value]));
    let keys = json!({"keys": [{"kty": "EC"}]});
    for fine in [
        json!({"issuer": "https://pid.example", "jwksFile": "pid.json"}),
        json!({"issuer": "did:jwk:eyJrdHkiOiJFQyJ9"}),
        json!({"x509": {"caBundleFile": "ca.pem", "sanDns": ["*.pid.example"]}}),
    ] {
        assert_eq!(
            faults(Kind::TrustAnchor, &issuer(fine.clone())),
            [],
            "{fine}"
        );
    }
    for bad in [
        json!({"issuer": "https://pid.example"}),
        json!({"issuer": "https://pid.example", "jwks": keys, "jwksFile": "pid.json"}),
        json!({"issuer": "did:jwk:eyJ9", "jwks": keys}),
        json!({"jwks": keys}),
    ] {
        refused(
            Kind::TrustAnchor,
            &issuer(bad),
            "spec.issuers[0]",
            Fault::Rule,
        );
    }
}

#[test]
fn authorities_come_inline_or_by_file_never_both() {
    for x509 in [
        json!({"sanDns": ["a.example"]}),
        json!({"sanDns": ["a.example"], "caBundle": "x", "caBundleFile": "y"}),
    ] {
        let object = with(anchor(), "/spec/issuers", json!([{"x509": x509}]));
        refused(
            Kind::TrustAnchor,
            &object,
            "spec.issuers[0].x509",
            Fault::Rule,
        );
    }
    let object = with(
        anchor(),
        "/spec/status",
        json!({"caBundle": "x", "caBundleFile": "y"}),
    );
    refused(Kind::TrustAnchor, &object, "spec.status", Fault::Rule);
    let object = with(anchor(), "/spec/status", json!({"maxAge": "10s"}));
    refused(
        Kind::TrustAnchor,
        &object,
        "spec.status.maxAge",
        Fault::Rule,
    );
}

#[test]
fn a_relying_party_proves_who_it_is() {
    let object = with(relying_party(), "/spec/authentication", json!({}));
    refused(
        Kind::RelyingParty,
        &object,
        "spec.authentication",
        Fault::Rule,
    );
    let object = with(
        relying_party(),
        "/spec/authentication/privateKeyJwt",
        json!({}),
    );
    refused(
        Kind::RelyingParty,
        &object,
        "spec.authentication.privateKeyJwt",
        Fault::Rule,
    );
    let both = json!({"mutualTls": {"caBundleFile": "ca.pem", "sanDns": ["shop.example"]}, "privateKeyJwt": {"jwksFile": "k.json"}});
    assert_eq!(
        faults(
            Kind::RelyingParty,
            &with(relying_party(), "/spec/authentication", both)
        ),
        []
    );
}

#[test]
fn the_rule_of_a_policy_nests_freely_here() {
    let mut rule = json!({"claim": "pid.birthdate", "age": {"atLeast": 18}});
    for _ in 0..20 {
        rule = json!({"not": rule});
    }
    assert_eq!(
        faults(Kind::Policy, &with(policy(), "/spec/rule", rule)),
        []
    );
    refused(
        Kind::Policy,
        &with(policy(), "/spec/rule", json!([])),
        "spec.rule",
        Fault::WrongType,
    );
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
