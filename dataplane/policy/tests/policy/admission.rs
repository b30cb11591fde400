//! What may be asked at all, and within which limits it is answered.

use std::collections::BTreeMap;

use pavilion_policy::{
    BuildError, Engine, Fact, GoDuration, Obligations, Policy, Question, RpRules, Verdict,
};
use serde_json::json;

use crate::examples::{
    account_opening, adult, claim, clause, engine, enrolled, facts, policy, question,
};

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
