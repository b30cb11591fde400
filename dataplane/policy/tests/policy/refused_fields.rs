//! Mistakes in the fields around the rule.

use serde_json::{Value, json};

use crate::examples::{claim, policy, refusals, spec};
use crate::refusals::{DANGLING, INVALID, TOO_LARGE, expect};
use pavilion_policy::{Obligations, PathElement, Policy};

#[test]
fn every_mistake_around_the_rule_points_at_its_field() {
    type Change = fn(&mut Policy);
    let cases: [(Change, &str, &str, &str); 22] = [
        (
            |p| p.title = Some("x".repeat(201)),
            "spec.title",
            TOO_LARGE,
            "200 characters",
        ),
        (
            |p| p.purposes.clear(),
            "spec.purposes",
            INVALID,
            "must not be empty",
        ),
        (
            |p| p.purposes.push("age-check".to_owned()),
            "spec.purposes[2]",
            INVALID,
            "'age-check' stands twice",
        ),
        (
            |p| p.purposes.push("a\nb".to_owned()),
            "spec.purposes[2]",
            INVALID,
            "no control characters",
        ),
        (
            |p| p.purposes = (0..33).map(|at| at.to_string()).collect(),
            "spec.purposes",
            TOO_LARGE,
            "more than 32",
        ),
        (
            |p| p.disclose.push(claim("pid.shoe")),
            "spec.disclose[2]",
            DANGLING,
            "no claim 'pid.shoe'",
        ),
        (
            |p| p.disclose.push(claim("pid.country")),
            "spec.disclose[2]",
            INVALID,
            "'pid.country' stands twice",
        ),
        (
            |p| p.disclose = vec![claim("pid.country"); 65],
            "spec.disclose",
            TOO_LARGE,
            "more than 64",
        ),
        (
            |p| {
                p.obligations = Obligations {
                    disclose: Some([claim("x.y")].into()),
                    ..Obligations::default()
                }
            },
            "spec.obligations.disclose[0]",
            DANGLING,
            "no claim 'x.y'",
        ),
        (
            |p| p.evidence[1].id = "pid".to_owned(),
            "spec.evidence[1].id",
            INVALID,
            "'pid' stands twice",
        ),
        (
            |p| p.evidence[1].id = "Student".to_owned(),
            "spec.evidence[1].id",
            INVALID,
            "lower-case letter",
        ),
        (
            |p| p.evidence[0].types.clear(),
            "spec.evidence[0].types",
            INVALID,
            "must not be empty",
        ),
        (
            |p| p.evidence[0].types[0].clear(),
            "spec.evidence[0].types[0]",
            INVALID,
            "1 to 512 bytes",
        ),
        (
            |p| p.evidence[0].trust.clear(),
            "spec.evidence[0].trust",
            INVALID,
            "must not be empty",
        ),
        (
            |p| p.evidence[0].trust[0].clear(),
            "spec.evidence[0].trust[0]",
            INVALID,
            "1 to 253 bytes",
        ),
        (
            |p| p.evidence[0].claims[1].id = "birthdate".to_owned(),
            "spec.evidence[0].claims[1].id",
            INVALID,
            "stands twice",
        ),
        (
            |p| p.evidence[0].claims[0].path.clear(),
            "spec.evidence[0].claims[0].path",
            INVALID,
            "must not be empty",
        ),
        (
            |p| p.evidence[0].claims[0].path = vec![PathElement::Name("a".to_owned()); 17],
            "spec.evidence[0].claims[0].path",
            TOO_LARGE,
            "more than 16 steps",
        ),
        (
            |p| p.evidence[0].claims[0].path = vec![PathElement::Index(1)],
            "spec.evidence[0].claims[0].path[0]",
            INVALID,
            "the first step is a name",
        ),
        (
            |p| {
                p.evidence[0].claims[0]
                    .path
                    .push(PathElement::Index(10_000));
            },
            "spec.evidence[0].claims[0].path[1]",
            INVALID,
            "an index up to 9999",
        ),
        (
            |p| {
                p.evidence[0].claims[0]
                    .path
                    .push(PathElement::Name(String::new()));
            },
            "spec.evidence[0].claims[0].path[1]",
            INVALID,
            "1 to 256 bytes",
        ),
        (
            |p| {
                let claim = p.evidence[0].claims[0].clone();
                let more = (0..64).map(|at| pavilion_policy::Claim {
                    id: format!("c{at}"),
                    ..claim.clone()
                });
                p.evidence[0].claims.extend(more);
            },
            "spec.evidence[0].claims",
            TOO_LARGE,
            "more than 64",
        ),
    ];
    for (change, path, code, message) in cases {
        let mut policy =
            policy(json!({"any": [{"presented": "pid"}, {"relyingParty": {"in": ["shop"]}}]}));
        if path.ends_with("[1].id") && path.contains("evidence[1]") {
            policy.disclose.truncate(1);
        }
        if path.contains("claims[1].id") {
            policy.disclose.remove(0);
        }
        if path == "spec.disclose" {
            let found = {
                change(&mut policy);
                refusals(&policy)
            };
            assert!(
                found
                    .iter()
                    .any(|(at, text, _)| at == path && text.contains(message))
            );
            continue;
        }
        change(&mut policy);
        expect(&policy, path, code, message);
    }
}

#[test]
fn evidence_is_there_and_not_too_much_of_it() {
    let mut none = spec(json!({"relyingParty": {"in": ["shop"]}}));
    none["evidence"] = json!([]);
    none["disclose"] = json!([]);
    expect(
        &Policy::from_spec(none.clone()).unwrap(),
        "spec.evidence",
        INVALID,
        "must not be empty",
    );
    let one = &spec(json!({}))["evidence"][0].clone();
    let many = |count: usize| -> Value {
        let mut spec = none.clone();
        let evidence = (0..count).map(|at| {
            let mut evidence = one.clone();
            evidence["id"] = json!(format!("e{at}"));
            evidence
        });
        spec["evidence"] = evidence.collect();
        spec
    };
    assert_eq!(refusals(&Policy::from_spec(many(64)).unwrap()), []);
    expect(
        &Policy::from_spec(many(65)).unwrap(),
        "spec.evidence",
        TOO_LARGE,
        "more than 64",
    );
}
