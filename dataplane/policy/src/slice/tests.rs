//! Cedar leaves out a policy that it cannot evaluate. These tests hold the line behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use cedar_policy::{Policy as CedarPolicy, PolicyId, PolicySet};
use serde_json::{Value, json};

use super::{Evaluation, Judge, Slice, merged};
use crate::check::check;
use crate::compile::Compiled;
use crate::engine::{Question, RpRules, Verdict};
use crate::facts::{Fact, Facts};
use crate::model::Policy;

/// Strict validation passes it; with `spent` at the end of its range the addition overflows.
const TRAP: &str = r#"forbid (principal, action, resource) unless {
    context has "budget.spent:integer" && context["budget.spent:integer"] + 1 <= 100
};"#;

/// Overflows only where unknown evidence counts as true.
const OPTIMISTIC_TRAP: &str = r#"forbid (principal, action, resource) unless {
    context has "budget:unknown" && 9223372036854775807 + context.now > 0
};"#;

fn compiled() -> Compiled {
    let policy = Policy::from_spec(json!({
        "purposes": ["spend"],
        "evidence": [{
            "id": "budget", "optional": true, "format": "dc+sd-jwt", "types": ["t"], "trust": ["x"],
            "claims": [{"id": "spent", "path": ["spent"]}],
        }],
        "rule": {"all": [
            {"claim": "budget.spent", "atMost": 100},
            {"any": [{"timeWindow": {"notAfter": "2030-01-01T00:00:00Z"}}, {"presented": "budget"}]},
        ]},
    }));
    check("p", &policy.unwrap()).unwrap()
}

/// The slice with the first clause of the rule written by hand.
fn slice_with(clause: &str) -> Slice {
    let compiled = compiled();
    let id = PolicyId::new("rule.all[0]");
    let by_hand = CedarPolicy::parse(Some(id.clone()), clause).unwrap();
    compiled
        .validated("rule.all[0]", by_hand.to_json().unwrap())
        .expect("strict validation passes the trap");
    let rules = RpRules {
        purposes: vec!["spend".to_owned()],
        ..RpRules::default()
    };
    let mut slice = Slice::new("shop", &rules, &compiled).unwrap();
    let rest = slice
        .set
        .policies()
        .filter(|policy| *policy.id() != id)
        .cloned();
    slice.set = PolicySet::from_policies(rest.chain([by_hand])).unwrap();
    slice
}

fn question() -> Question<'static> {
    Question {
        relying_party: "shop",
        policy: "p",
        purpose: "spend",
        requested_disclosure: None,
        now: "2026-01-15T12:00:00Z".parse().unwrap(),
    }
}

fn budget(spent: impl Into<Value>) -> Facts {
    let fact = Fact::Verified {
        issuer: "i".to_owned(),
        credential_type: "t".to_owned(),
        issued_at: None,
        assurance: None,
        claims: BTreeMap::from([("spent".to_owned(), spent.into())]),
    };
    Facts(BTreeMap::from([("budget".to_owned(), fact)]))
}

#[test]
fn a_clause_that_overflows_denies_although_cedar_allows() {
    let slice = slice_with(TRAP);
    let judge = Judge::new().unwrap();
    assert_eq!(
        slice.decide(&judge, &question(), &budget(99)).verdict,
        Verdict::Pass
    );
    assert_eq!(
        slice.decide(&judge, &question(), &budget(100)).verdict,
        Verdict::Fail
    );

    let decision = slice.decide(&judge, &question(), &budget(i64::MAX));
    assert_eq!(decision.verdict, Verdict::Fail);
    assert_eq!(decision.errors, ["rule.all[0] could not be evaluated"]);
    assert!(decision.disclose.is_empty());
    let clause = decision
        .clauses
        .iter()
        .find(|clause| clause.path == "rule.all[0]")
        .unwrap();
    assert_eq!(
        (clause.verdict, clause.code),
        (Verdict::Fail, Some("policy_evaluation_error"))
    );
}

#[test]
fn the_trap_is_real_cedar_itself_says_allow() {
    let slice = slice_with(TRAP);
    let judge = Judge::new().unwrap();
    let facts = budget(i64::MAX);
    let pairs = slice.plan.readers.iter().filter_map(|reader| {
        reader.read(&super::Situation {
            facts: &facts,
            purpose: "spend",
            now: question().now,
            optimistic: false,
        })
    });
    let request = slice.request(&judge, pairs.collect()).unwrap();
    let response = judge
        .authorizer
        .is_authorized(&request, &slice.set, &judge.entities);
    assert_eq!(response.decision(), super::CedarDecision::Allow);
    assert_eq!(response.diagnostics().errors().count(), 1);
    assert!(!Evaluation::of(&judge, &request, &slice.set).allowed);
}

#[test]
fn an_error_in_the_optimistic_evaluation_denies_too() {
    let mut slice = slice_with("forbid (principal, action, resource);");
    let trap = CedarPolicy::parse(Some(PolicyId::new("rule.all[0]")), OPTIMISTIC_TRAP).unwrap();
    let plan = std::sync::Arc::get_mut(&mut slice.plan).unwrap();
    let rest = plan
        .optimistic
        .policies()
        .filter(|policy| *policy.id() != PolicyId::new("rule.all[0]"))
        .cloned();
    plan.optimistic = PolicySet::from_policies(rest.chain([trap])).unwrap();
    let unknown = Fact::Indeterminate {
        code: "status_unreachable",
    };
    let facts = Facts(BTreeMap::from([("budget".to_owned(), unknown)]));
    let decision = slice.decide(&Judge::new().unwrap(), &question(), &facts);
    assert_eq!(decision.verdict, Verdict::Fail);
    assert_eq!(decision.errors, ["rule.all[0] could not be evaluated"]);
}

#[test]
fn a_context_that_cannot_be_built_denies() {
    let mut compiled = compiled();
    let plan = std::sync::Arc::get_mut(&mut compiled.plan).unwrap();
    let twice = crate::context::Reader::new(crate::slot::Slot::Purpose);
    plan.readers.push(twice);
    let rules = RpRules {
        purposes: vec!["spend".to_owned()],
        ..RpRules::default()
    };
    let slice = Slice::new("shop", &rules, &compiled).unwrap();
    let decision = slice.decide(&Judge::new().unwrap(), &question(), &budget(1));
    assert_eq!(decision.verdict, Verdict::Fail);
    assert_eq!(decision.errors, ["context could not be evaluated"]);
    let told = decision
        .clauses
        .iter()
        .map(|clause| (clause.verdict, clause.code));
    let error = (Verdict::Fail, Some("policy_evaluation_error"));
    assert!(told.clone().count() >= 2);
    assert!(
        told.into_iter().all(|clause| clause == error),
        "a clause that nobody evaluated did not pass"
    );
}

#[test]
fn every_context_fits_the_schema_it_was_compiled_with() {
    let compiled = compiled();
    let (schema, _) = cedar_policy::Schema::from_cedarschema_str(compiled.schema()).unwrap();
    let judge = Judge::new().unwrap();
    let rules = RpRules {
        purposes: vec!["spend".to_owned()],
        ..RpRules::default()
    };
    let slice = Slice::new("shop", &rules, &compiled).unwrap();
    for facts in [budget(1), budget("no number"), Facts::default()] {
        let pairs = slice.plan.readers.iter().filter_map(|reader| {
            reader.read(&super::Situation {
                facts: &facts,
                purpose: "spend",
                now: question().now,
                optimistic: true,
            })
        });
        let request = slice.request(&judge, pairs.collect()).unwrap();
        let context = request.context().unwrap();
        assert!(context.validate(&schema, &judge.action).is_ok());
    }
}

#[test]
fn an_obligation_that_cannot_be_read_back_is_no_slice() {
    for annotation in [
        r#"@keepResult("soon")"#,
        r#"@answerTimeToLive("")"#,
        r#"@disclose("country")"#,
    ] {
        let text = format!("{annotation} permit (principal, action, resource);");
        let policy = CedarPolicy::parse(Some(PolicyId::new("x")), text).unwrap();
        assert!(merged(&PolicySet::from_policies([policy]).unwrap()).is_none());
    }
}

#[test]
fn a_policy_that_cedar_cannot_type_is_refused() {
    let compiled = compiled();
    let wrong = crate::cedar::forbid_unless("x", json!({"Value": 1}));
    assert!(compiled.validated("x", wrong).is_err());
    assert!(compiled.validated("x", json!({"effect": "maybe"})).is_err());
}
