//! Policies, facts and questions that tests start from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pavilion_policy::{
    Assurance, ClaimRef, Clause, Decision, Engine, Fact, Facts, Policy, Question, RpRules, check,
};
use serde_json::{Value, json};

pub const NOW: &str = "2026-01-15T12:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A policy with two pieces of evidence, `pid` required and `student` optional.
pub fn spec(rule: Value) -> Value {
    json!({
        "purposes": ["account-opening", "age-check"],
        "evidence": [
            {
                "id": "pid", "format": "dc+sd-jwt", "types": ["urn:eudi:pid:1"], "trust": ["pid-issuers"],
                "claims": [
                    {"id": "birthdate", "path": ["birthdate"]},
                    {"id": "country", "path": ["address", "country"]},
                    {"id": "nationalities", "path": ["nationalities", null]},
                    {"id": "level", "path": ["level"]},
                    {"id": "member", "path": ["member"]},
                ],
            },
            {
                "id": "student", "optional": true, "format": "dc+sd-jwt",
                "types": ["urn:example:enrolment", "urn:example:enrolment:2"], "trust": ["universities"],
                "claims": [{"id": "active", "path": ["enrolment", "active"]}],
            },
        ],
        "rule": rule,
        "disclose": ["pid.country", "student.active"],
    })
}

pub fn policy(rule: Value) -> Policy {
    Policy::from_spec(spec(rule)).unwrap()
}

/// What `check` says about a rule, as `path: message` lines with their codes.
pub fn refusals(policy: &Policy) -> Vec<(String, String, &'static str)> {
    match check("p", policy) {
        Ok(_) => Vec::new(),
        Err(errors) => errors
            .into_iter()
            .map(|error| (error.path, error.message, error.code))
            .collect(),
    }
}

pub fn engine(policy: Policy) -> Engine {
    let rules = RpRules {
        purposes: vec!["account-opening".to_owned(), "age-check".to_owned()],
        policies: vec!["p".to_owned()],
        ..RpRules::default()
    };
    Engine::build(
        &BTreeMap::from([("p".to_owned(), policy)]),
        &BTreeMap::from([("shop".to_owned(), rules)]),
    )
    .unwrap()
}

pub fn question() -> Question<'static> {
    Question {
        relying_party: "shop",
        policy: "p",
        purpose: "account-opening",
        requested_disclosure: None,
        now: now(),
    }
}

/// Verified evidence with these claims, issued an hour ago with substantial assurance.
pub fn verified(credential_type: &str, claims: Value) -> Fact {
    let Value::Object(claims) = claims else {
        panic!("claims are an object")
    };
    Fact::Verified {
        issuer: "https://issuer.example".to_owned(),
        credential_type: credential_type.to_owned(),
        issued_at: Some("2026-01-15T11:00:00Z".parse().unwrap()),
        assurance: Some(Assurance::Substantial),
        claims: claims.into_iter().collect(),
    }
}

pub fn pid(claims: Value) -> Fact {
    verified("urn:eudi:pid:1", claims)
}

pub fn facts(pid: Fact, student: Fact) -> Facts {
    Facts(BTreeMap::from([
        ("pid".to_owned(), pid),
        ("student".to_owned(), student),
    ]))
}

/// Decides a rule over these facts.
pub fn decide(rule: Value, facts: &Facts) -> Decision {
    engine(policy(rule)).decide(&question(), facts)
}

pub fn claim(text: &str) -> ClaimRef {
    text.parse().unwrap()
}

pub fn adult() -> Fact {
    pid(json!({"birthdate": "2000-05-01", "country": "DE"}))
}

pub fn enrolled() -> Fact {
    verified("urn:example:enrolment", json!({"active": true}))
}

pub fn account_opening() -> Value {
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

pub fn clause<'a>(decision: &'a Decision, path: &str) -> &'a Clause {
    let mut clauses = decision.clauses.iter();
    clauses
        .find(|clause| clause.path == path)
        .unwrap_or_else(|| panic!("no clause {path}"))
}
