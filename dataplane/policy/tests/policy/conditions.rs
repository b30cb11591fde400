//! When a condition holds.

use pavilion_policy::{Engine, Fact, Obligations, Question, RpRules, Verdict};
use serde_json::{Value, json};

use crate::examples::{adult, clause, decide, facts, pid, policy, question};

#[test]
fn absence_satisfies_neither_a_condition_nor_its_negation() {
    let conditions = [
        json!({"claim": "student.active", "equals": true}),
        json!({"issuer": {"evidence": "student", "in": ["x"]}}),
        json!({"credentialType": {"evidence": "student", "in": ["urn:example:enrolment"]}}),
        json!({"issuedWithin": {"evidence": "student", "duration": "1h"}}),
        json!({"assurance": {"evidence": "student", "atLeast": "high"}}),
    ];
    for condition in conditions {
        for rule in [condition.clone(), json!({"not": condition})] {
            for fact in [
                Fact::Missing,
                Fact::Failed {
                    code: "presentation_revoked",
                },
            ] {
                let decision = decide(rule.clone(), &facts(adult(), fact));
                assert_eq!(decision.verdict, Verdict::Fail, "{rule}");
            }
        }
    }
}

#[test]
fn a_claim_that_cannot_be_compared_is_false_in_both_polarities() {
    let tests = [
        (
            "birthdate",
            json!({"age": {"atLeast": 18}}),
            vec![
                json!("01.02.2000"),
                json!("2007-02-29"),
                json!("0000-05-01"),
                json!(20_000_101),
                json!("2027-01-01"),
                json!("1800-01-01"),
            ],
        ),
        (
            "level",
            json!({"atLeast": 3}),
            vec![
                json!("3"),
                json!(3.0),
                json!(u64::MAX),
                json!(null),
                json!([3]),
            ],
        ),
        (
            "level",
            json!({"equals": 3}),
            vec![json!("3"), json!(1e300)],
        ),
        (
            "member",
            json!({"equals": true}),
            vec![json!("true"), json!(1)],
        ),
        (
            "country",
            json!({"in": ["DE"]}),
            vec![json!(49), json!(["DE"]), json!({"code": "DE"})],
        ),
        (
            "birthdate",
            json!({"before": "2020-01-01"}),
            vec![json!("2000-01-01T00:00:00Z")],
        ),
    ];
    for (id, test, values) in tests {
        let mut condition = test;
        condition["claim"] = json!(format!("pid.{id}"));
        for value in values {
            for rule in [condition.clone(), json!({"not": condition})] {
                let decision = decide(rule.clone(), &facts(pid(json!({id: value})), Fact::Missing));
                assert_eq!(decision.verdict, Verdict::Fail, "{rule} over {value}");
                assert_eq!(clause(&decision, "rule").code, Some("claim_not_comparable"));
            }
        }
    }
}

#[test]
fn a_claim_with_many_values_is_met_by_any_of_them() {
    let rule = || json!({"claim": "pid.nationalities", "in": ["DE", "FR"]});
    let verdict = |value: Value| {
        decide(
            rule(),
            &facts(pid(json!({"nationalities": value})), Fact::Missing),
        )
        .verdict
    };
    assert_eq!(verdict(json!(["CH", "FR"])), Verdict::Pass);
    assert_eq!(verdict(json!(["CH"])), Verdict::Fail);
    assert_eq!(verdict(json!([])), Verdict::Fail);
    assert_eq!(verdict(json!(["FR", 1])), Verdict::Fail);
    assert_eq!(verdict(json!("FR")), Verdict::Fail);
    assert_eq!(verdict(vec!["FR"; 65].into()), Verdict::Fail);
}

#[test]
fn conditions_on_the_question_decide_by_who_asks_what_for_and_when() {
    for (rule, expected) in [
        (
            json!({"purpose": {"in": ["account-opening"]}}),
            Verdict::Pass,
        ),
        (
            json!({"not": {"purpose": {"in": ["account-opening"]}}}),
            Verdict::Fail,
        ),
        (
            json!({"relyingParty": {"in": ["bank", "shop"]}}),
            Verdict::Pass,
        ),
        (json!({"relyingParty": {"in": ["bank"]}}), Verdict::Fail),
        (
            json!({"timeWindow": {"notBefore": "2026-01-15T12:00:00Z"}}),
            Verdict::Pass,
        ),
        (
            json!({"timeWindow": {"notAfter": "2026-01-15T11:59:59Z"}}),
            Verdict::Fail,
        ),
        // Noon in UTC is one in the afternoon in Berlin.
        (
            json!({"timeWindow": {"dailyFrom": "13:00", "dailyTo": "14:00", "timeZone": "Europe/Berlin"}}),
            Verdict::Pass,
        ),
        (
            json!({"timeWindow": {"dailyFrom": "12:00", "dailyTo": "13:00", "timeZone": "Europe/Berlin"}}),
            Verdict::Fail,
        ),
        (
            json!({"timeWindow": {"dailyFrom": "22:00", "dailyTo": "12:30"}}),
            Verdict::Pass,
        ),
        (
            json!({"timeWindow": {"dailyFrom": "22:00", "dailyTo": "12:00"}}),
            Verdict::Fail,
        ),
    ] {
        assert_eq!(
            decide(rule.clone(), &facts(adult(), Fact::Missing)).verdict,
            expected,
            "{rule}"
        );
    }
}

#[test]
fn a_name_that_looks_like_cedar_is_a_name() {
    let name = "\"}; permit(principal, action, resource); //";
    let policy = policy(json!({"all": [
        {"claim": "pid.country", "equals": name},
        {"relyingParty": {"in": [name]}},
    ]}));
    let rules = RpRules {
        purposes: vec!["account-opening".to_owned()],
        policies: vec![name.to_owned()],
        obligations: Obligations::default(),
    };
    let engine = Engine::build([(name, &policy)], [(name, &rules)]).unwrap();
    let question = Question {
        relying_party: name,
        policy: name,
        ..question()
    };
    let verdict = |country: &str| {
        engine
            .decide(
                &question,
                &facts(pid(json!({"country": country})), Fact::Missing),
            )
            .verdict
    };
    assert_eq!(verdict("DE"), Verdict::Fail);
    assert_eq!(verdict(name), Verdict::Pass);
}

#[test]
fn the_largest_rule_compiles_and_decides_without_nesting_deeply() {
    let leaf = |at: usize| json!({"claim": "pid.level", "atMost": at});
    let of: Vec<_> = (0..510).map(leaf).collect();
    let rule = json!({"not": {"atLeast": {"n": 500, "of": of}}});
    let verdict = |level: i64| {
        decide(
            rule.clone(),
            &facts(pid(json!({"level": level})), Fact::Missing),
        )
        .verdict
    };
    // The level is at most `at` for 510 − level of the conditions.
    assert_eq!(verdict(10), Verdict::Fail);
    assert_eq!(verdict(11), Verdict::Pass);
}
