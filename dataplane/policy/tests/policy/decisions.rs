//! What a decision says.

use std::collections::BTreeMap;

use pavilion_policy::{Engine, Fact, Facts, Policy, Question, RpRules, Verdict};
use serde_json::json;

use crate::examples::{
    account_opening, adult, claim, clause, decide, engine, enrolled, facts, now, pid, policy,
    question, spec, verified,
};

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
