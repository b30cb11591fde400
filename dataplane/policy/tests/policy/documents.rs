//! A policy as a document: read, written, named by its digest.

// Tables of cases, long but flat.
#![allow(clippy::too_many_lines)]

use pavilion_policy::{Policy, check, engine_version, revision_digest};
use serde_json::{Value, json};

use crate::examples::{policy, spec};

/// Every form a rule can take.
fn every_form() -> Value {
    json!({"all": [
        {"claim": "pid.birthdate", "age": {"atLeast": 18}},
        {"claim": "pid.birthdate", "age": {"atLeast": 18, "atMost": 99}},
        {"claim": "pid.country", "equals": "DE"},
        {"claim": "pid.level", "equals": -3},
        {"claim": "pid.member", "equals": true},
        {"claim": "pid.country", "in": ["DE", "FR"]},
        {"claim": "pid.country", "notIn": ["XX"]},
        {"claim": "pid.level", "atLeast": -5},
        {"claim": "pid.birthdate", "atLeast": "1950-01-01"},
        {"claim": "pid.level", "atMost": 7},
        {"claim": "pid.birthdate", "atMost": "2009-12-31"},
        {"claim": "pid.birthdate", "before": "2010-01-01"},
        {"claim": "pid.birthdate", "after": "1949-12-31"},
        {"claim": "pid.country", "present": true},
        {"issuer": {"evidence": "pid", "in": ["https://issuer.example"]}},
        {"credentialType": {"evidence": "pid", "in": ["urn:eudi:pid:1"]}},
        {"issuedWithin": {"evidence": "pid", "duration": "4320h"}},
        {"assurance": {"evidence": "pid", "atLeast": "substantial"}},
        {"purpose": {"in": ["account-opening"]}},
        {"relyingParty": {"in": ["shop"]}},
        {"timeWindow": {
            "notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-12-31T23:59:59Z",
            "dailyFrom": "08:00", "dailyTo": "24:00", "timeZone": "Europe/Berlin",
        }},
        {"presented": "pid"},
        {"any": [{"presented": "pid"}, {"not": {"claim": "pid.country", "equals": "XX"}}]},
        {"atLeast": {"n": 1, "of": [{"presented": "pid"}, {"presented": "student"}]}},
    ]})
}

#[test]
fn every_form_of_a_rule_reads_back_as_it_was_written_and_compiles() {
    let written = serde_json::to_value(policy(every_form())).unwrap();
    assert_eq!(written["rule"], every_form());
    assert_eq!(Policy::from_spec(written).unwrap(), policy(every_form()));
    let compiled = check("p", &policy(every_form())).unwrap();
    assert_eq!(compiled.name(), "p");
    assert_eq!(compiled.cedar().matches("forbid").count(), 25);
    assert_eq!(compiled.cedar().matches("permit").count(), 1);
    assert!(compiled.cedar().contains(r#"@id("rule.all[0]")"#));
    assert!(
        compiled
            .schema()
            .contains(r#""pid.birthdate:years"?: Long"#)
    );
    assert!(format!("{compiled:?}").contains("sha-256:"));
}

#[test]
fn defaults_that_are_written_out_change_nothing() {
    let mut long = spec(json!({"presented": "pid"}));
    long["obligations"] = json!({});
    for evidence in long["evidence"].as_array_mut().unwrap() {
        evidence["holderBinding"] = json!(true);
    }
    let short = policy(json!({"presented": "pid"}));
    let long = Policy::from_spec(long).unwrap();
    assert!(long.evidence[0].holder_binding && !long.evidence[0].optional);
    assert_eq!(revision_digest(&short), revision_digest(&long));
}

/// Changes only with the engine's version, the schema or the meaning of a policy; then on purpose.
#[test]
fn the_digest_of_a_revision_is_stable() {
    let policy = policy(every_form());
    assert_eq!(
        engine_version(),
        "pavilion-policy/1 cedar/4.14.1 tzdb/2026f"
    );
    assert_eq!(
        revision_digest(&policy).to_string(),
        "sha-256:53cc68455866023f457ee1f19a3edb38accd35f714cf22b449a6efc427a42272"
    );
    assert_eq!(
        check("any name", &policy).unwrap().digest(),
        revision_digest(&policy)
    );
}

#[test]
fn any_change_of_content_changes_the_digest() {
    let base = policy(json!({"claim": "pid.level", "atLeast": 3}));
    let digest = revision_digest(&base);
    let mut changed = base.clone();
    changed.title = Some("Another title".to_owned());
    assert_ne!(revision_digest(&changed), digest);
    for rule in [
        json!({"claim": "pid.level", "atLeast": 4}),
        json!({"claim": "pid.level", "atMost": 3}),
        json!({"all": [{"claim": "pid.level", "atLeast": 3}]}),
        json!({"claim": "pid.level", "atLeast": i64::MAX}),
        json!({"claim": "pid.level", "atLeast": i64::MAX - 1}),
    ] {
        assert_ne!(revision_digest(&policy(rule)), digest);
    }
    let beyond =
        |number: i64| revision_digest(&policy(json!({"claim": "pid.level", "atLeast": number})));
    assert_ne!(beyond(i64::MAX), beyond(i64::MAX - 1));
}

#[test]
fn a_shape_that_does_not_fit_is_refused_with_its_path() {
    let rule = |rule: Value| {
        Policy::from_spec(spec(json!({"all": [{"presented": "pid"}, rule]}))).unwrap_err()
    };
    let date = "such as 2008-02-29";
    for (bad, path, message) in [
        (json!({}), "", "a rule is one of all, any"),
        (
            json!({"all": [{"presented": "pid"}], "any": [{"presented": "pid"}]}),
            "",
            "a rule says one thing",
        ),
        (
            json!({"claim": "pid.level", "atLeast": 3, "presented": "pid"}),
            "",
            "a rule says one thing",
        ),
        (
            json!({"claim": "pid.level", "atLeast": 3, "atMost": 5}),
            "",
            "a claim takes one test",
        ),
        (json!({"claim": "pid.level"}), "", "a claim needs one test"),
        (
            json!({"claim": "pid.level", "equals": null}),
            "",
            "a claim needs one test",
        ),
        (json!({"equals": 3}), "", "a test stands beside the claim"),
        (json!({"atLeast": 3}), "", "a test stands beside the claim"),
        (
            json!({"claim": "pid.level", "present": false}),
            "",
            "present takes only true",
        ),
        (
            json!({"claim": "level", "equals": 3}),
            ".claim",
            "evidence.claim",
        ),
        (
            json!({"claim": "pid.level", "is": 3}),
            ".is",
            "unknown field `is`",
        ),
        (
            json!({"claim": "pid.level", "equals": 1.5}),
            ".equals",
            "a text, a whole number, true or false",
        ),
        (
            json!({"claim": "pid.level", "atLeast": 1.5}),
            ".atLeast",
            "a whole number or a date",
        ),
        (
            json!({"claim": "pid.level", "atLeast": "soon"}),
            ".atLeast",
            date,
        ),
        (
            json!({"claim": "pid.level", "atMost": "2007-02-29"}),
            ".atMost",
            date,
        ),
        (
            json!({"claim": "pid.birthdate", "before": "2007-02-29"}),
            ".before",
            date,
        ),
        (
            json!({"claim": "pid.birthdate", "age": {"atLeast": -1}}),
            ".age.atLeast",
            "u32",
        ),
        (
            json!({"atLeast": {"n": 1, "of": [{"presented": "pid"}, {"x": 1}]}}),
            ".atLeast.of[1].x",
            "unknown field `x`",
        ),
        (
            json!({"issuedWithin": {"evidence": "pid", "duration": "a year"}}),
            ".issuedWithin.duration",
            "such as 90s",
        ),
        (
            json!({"assurance": {"evidence": "pid", "atLeast": "medium"}}),
            ".assurance.atLeast",
            "unknown variant",
        ),
        (
            json!({"timeWindow": {"dailyFrom": "8:00"}}),
            ".timeWindow.dailyFrom",
            "00:00 to 24:00",
        ),
        (
            json!({"timeWindow": {"notBefore": "tomorrow"}}),
            ".timeWindow.notBefore",
            "",
        ),
    ] {
        let error = rule(bad.clone());
        assert_eq!(
            error.path,
            format!("spec.rule.all[1]{path}"),
            "{bad}: {error}"
        );
        assert!(error.message.contains(message), "{bad}: {error}");
        assert_eq!(error.code, "PolicyInvalid");
    }
}

#[test]
fn fields_around_the_rule_are_refused_with_their_path_too() {
    let changed = |pointer: &str, value: Value| {
        let mut spec = spec(json!({"presented": "pid"}));
        *spec.pointer_mut(pointer).unwrap() = value;
        Policy::from_spec(spec).unwrap_err()
    };
    for (pointer, value, path) in [
        (
            "/evidence/0/format",
            json!("jwt_vc"),
            "spec.evidence[0].format",
        ),
        (
            "/evidence/0/claims/0/path",
            json!(["a", -1]),
            "spec.evidence[0].claims[0].path[1]",
        ),
        (
            "/evidence/0/claims/0/path",
            json!(["a", u64::MAX]),
            "spec.evidence[0].claims[0].path[1]",
        ),
        (
            "/evidence/0/claims/0/path",
            json!([true]),
            "spec.evidence[0].claims[0].path[0]",
        ),
        ("/disclose", json!(["country"]), "spec.disclose[0]"),
        ("/purposes", json!("age-check"), "spec.purposes"),
    ] {
        assert_eq!(changed(pointer, value).path, path);
    }
    let error = Policy::from_spec(json!([])).unwrap_err();
    assert_eq!(error.path, "spec");
}

#[test]
fn saying_that_evidence_may_come_with_the_question_is_no_other_revision_and_refusing_it_is() {
    let with = |word: &str| {
        let mut document = serde_json::to_value(policy(every_form())).unwrap();
        assert_eq!(document.get("evidenceWithRequest"), None);
        document["evidenceWithRequest"] = json!(word);
        Policy::from_spec(document)
    };
    let plain = policy(every_form());
    let digest = revision_digest(&plain);
    assert_eq!(revision_digest(&with("Allowed").unwrap()), digest);
    assert_ne!(revision_digest(&with("Refused").unwrap()), digest);
    let error = with("refused").unwrap_err();
    assert_eq!(error.path, "spec.evidenceWithRequest");
}
