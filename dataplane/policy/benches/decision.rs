//! A decision with 1 policy and with 1,000 policies in the tenant, and their ratio.
//!
//! `cargo bench -p pavilion-policy --bench decision`

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use criterion::Criterion;
use jiff::Timestamp;
use pavilion_policy::{Engine, Fact, Facts, Policy, Question, RpRules, Verdict};
use serde_json::json;

/// Ten conditions, nested, over two credentials.
fn policy(level: usize) -> Policy {
    Policy::from_spec(json!({
        "purposes": ["account-opening"],
        "evidence": [
            {"id": "pid", "format": "dc+sd-jwt", "types": ["urn:eudi:pid:1"], "trust": ["pid-issuers"], "claims": [
                {"id": "birthdate", "path": ["birthdate"]}, {"id": "country", "path": ["address", "country"]},
                {"id": "level", "path": ["level"]},
            ]},
            {"id": "student", "optional": true, "format": "dc+sd-jwt", "types": ["urn:example:enrolment"],
             "trust": ["universities"], "claims": [{"id": "active", "path": ["active"]}]},
        ],
        "rule": {"all": [
            {"claim": "pid.birthdate", "age": {"atLeast": 18}},
            {"any": [
                {"claim": "pid.country", "in": ["FR", "NL", "BE", "LU"]},
                {"all": [
                    {"claim": "student.active", "equals": true},
                    {"issuedWithin": {"evidence": "student", "duration": "4320h"}},
                ]},
            ]},
            {"not": {"claim": "pid.country", "in": ["XX", "YY"]}},
            {"atLeast": {"n": 2, "of": [
                {"assurance": {"evidence": "pid", "atLeast": "substantial"}},
                {"claim": "pid.level", "atLeast": level},
                {"issuer": {"evidence": "pid", "in": ["https://pid.example"]}},
            ]}},
            {"timeWindow": {"dailyFrom": "06:00", "dailyTo": "22:00", "timeZone": "Europe/Berlin"}},
            {"purpose": {"in": ["account-opening"]}},
        ]},
        "disclose": ["pid.country"],
    }))
    .unwrap()
}

fn engine(count: usize) -> Engine {
    let policies: BTreeMap<String, Policy> = (0..count)
        .map(|at| (format!("policy-{at}"), policy(at % 7)))
        .collect();
    let rules = RpRules {
        purposes: vec!["account-opening".to_owned()],
        policies: policies.keys().cloned().collect(),
        ..RpRules::default()
    };
    Engine::build(&policies, [("shop", &rules)]).unwrap()
}

fn facts() -> Facts {
    let now: Timestamp = NOW.parse().unwrap();
    let verified = |claims: serde_json::Value| Fact::Verified {
        issuer: "https://pid.example".to_owned(),
        credential_type: "t".to_owned(),
        issued_at: Some(now),
        assurance: Some(pavilion_policy::Assurance::High),
        claims: serde_json::from_value(claims).unwrap(),
    };
    Facts(BTreeMap::from([
        (
            "pid".to_owned(),
            verified(json!({"birthdate": "2000-05-01", "country": "DE", "level": 9})),
        ),
        ("student".to_owned(), verified(json!({"active": true}))),
    ]))
}

const NOW: &str = "2026-01-15T12:00:00Z";
const ROUNDS: u32 = 20_000;

/// Nanoseconds of one decision, the median of 15 runs of each, taken in turns.
fn compare(one: &Engine, many: &Engine, question: &Question<'_>, facts: &Facts) -> (f64, f64) {
    let run = |engine: &Engine| {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(engine.decide(black_box(question), black_box(facts)));
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    };
    let mut runs: Vec<(f64, f64)> = (0..15).map(|_| (run(one), run(many))).collect();
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let first = runs[7].0;
    runs.sort_by(|a, b| a.1.total_cmp(&b.1));
    (first, runs[7].1)
}

fn main() {
    let (one, many) = (engine(1), engine(1_000));
    let facts = facts();
    let question = Question {
        relying_party: "shop",
        policy: "policy-0",
        purpose: "account-opening",
        requested_disclosure: None,
        now: NOW.parse().unwrap(),
    };
    assert_eq!(one.decide(&question, &facts).verdict, Verdict::Pass);

    let mut criterion = Criterion::default().configure_from_args();
    for (name, engine) in [("1 policy", &one), ("1000 policies", &many)] {
        criterion.bench_function(&format!("decide/{name}"), |bencher| {
            bencher.iter(|| engine.decide(black_box(&question), black_box(&facts)));
        });
    }
    criterion.final_summary();

    let (first, then) = compare(&one, &many, &question, &facts);
    println!("decision with 1 policy       {:8.2} us", first / 1e3);
    println!("decision with 1,000 policies {:8.2} us", then / 1e3);
    println!(
        "ratio                        {:8.3}   (target at most 1.3)",
        then / first
    );
}
