//! What a decision says, and what may be asked at all.

use std::collections::BTreeMap;

use pavilion_policy::{
    BuildError, Clause, Engine, Fact, Facts, GoDuration, Obligations, Policy, Question, RpRules,
    Verdict,
};
use serde_json::{Value, json};

use crate::examples::{claim, decide, engine, facts, now, pid, policy, question, spec, verified};

fn adult() -> Fact {
    pid(json!({"birthdate": "2000-05-01", "country": "DE"}))
}

fn enrolled() -> Fact {
    verified("urn:example:enrolment", json!({"active": true}))
}

fn account_opening() -> Value {
    json!({"all": [
        {"claim": "pid.birthdate", "age": {"atLeast": 18}},
        {"any": [
            {"claim": "pid.country", "in": ["DE", "FR", "NL"]},
            {"all": [
                {"claim": "student.active", "equals": true},
                {"issuedWithin": {"evidence": "student", "duration": "4320h"}},
            ]},
        ]},
        {"not": {"claim": "pid.country", "in": ["XX"]}},
    ]})
}

fn clause<'a>(decision: &'a pavilion_policy::Decision, path: &str) -> &'a Clause {
    let mut clauses = decision.clauses.iter();
    clauses
        .find(|clause| clause.path == path)
        .unwrap_or_else(|| panic!("no clause {path}"))
}

#[test]
fn a_pass_lists_every_clause_and_lets_out_what_the_policy_discloses() {
    let decision = decide(account_opening(), &facts(adult(), enrolled()));
    assert_eq!(decision.verdict, Verdict::Pass);
    let paths: Vec<_> = decision
        .clauses
        .iter()
        .map(|clause| clause.path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["evidence.pid", "rule.all[0]", "rule.all[1]", "rule.all[2]"]
    );
    assert!(
        decision
            .clauses
            .iter()
            .all(|clause| clause.verdict == Verdict::Pass && clause.code.is_none())
    );
    assert_eq!(
        decision.disclose,
        [claim("pid.country"), claim("student.active")]
    );
}

#[test]
fn what_was_not_verified_is_not_disclosed() {
    let decision = decide(account_opening(), &facts(adult(), Fact::Missing));
    assert_eq!(decision.verdict, Verdict::Pass);
    assert_eq!(decision.disclose, [claim("pid.country")]);
}

#[test]
fn a_fail_names_every_broken_clause_with_a_sentence_and_discloses_nothing() {
    let minor = pid(json!({"birthdate": "2010-05-01", "country": "XX"}));
    let decision = decide(account_opening(), &facts(minor, Fact::Missing));
    assert_eq!(decision.verdict, Verdict::Fail);
    assert!(decision.disclose.is_empty());
    for (path, because) in [
        (
            "rule.all[0]",
            "does not hold: pid.birthdate age at least 18",
        ),
        (
            "rule.all[1]",
            "none of: pid.country in [DE, FR, NL]; (student.active equals true and student issued within 4320h)",
        ),
        ("rule.all[2]", "does not hold: not pid.country in [XX]"),
    ] {
        let clause = clause(&decision, path);
        assert_eq!(clause.verdict, Verdict::Fail);
        assert_eq!(clause.code, Some("clause_not_met"));
        assert_eq!(clause.because.as_deref(), Some(because));
    }
}

#[test]
fn unknown_evidence_makes_a_verdict_indeterminate_only_where_it_matters() {
    let unknown = || Fact::Indeterminate {
        code: "status_unreachable",
    };
    let french = pid(json!({"birthdate": "2000-05-01", "country": "FR"}));
    assert_eq!(
        decide(account_opening(), &facts(french, unknown())).verdict,
        Verdict::Pass
    );

    let swiss = pid(json!({"birthdate": "2000-05-01", "country": "CH"}));
    let decision = decide(account_opening(), &facts(swiss, unknown()));
    assert_eq!(decision.verdict, Verdict::Indeterminate);
    assert!(decision.disclose.is_empty());
    let open = clause(&decision, "rule.all[1]");
    assert_eq!(
        (open.verdict, open.code),
        (Verdict::Indeterminate, Some("clause_undecided"))
    );
    assert!(
        open.because
            .as_ref()
            .unwrap()
            .starts_with("cannot be decided: any of: ")
    );

    let minor = pid(json!({"birthdate": "2010-05-01", "country": "CH"}));
    let decision = decide(account_opening(), &facts(minor, unknown()));
    assert_eq!(decision.verdict, Verdict::Fail);
    assert_eq!(clause(&decision, "rule.all[0]").verdict, Verdict::Fail);
    assert_eq!(
        clause(&decision, "rule.all[1]").verdict,
        Verdict::Indeterminate
    );
}

#[test]
fn required_evidence_has_a_clause_of_its_own() {
    let rule = || json!({"claim": "pid.country", "equals": "DE"});
    for (fact, verdict, code, because) in [
        (
            Fact::Missing,
            Verdict::Fail,
            "evidence_missing",
            "evidence pid was not presented",
        ),
        (
            Fact::Failed {
                code: "presentation_expired",
            },
            Verdict::Fail,
            "presentation_expired",
            "evidence pid was refused",
        ),
        (
            Fact::Indeterminate {
                code: "status_unreachable",
            },
            Verdict::Indeterminate,
            "status_unreachable",
            "whether evidence pid counts could not be established",
        ),
    ] {
        let decision = decide(rule(), &facts(fact, Fact::Missing));
        assert_eq!(decision.verdict, verdict);
        let clause = clause(&decision, "evidence.pid");
        assert_eq!((clause.verdict, clause.code), (verdict, Some(code)));
        assert_eq!(clause.because.as_deref(), Some(because));
    }
    assert_eq!(decide(rule(), &Facts::default()).verdict, Verdict::Fail);
}

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
fn the_code_of_a_clause_says_why_its_evidence_did_not_help() {
    let rule = || json!({"claim": "student.active", "equals": true});
    for (student, code) in [
        (Fact::Missing, "evidence_missing"),
        (
            Fact::Failed {
                code: "presentation_revoked",
            },
            "presentation_revoked",
        ),
        (
            verified("urn:example:enrolment", json!({"active": false})),
            "clause_not_met",
        ),
        (
            verified("urn:example:enrolment", json!({"active": "yes"})),
            "claim_not_comparable",
        ),
        (
            verified("urn:example:enrolment", json!({})),
            "claim_not_comparable",
        ),
    ] {
        let decision = decide(rule(), &facts(adult(), student));
        assert_eq!(clause(&decision, "rule").code, Some(code));
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
fn no_sentence_repeats_a_value_of_the_subject() {
    let secret = "Zzyzx";
    let rule = json!({"all": [
        {"claim": "pid.country", "equals": "DE"},
        {"any": [{"claim": "pid.level", "atLeast": 2}, {"claim": "student.active", "equals": true}]},
        {"atLeast": {"n": 2, "of": [{"claim": "pid.country", "in": ["FR"]}, {"claim": "pid.member", "equals": true}, {"presented": "student"}]}},
        {"not": {"any": [{"claim": "pid.level", "equals": 1}, {"not": {"claim": "pid.country", "equals": "DE"}}]}},
    ]});
    let claims = json!({"country": secret, "level": secret, "member": secret, "birthdate": secret});
    for student in [
        Fact::Missing,
        Fact::Indeterminate {
            code: "status_stale",
        },
    ] {
        let decision = decide(rule.clone(), &facts(pid(claims.clone()), student));
        assert!(!format!("{decision:?}").contains(secret));
        assert!(
            !serde_json::to_string(&decision.clauses)
                .unwrap()
                .contains(secret)
        );
    }
}

fn limits(seconds: u32, disclose: &[&str]) -> Obligations {
    Obligations {
        answer_time_to_live: GoDuration::from_seconds(seconds),
        keep_result: None,
        disclose: Some(disclose.iter().map(|name| claim(name)).collect()),
    }
}

fn limited() -> Engine {
    let mut policy = policy(account_opening());
    policy.obligations = limits(600, &["pid.country", "student.active"]);
    policy.obligations.keep_result = GoDuration::from_seconds(900);
    let rules = RpRules {
        purposes: vec!["account-opening".to_owned()],
        policies: vec!["p".to_owned()],
        obligations: limits(300, &["pid.country", "pid.birthdate"]),
    };
    Engine::build([("p", &policy), ("q", &policy)], [("shop", &rules)]).unwrap()
}

#[test]
fn obligations_of_policy_and_relying_party_are_merged_by_the_strictest_rule() {
    let decision = limited().decide(&question(), &facts(adult(), enrolled()));
    assert_eq!(
        decision.obligations.answer_time_to_live,
        GoDuration::from_seconds(300)
    );
    assert_eq!(
        decision.obligations.keep_result,
        GoDuration::from_seconds(900)
    );
    assert_eq!(
        decision.obligations.disclose,
        limits(1, &["pid.country"]).disclose
    );
    assert_eq!(decision.disclose, [claim("pid.country")]);

    let only_student = [claim("student.active")];
    let fewer = Question {
        requested_disclosure: Some(&only_student),
        ..question()
    };
    assert!(
        limited()
            .decide(&fewer, &facts(adult(), enrolled()))
            .disclose
            .is_empty()
    );
}

#[test]
fn a_question_that_may_not_be_asked_is_refused_with_its_code() {
    let engine = limited();
    let too_much = [claim("pid.country"), claim("student.active")];
    let enough = [claim("pid.country")];
    let code = |question: Question<'_>| engine.admit(&question).err().map(|refusal| refusal.code);
    assert_eq!(code(question()), None);
    assert_eq!(
        code(Question {
            requested_disclosure: Some(&enough),
            ..question()
        }),
        None
    );
    assert_eq!(
        code(Question {
            policy: "none",
            ..question()
        }),
        Some("policy_unknown")
    );
    assert_eq!(
        code(Question {
            policy: "q",
            ..question()
        }),
        Some("policy_not_registered")
    );
    assert_eq!(
        code(Question {
            relying_party: "bank",
            ..question()
        }),
        Some("policy_not_registered")
    );
    assert_eq!(
        code(Question {
            purpose: "age-check",
            ..question()
        }),
        Some("purpose_not_registered")
    );
    assert_eq!(
        code(Question {
            purpose: "spam",
            ..question()
        }),
        Some("purpose_not_registered")
    );
    let refusal = engine
        .admit(&Question {
            requested_disclosure: Some(&too_much),
            ..question()
        })
        .unwrap_err();
    assert_eq!(refusal.code, "over_asking");
    assert!(refusal.to_string().contains("'student.active'"));
}

#[test]
fn a_question_that_may_not_be_asked_fails_even_if_it_reaches_the_decision() {
    let engine = limited();
    let facts = facts(adult(), enrolled());
    for (question, code) in [
        (
            Question {
                policy: "q",
                ..question()
            },
            "policy_not_registered",
        ),
        (
            Question {
                policy: "none",
                ..question()
            },
            "policy_not_registered",
        ),
        (
            Question {
                relying_party: "bank",
                ..question()
            },
            "policy_not_registered",
        ),
        (
            Question {
                purpose: "age-check",
                ..question()
            },
            "purpose_not_registered",
        ),
        (
            Question {
                purpose: "spam",
                ..question()
            },
            "purpose_not_registered",
        ),
    ] {
        let decision = engine.decide(&question, &facts);
        assert_eq!(decision.verdict, Verdict::Fail, "{question:?}");
        assert!(decision.disclose.is_empty());
        assert!(
            decision
                .clauses
                .iter()
                .any(|clause| clause.code == Some(code)),
            "{question:?}"
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
fn a_decision_names_the_revision_that_it_was_made_by() {
    let policy = policy(account_opening());
    let engine = engine(policy.clone());
    let ask = |asked: &Question<'_>| engine.decide(asked, &facts(adult(), enrolled())).revision;
    let digest = pavilion_policy::revision_digest(&policy);
    assert_eq!(ask(&question()), Some(digest));
    let stranger = Question {
        relying_party: "stranger",
        ..question()
    };
    assert_eq!(ask(&stranger), Some(digest));
    let unknown = Question {
        policy: "unknown",
        ..question()
    };
    assert_eq!(ask(&unknown), None);
}

#[test]
fn a_question_that_may_not_be_asked_fails_and_still_tells_unknown_from_failed() {
    let engine = engine(policy(account_opening()));
    let foreign = Question {
        purpose: "advertising",
        ..question()
    };
    let unknown = Fact::Indeterminate {
        code: "status_unreachable",
    };
    let decision = engine.decide(&foreign, &facts(unknown, Fact::Missing));
    assert_eq!(decision.verdict, Verdict::Fail);
    assert!(decision.disclose.is_empty());
    let told = |path: &str| {
        let clause = clause(&decision, path);
        (clause.verdict, clause.code)
    };
    assert_eq!(
        told("relyingParty"),
        (Verdict::Fail, Some("purpose_not_registered"))
    );
    assert_eq!(
        told("evidence.pid"),
        (Verdict::Indeterminate, Some("status_unreachable"))
    );
    assert_eq!(
        told("rule.all[0]"),
        (Verdict::Indeterminate, Some("clause_undecided"))
    );
}

#[test]
fn an_engine_is_not_built_from_what_does_not_fit_together() {
    let bad = policy(json!({"claim": "pid.shoe", "equals": 1}));
    let none: BTreeMap<String, RpRules> = BTreeMap::new();
    let error = Engine::build([("p", &bad)], &none).err().unwrap();
    assert!(
        matches!(&error, BuildError::Policy { name, errors } if name == "p" && errors.len() == 1)
    );
    assert_eq!(
        error.to_string(),
        "policy 'p': spec.rule.claim: evidence 'pid' has no claim 'shoe'"
    );

    let rules = RpRules {
        policies: vec!["gone".to_owned()],
        purposes: vec!["x".to_owned()],
        ..RpRules::default()
    };
    let no_policies: BTreeMap<String, Policy> = BTreeMap::new();
    let error = Engine::build(&no_policies, [("shop", &rules)])
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "relying party 'shop' names policy 'gone', which is not there"
    );
}

#[test]
fn a_relying_party_that_shares_no_purpose_with_a_policy_is_refused() {
    let good = policy(json!({"presented": "pid"}));
    for purposes in [vec![], vec!["another".to_owned()]] {
        let rules = RpRules {
            policies: vec!["p".to_owned()],
            purposes,
            ..RpRules::default()
        };
        let error = Engine::build([("p", &good)], [("shop", &rules)])
            .err()
            .unwrap();
        assert_eq!(
            error.to_string(),
            "relying party 'shop': is registered for none of the purposes of policy 'p'"
        );
    }
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

#[test]
fn a_decision_is_the_same_whatever_else_the_tenant_has() {
    let alone = engine(policy(account_opening()));
    let policies: BTreeMap<String, Policy> = (0..50)
        .map(|at| {
            (
                format!("p{at}"),
                policy(json!({"claim": "pid.level", "atLeast": at})),
            )
        })
        .chain([(
            "p".to_owned(),
            Policy::from_spec(spec(account_opening())).unwrap(),
        )])
        .collect();
    let rules = RpRules {
        purposes: vec!["account-opening".to_owned(), "age-check".to_owned()],
        policies: policies.keys().cloned().collect(),
        ..RpRules::default()
    };
    let crowded = Engine::build(&policies, [("shop", &rules)]).unwrap();
    let facts = facts(adult(), enrolled());
    assert_eq!(
        alone.decide(&question(), &facts),
        crowded.decide(&question(), &facts)
    );
    assert_eq!(question().now, now());
}
