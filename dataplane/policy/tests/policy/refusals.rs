//! A policy that could not mean what its author wants is refused, with the field and the reason.

// Tables of cases, long but flat.
#![allow(clippy::too_many_lines)]

use serde_json::{Value, json};

use crate::examples::{claim, policy, refusals, spec};
use pavilion_policy::{Obligations, PathElement, Policy};

const INVALID: &str = "PolicyInvalid";
const DANGLING: &str = "ReferenceDangling";
const TOO_LARGE: &str = "PolicyTooLarge";

fn expect(policy: &Policy, path: &str, code: &str, message: &str) {
    let found = refusals(policy);
    let fits = |(at, text, with): &&(String, String, &str)| {
        at == path && text.contains(message) && *with == code
    };
    assert!(
        found.iter().any(|error| fits(&error)),
        "wanted {path}: {message}; found {found:?}"
    );
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn every_mistake_in_a_condition_points_at_its_field() {
    let many = |count: usize| -> Vec<String> { (0..count).map(|at| format!("v{at}")).collect() };
    for (leaf, field, code, message) in [
        (
            json!({"claim": "passport.number", "equals": 1}),
            ".claim",
            DANGLING,
            "spec.evidence has no 'passport'",
        ),
        (
            json!({"claim": "pid.shoe", "equals": 1}),
            ".claim",
            DANGLING,
            "evidence 'pid' has no claim 'shoe'",
        ),
        (
            json!({"presented": "passport"}),
            ".presented",
            DANGLING,
            "has no 'passport'",
        ),
        (
            json!({"issuer": {"evidence": "passport", "in": ["x"]}}),
            ".issuer.evidence",
            DANGLING,
            "has no 'passport'",
        ),
        (
            json!({"credentialType": {"evidence": "x", "in": ["x"]}}),
            ".credentialType.evidence",
            DANGLING,
            "has no 'x'",
        ),
        (
            json!({"issuedWithin": {"evidence": "x", "duration": "1h"}}),
            ".issuedWithin.evidence",
            DANGLING,
            "has no 'x'",
        ),
        (
            json!({"assurance": {"evidence": "x", "atLeast": "low"}}),
            ".assurance.evidence",
            DANGLING,
            "has no 'x'",
        ),
        (
            json!({"purpose": {"in": ["account-opening", "spam"]}}),
            ".purpose.in[1]",
            DANGLING,
            "'spam' is not in spec.purposes",
        ),
        (
            json!({"purpose": {"in": []}}),
            ".purpose.in",
            INVALID,
            "must not be empty",
        ),
        (
            json!({"relyingParty": {"in": ["a", "a"]}}),
            ".relyingParty.in[1]",
            INVALID,
            "'a' stands twice",
        ),
        (
            json!({"relyingParty": {"in": many(257)}}),
            ".relyingParty.in",
            TOO_LARGE,
            "more than 256",
        ),
        (
            json!({"issuer": {"evidence": "pid", "in": [""]}}),
            ".issuer.in[0]",
            INVALID,
            "1 to 512 bytes",
        ),
        (
            json!({"claim": "pid.country", "in": []}),
            ".in",
            INVALID,
            "must not be empty",
        ),
        (
            json!({"claim": "pid.country", "notIn": []}),
            ".notIn",
            INVALID,
            "must not be empty",
        ),
        (
            json!({"claim": "pid.country", "in": many(257)}),
            ".in",
            TOO_LARGE,
            "more than 256",
        ),
        (
            json!({"claim": "pid.country", "in": ["DE", 49]}),
            ".in[1]",
            INVALID,
            "a list has one type",
        ),
        (
            json!({"claim": "pid.country", "equals": "x".repeat(513)}),
            ".equals",
            TOO_LARGE,
            "more than 512 bytes",
        ),
        (
            json!({"claim": "pid.level", "equals": 1_u64 << 53}),
            ".equals",
            INVALID,
            "2^53",
        ),
        (
            json!({"claim": "pid.level", "in": [1, -(1_i64 << 53)]}),
            ".in[1]",
            INVALID,
            "2^53",
        ),
        (
            json!({"claim": "pid.level", "atLeast": 1_u64 << 53}),
            ".atLeast",
            INVALID,
            "2^53",
        ),
        (
            json!({"claim": "pid.level", "atMost": i64::MIN}),
            ".atMost",
            INVALID,
            "2^53",
        ),
        (
            json!({"claim": "pid.birthdate", "age": {}}),
            ".age",
            INVALID,
            "needs atLeast or atMost",
        ),
        (
            json!({"claim": "pid.nationalities", "age": {"atLeast": 18}}),
            "",
            INVALID,
            "has many values",
        ),
        (
            json!({"claim": "pid.nationalities", "notIn": ["XX"]}),
            "",
            INVALID,
            "has many values",
        ),
        (
            json!({"timeWindow": {}}),
            ".timeWindow",
            INVALID,
            "needs notBefore",
        ),
        (
            json!({"timeWindow": {"dailyFrom": "08:00"}}),
            ".timeWindow",
            INVALID,
            "are given together",
        ),
        (
            json!({"timeWindow": {"dailyTo": "08:00"}}),
            ".timeWindow",
            INVALID,
            "are given together",
        ),
        (
            json!({"timeWindow": {"dailyFrom": "08:00", "dailyTo": "08:00"}}),
            ".timeWindow.dailyTo",
            INVALID,
            "is empty",
        ),
        (
            json!({"timeWindow": {"notBefore": "2026-01-01T00:00:00Z", "timeZone": "UTC"}}),
            ".timeWindow.timeZone",
            INVALID,
            "no meaning",
        ),
        (
            json!({"timeWindow": {"dailyFrom": "08:00", "dailyTo": "09:00", "timeZone": "Europe/Atlantis"}}),
            ".timeWindow.timeZone",
            DANGLING,
            "is not a time zone",
        ),
    ] {
        let rule = json!({"any": [{"presented": "pid"}, {"not": leaf}]});
        expect(
            &policy(rule),
            &format!("spec.rule.any[1].not{field}"),
            code,
            message,
        );
    }
}

#[test]
fn every_mistake_in_a_group_points_at_its_field() {
    let leaf = || json!({"presented": "pid"});
    for (rule, path, code, message) in [
        (
            json!({"all": []}),
            "spec.rule.all",
            INVALID,
            "must not be empty",
        ),
        (
            json!({"any": []}),
            "spec.rule.any",
            INVALID,
            "must not be empty",
        ),
        (
            json!({"atLeast": {"n": 1, "of": []}}),
            "spec.rule.atLeast.of",
            INVALID,
            "must not be empty",
        ),
        (
            json!({"atLeast": {"n": 0, "of": [leaf()]}}),
            "spec.rule.atLeast.n",
            INVALID,
            "not between 1 and 1",
        ),
        (
            json!({"atLeast": {"n": 3, "of": [leaf(), leaf()]}}),
            "spec.rule.atLeast.n",
            INVALID,
            "not between 1 and 2",
        ),
        (
            json!({"any": vec![leaf(); 512]}),
            "spec.rule",
            TOO_LARGE,
            "513 groups and conditions; at most 512",
        ),
    ] {
        expect(&policy(rule), path, code, message);
    }
}

#[test]
fn a_rule_may_nest_sixteen_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let leaf = json!({"claim": "pid.country", "equals": "DE"});
        policy((1..depth).fold(leaf, |inner, _| json!({"any": [inner]})))
    };
    assert_eq!(refusals(&nested(16)), []);
    let path = format!("spec.rule{}", ".any[0]".repeat(16));
    expect(&nested(17), &path, TOO_LARGE, "nested more than 16 deep");
    expect(&nested(40), &path, TOO_LARGE, "nested more than 16 deep");
}

#[test]
fn lists_have_a_common_limit() {
    let list: Vec<_> = (0..250).map(|at| format!("v{at}")).collect();
    let leaf = json!({"claim": "pid.country", "in": list});
    expect(
        &policy(json!({"any": vec![leaf; 17]})),
        "spec.rule",
        TOO_LARGE,
        "4250 values in lists",
    );
}

#[test]
fn a_long_list_of_mistakes_is_cut() {
    let leaf = json!({"presented": "passport"});
    assert_eq!(refusals(&policy(json!({"any": vec![leaf; 100]}))).len(), 64);
}

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

#[test]
fn a_mistake_reads_as_a_sentence() {
    let errors = pavilion_policy::check("p", &policy(json!({"all": []}))).unwrap_err();
    assert_eq!(errors[0].to_string(), "spec.rule.all: must not be empty");
    assert!(std::error::Error::source(&errors[0]).is_none());
}
