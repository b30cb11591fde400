//! Mistakes in a rule, and rules that are too large.

use serde_json::json;

use crate::examples::{policy, refusals};
use crate::refusals::{DANGLING, INVALID, TOO_LARGE, expect};

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
