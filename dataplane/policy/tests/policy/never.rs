//! A policy that could never pass is refused, in the words of its author.

use pavilion_policy::Policy;
use serde_json::{Value, json};

use crate::examples::{policy, refusals};

fn never(rule: Value) -> Vec<(String, String)> {
    let found = refusals(&policy(rule));
    assert!(
        found.iter().all(|(_, _, code)| *code == "ClauseNeverTrue"),
        "{found:?}"
    );
    found
        .into_iter()
        .map(|(path, message, _)| (path, message))
        .collect()
}

fn one(rule: Value, path: &str, message: &str) {
    let found = never(rule);
    assert_eq!(found, [(path.to_owned(), message.to_owned())]);
}

#[test]
fn two_conditions_that_exclude_each_other_are_named() {
    let pair = |first: &Value, second: &Value, message: &str| {
        one(json!({"all": [first, second]}), "spec.rule.all[1]", message);
    };
    let in_de = json!({"claim": "pid.country", "in": ["DE"]});
    pair(
        &in_de,
        &json!({"not": in_de}),
        "'pid.country in [DE]' and 'not pid.country in [DE]' cannot both hold",
    );
    pair(
        &in_de,
        &json!({"claim": "pid.country", "notIn": ["FR", "DE"]}),
        "'pid.country in [DE]' and 'not pid.country in [FR, DE]' cannot both hold",
    );
    pair(
        &json!({"claim": "pid.birthdate", "age": {"atLeast": 21}}),
        &json!({"claim": "pid.birthdate", "age": {"atMost": 18}}),
        "'pid.birthdate age at least 21' and 'pid.birthdate age at most 18' cannot both hold",
    );
    pair(
        &json!({"claim": "pid.birthdate", "age": {"atLeast": 21}}),
        &json!({"not": {"claim": "pid.birthdate", "age": {"atLeast": 18}}}),
        "'pid.birthdate age at least 21' and 'not pid.birthdate age at least 18' cannot both hold",
    );
    pair(
        &json!({"claim": "pid.birthdate", "before": "2000-01-01"}),
        &json!({"claim": "pid.birthdate", "atLeast": "2000-01-01"}),
        "'pid.birthdate before 2000-01-01' and 'pid.birthdate at least 2000-01-01' cannot both hold",
    );
    pair(
        &json!({"claim": "pid.birthdate", "after": "2000-01-01"}),
        &json!({"claim": "pid.birthdate", "atMost": "2000-01-01"}),
        "'pid.birthdate after 2000-01-01' and 'pid.birthdate at most 2000-01-01' cannot both hold",
    );
    pair(
        &json!({"claim": "pid.level", "equals": 3}),
        &json!({"claim": "pid.level", "atMost": 2}),
        "'pid.level equals 3' and 'pid.level at most 2' cannot both hold",
    );
    pair(
        &json!({"claim": "pid.level", "equals": 3}),
        &json!({"claim": "pid.level", "equals": "3"}),
        "'pid.level equals 3' and 'pid.level equals 3' cannot both hold: a claim has one type",
    );
    pair(
        &json!({"issuer": {"evidence": "pid", "in": ["a"]}}),
        &json!({"issuer": {"evidence": "pid", "in": ["b"]}}),
        "'issuer of pid in [a]' and 'issuer of pid in [b]' cannot both hold",
    );
    pair(
        &json!({"issuedWithin": {"evidence": "pid", "duration": "1h"}}),
        &json!({"not": {"issuedWithin": {"evidence": "pid", "duration": "2h"}}}),
        "'pid issued within 1h' and 'not pid issued within 2h' cannot both hold",
    );
    pair(
        &json!({"timeWindow": {"notAfter": "2026-01-01T00:00:00Z"}}),
        &json!({"timeWindow": {"notBefore": "2026-01-02T00:00:00Z"}}),
        "'time until 2026-01-01T00:00:00Z' and 'time from 2026-01-02T00:00:00Z' cannot both hold",
    );
    pair(
        &json!({"relyingParty": {"in": ["shop"]}}),
        &json!({"relyingParty": {"in": ["bank"]}}),
        "'relying party in [shop]' and 'relying party in [bank]' cannot both hold",
    );
}

#[test]
fn conditions_that_exclude_each_other_only_together_are_all_named() {
    one(
        json!({"all": [
            {"claim": "pid.level", "atLeast": 1},
            {"claim": "pid.level", "atMost": 2},
            {"claim": "pid.level", "notIn": [1, 2]},
        ]}),
        "spec.rule.all[2]",
        "'pid.level at least 1', 'pid.level at most 2' and 'not pid.level in [1, 2]' cannot all hold",
    );
    one(
        json!({"all": [
            {"not": {"claim": "pid.member", "equals": true}},
            {"not": {"claim": "pid.member", "equals": false}},
        ]}),
        "spec.rule.all[1]",
        "'not pid.member equals true' and 'not pid.member equals false' cannot both hold",
    );
}

#[test]
fn a_condition_that_can_never_hold_alone_is_named() {
    for (rule, message) in [
        (
            json!({"claim": "pid.birthdate", "age": {"atLeast": 21, "atMost": 18}}),
            "'pid.birthdate age from 21 to 18' can never hold",
        ),
        (
            json!({"claim": "pid.birthdate", "age": {"atLeast": 151}}),
            "'pid.birthdate age at least 151' can never hold",
        ),
        (
            json!({"not": {"purpose": {"in": ["age-check", "account-opening"]}}}),
            "'not purpose in [age-check, account-opening]' can never hold with spec.purposes",
        ),
        (
            json!({"credentialType": {"evidence": "student", "in": ["urn:eudi:pid:1"]}}),
            "'type of student in [urn:eudi:pid:1]' can never hold with the types of evidence 'student'",
        ),
        (
            json!({"not": {"assurance": {"evidence": "pid", "atLeast": "low"}}}),
            "'not assurance of pid at least low' can never hold",
        ),
        (
            json!({"timeWindow": {"notBefore": "2026-01-02T00:00:00Z", "notAfter": "2026-01-01T00:00:00Z", "dailyFrom": "08:00", "dailyTo": "09:00"}}),
            "'time from 2026-01-02T00:00:00Z until 2026-01-01T00:00:00Z daily 08:00 to 09:00 UTC' can never hold",
        ),
    ] {
        one(rule, "spec.rule", message);
    }
}

#[test]
fn absence_can_never_be_shown() {
    let because = "can never hold: absence proves nothing, a wallet can withhold what it has";
    one(
        json!({"not": {"presented": "student"}}),
        "spec.rule",
        &format!("'not student presented' {because}"),
    );
    one(
        json!({"not": {"claim": "pid.country", "present": true}}),
        "spec.rule",
        &format!("'not pid.country present' {because}"),
    );
    one(
        json!({"not": {"claim": "pid.nationalities", "equals": "XX"}}),
        "spec.rule",
        &format!("'not pid.nationalities equals XX' {because}"),
    );
    // Among alternatives too, where it would only look as if it could.
    one(
        json!({"any": [{"not": {"presented": "student"}}, {"claim": "pid.level", "atLeast": 1}]}),
        "spec.rule.any[0]",
        &format!("'not student presented' {because}"),
    );
}

/// A wallet that withholds the nationality on the list has another one move to the index.
#[test]
fn what_an_element_is_not_can_never_be_shown_by_its_index() {
    let refused = |not: Value, path: &str, said: &str| {
        let because = "its path has an index, and a wallet can withhold elements before that one, so that another moves to its place; say what the element must be, or use a claim of its own";
        let message = format!("'{said}' can never be shown: {because}");
        let found: Vec<_> = refusals(&counted(not))
            .into_iter()
            .map(|(path, message, _)| (path, message))
            .collect();
        assert_eq!(found, [(path.to_owned(), message)]);
    };
    let xx = || json!({"claim": "pid.first", "equals": "XX"});
    refused(
        json!({"claim": "pid.first", "notIn": ["XX", "YY"]}),
        "spec.rule",
        "not pid.first in [XX, YY]",
    );
    refused(json!({"not": xx()}), "spec.rule", "not pid.first equals XX");
    refused(
        json!({"any": [{"claim": "pid.country", "equals": "DE"}, {"not": {"all": [xx()]}}]}),
        "spec.rule.any[1].not.all[0]",
        "not pid.first equals XX",
    );
    // Below an element it is the same element that the wallet chooses.
    refused(
        json!({"not": {"claim": "pid.degree", "before": "2020-01-01"}}),
        "spec.rule",
        "not pid.degree before 2020-01-01",
    );
}

#[test]
fn what_an_element_is_can_be_asked_by_its_index() {
    for rule in [
        json!({"claim": "pid.first", "in": ["DE", "FR"]}),
        json!({"not": {"claim": "pid.first", "notIn": ["DE"]}}),
        json!({"claim": "pid.degree", "before": "2020-01-01"}),
        json!({"claim": "pid.first", "present": true}),
    ] {
        assert_eq!(refusals(&counted(rule)), []);
    }
}

/// A policy whose `pid` has claims that are found by an index.
fn counted(rule: Value) -> Policy {
    let mut policy = policy(rule);
    for (id, path) in [
        ("first", json!(["nationalities", 0])),
        ("degree", json!(["degrees", 0, "since"])),
    ] {
        let claim = serde_json::from_value(json!({"id": id, "path": path}));
        policy.evidence[0].claims.push(claim.unwrap());
    }
    policy
}

#[test]
fn a_group_of_which_too_few_can_hold_is_named() {
    let de = || json!({"claim": "pid.country", "equals": "DE"});
    let fr = || json!({"claim": "pid.country", "equals": "FR"});
    let nl = || json!({"claim": "pid.country", "equals": "NL"});
    let student = || json!({"claim": "student.active", "equals": true});
    one(
        json!({"all": [{"any": [fr(), {"all": [student(), nl()]}]}, de()]}),
        "spec.rule.all[0]",
        "none of its 2 alternatives can hold: 'pid.country equals DE' and 'pid.country equals FR' cannot both hold",
    );
    one(
        json!({"atLeast": {"n": 3, "of": [student(), {"all": [de(), fr()]}, nl()]}}),
        "spec.rule",
        "at least 3 of 3 must hold and only 2 can: 'pid.country equals DE' and 'pid.country equals FR' cannot both hold",
    );
    // That not even one of two holds is that neither does.
    one(
        json!({"not": {"atLeast": {"n": 1, "of": [student(), {"any": [{"not": de()}, {"not": fr()}]}]}}}),
        "spec.rule",
        "at least 2 of 2 must hold and only 1 can: 'pid.country equals DE' and 'pid.country equals FR' cannot both hold",
    );
    assert_eq!(
        never(json!({"atLeast": {"n": 2, "of": [student(), {"all": [de(), fr()]}, nl()]}})),
        []
    );
    assert_eq!(
        never(json!({"all": [{"any": [fr(), student()]}, de()]})),
        []
    );
}

#[test]
fn what_can_hold_is_let_through() {
    for rule in [
        json!({"any": [{"claim": "pid.country", "equals": "DE"}, {"claim": "pid.country", "equals": "FR"}]}),
        json!({"all": [{"claim": "pid.level", "atLeast": 1}, {"claim": "pid.level", "atMost": 1}]}),
        json!({"all": [{"claim": "pid.nationalities", "equals": "DE"}, {"claim": "pid.nationalities", "equals": "FR"}]}),
        json!({"all": [{"claim": "pid.birthdate", "age": {"atLeast": 18}}, {"claim": "pid.birthdate", "before": "2000-01-01"}]}),
        json!({"all": [{"claim": "pid.birthdate", "present": true}, {"claim": "pid.birthdate", "after": "2000-01-01"}]}),
        json!({"not": {"claim": "pid.birthdate", "age": {"atLeast": 18, "atMost": 21}}}),
        json!({"not": {"timeWindow": {"notBefore": "2026-01-02T00:00:00Z", "notAfter": "2026-01-01T00:00:00Z"}}}),
        json!({"credentialType": {"evidence": "student", "in": ["urn:example:enrolment:2"]}}),
    ] {
        assert_eq!(never(rule), []);
    }
}
