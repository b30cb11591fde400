//! The compiled Cedar agrees with a direct evaluator of the tree, on random trees and facts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pavilion_policy::{Assurance, Fact, Facts, Policy, Question, Verdict, check};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::direct::{Direct, at_least};
use crate::examples::engine;

fn policy(rule: Json) -> Policy {
    let claims = json!([
        {"id": "t", "path": ["t"]}, {"id": "i", "path": ["i"]}, {"id": "f", "path": ["f"]},
        {"id": "d", "path": ["d"]}, {"id": "m", "path": ["m", null]}, {"id": "n", "path": ["n", null]},
    ]);
    let evidence = |id: &str, optional: bool| json!({"id": id, "optional": optional, "format": "dc+sd-jwt", "types": ["T", "U"], "trust": ["x"], "claims": claims});
    Policy::from_spec(json!({
        "purposes": ["account-opening", "age-check"],
        "evidence": [evidence("a", false), evidence("b", true), evidence("c", true)],
        "rule": rule,
    }))
    .unwrap()
}

fn texts() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["p", "q", "r", "s"], 1..=3)
}

fn any_date() -> impl Strategy<Value = String> {
    // Around birthdays and leap days of the questions' times.
    prop_oneof![
        (1900_u16..2030, 1_u8..=12, 1_u8..=28)
            .prop_map(|(y, m, d)| format!("{y:04}-{m:02}-{d:02}")),
        prop::sample::select(vec![
            "2004-02-29",
            "2008-02-29",
            "2006-03-01",
            "2006-02-28",
            "1875-06-01"
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_test() -> BoxedStrategy<Json> {
    let number = -3_i64..4;
    let of_one = prop_oneof![
        texts().prop_map(|list| json!({"claim": "t", "in": list})),
        texts().prop_map(|list| json!({"claim": "t", "notIn": list})),
        texts().prop_map(|list| json!({"claim": "t", "equals": list[0]})),
        number
            .clone()
            .prop_map(|n| json!({"claim": "i", "equals": n})),
        number
            .clone()
            .prop_map(|n| json!({"claim": "i", "atLeast": n})),
        number
            .clone()
            .prop_map(|n| json!({"claim": "i", "atMost": n})),
        (number.clone(), number).prop_map(|(a, b)| json!({"claim": "i", "in": [a, b]})),
        any::<bool>().prop_map(|f| json!({"claim": "f", "equals": f})),
        (0_u32..120).prop_map(|years| json!({"claim": "d", "age": {"atLeast": years}})),
        (0_u32..40, 0_u32..40)
            .prop_map(|(a, b)| json!({"claim": "d", "age": {"atLeast": a, "atMost": a + b}})),
        any_date().prop_map(|d| json!({"claim": "d", "before": d})),
        any_date().prop_map(|d| json!({"claim": "d", "after": d})),
        any_date().prop_map(|d| json!({"claim": "d", "atLeast": d})),
        any_date().prop_map(|d| json!({"claim": "d", "atMost": d})),
    ];
    // Their negations do not compile, so there are fewer of them.
    let of_many = prop_oneof![
        texts().prop_map(|list| json!({"claim": "m", "in": list})),
        texts().prop_map(|list| json!({"claim": "m", "equals": list[0]})),
        (-3_i64..4).prop_map(|n| json!({"claim": "n", "in": [n, 7]})),
        prop::sample::select(vec!["t", "d", "m"])
            .prop_map(|claim| json!({"claim": claim, "present": true})),
    ];
    prop_oneof![9 => of_one, 1 => of_many].boxed()
}

fn any_leaf() -> BoxedStrategy<Json> {
    let id = || prop::sample::select(vec!["a", "b", "c"]);
    let of_claim = (id(), any_test()).prop_map(|(id, mut test)| {
        test["claim"] = json!(format!("{id}.{}", test["claim"].as_str().unwrap()));
        test
    });
    let level = prop::sample::select(vec!["low", "substantial", "high"]);
    let times = prop::sample::select(vec!["00:00", "06:00", "12:00", "18:00", "23:30"]);
    prop_oneof![
        8 => of_claim,
        1 => id().prop_map(|id| json!({"presented": id})),
        1 => (id(), texts()).prop_map(|(id, list)| json!({"issuer": {"evidence": id, "in": list}})),
        1 => id().prop_map(|id| json!({"credentialType": {"evidence": id, "in": ["T"]}})),
        1 => (id(), 1_u32..200).prop_map(|(id, h)| json!({"issuedWithin": {"evidence": id, "duration": format!("{h}h")}})),
        1 => (id(), level).prop_map(|(id, level)| json!({"assurance": {"evidence": id, "atLeast": level}})),
        1 => Just(json!({"purpose": {"in": ["age-check"]}})),
        1 => prop::sample::select(vec!["shop", "bank"]).prop_map(|name| json!({"relyingParty": {"in": [name]}})),
        1 => Just(json!({"timeWindow": {"notBefore": "2024-01-01T00:00:00Z", "notAfter": "2026-01-01T00:00:00Z"}})),
        1 => (times.clone(), times).prop_filter_map("empty", |(from, to)| (from != to)
            .then(|| json!({"timeWindow": {"dailyFrom": from, "dailyTo": to, "timeZone": "Europe/Berlin"}}))),
    ]
    .boxed()
}

fn any_rule() -> impl Strategy<Value = Json> {
    any_leaf().prop_recursive(4, 24, 4, |inner| {
        let members = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            2 => members.clone().prop_map(|all| json!({"all": all})),
            2 => members.clone().prop_map(|any| json!({"any": any})),
            1 => inner.prop_map(|not| json!({"not": not})),
            2 => (members, 1_usize..4).prop_map(|(of, n)| json!({"atLeast": {"n": n.min(of.len()), "of": of}})),
        ]
    })
}

fn any_claims() -> BoxedStrategy<BTreeMap<String, Json>> {
    let scalar = prop_oneof![
        4 => prop::sample::select(vec!["p", "q", "r", "s"]).prop_map(Json::from),
        4 => (-4_i64..5).prop_map(Json::from),
        2 => any::<bool>().prop_map(Json::from),
        4 => any_date().prop_map(Json::from),
        1 => prop::sample::select(vec![
            json!(null), json!(u64::MAX), json!(i64::MAX), json!(1.5), json!({}), json!("2007-02-29"), json!("0000-01-01"),
        ]),
    ]
    .boxed();
    let list = prop::collection::vec(scalar.clone(), 0..3).prop_map(Json::from);
    let of = |good: BoxedStrategy<Json>| {
        prop_oneof![5 => good, 1 => scalar.clone(), 1 => list.clone()].boxed()
    };
    let many = |item: BoxedStrategy<Json>| {
        prop::collection::vec(item, 0..4)
            .prop_map(Json::from)
            .boxed()
    };
    let text = || {
        prop::sample::select(vec!["p", "q", "r", "s"])
            .prop_map(Json::from)
            .boxed()
    };
    let number = || (-4_i64..5).prop_map(Json::from).boxed();
    let all = (
        of(text()),
        of(number()),
        of(any::<bool>().prop_map(Json::from).boxed()),
        of(any_date().prop_map(Json::from).boxed()),
        of(many(text())),
        of(many(number())),
    );
    (all, prop::collection::btree_set(0_usize..6, 0..2))
        .prop_map(|((t, i, f, d, m, n), gone)| {
            let claims = [("t", t), ("i", i), ("f", f), ("d", d), ("m", m), ("n", n)]
                .into_iter()
                .enumerate();
            claims
                .filter(|(at, _)| !gone.contains(at))
                .map(|(_, (id, value))| (id.to_owned(), value))
                .collect()
        })
        .boxed()
}

fn any_fact() -> BoxedStrategy<Fact> {
    let verified = (
        prop::sample::select(vec!["p", "q", "x"]),
        prop::sample::select(vec!["T", "U"]),
        prop::option::of(-800_000_i64..800_000),
        prop::option::of(prop::sample::select(vec![
            Assurance::Low,
            Assurance::Substantial,
            Assurance::High,
        ])),
        any_claims(),
    )
        .prop_map(
            |(issuer, credential_type, issued, assurance, claims)| Fact::Verified {
                issuer: issuer.to_owned(),
                credential_type: credential_type.to_owned(),
                issued_at: issued.map(|at| Timestamp::from_second(1_740_000_000 + at).unwrap()),
                assurance,
                claims,
            },
        );
    prop_oneof![
        6 => verified,
        1 => Just(Fact::Missing),
        2 => Just(Fact::Indeterminate { code: "status_unreachable" }),
        1 => Just(Fact::Failed { code: "presentation_expired" }),
    ]
    .boxed()
}

#[derive(Clone)]
struct Shown(Facts);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (id, fact) in &self.0.0 {
            match fact {
                Fact::Verified {
                    issuer,
                    credential_type,
                    issued_at,
                    assurance,
                    claims,
                    ..
                } => {
                    write!(
                        f,
                        "{id}: {issuer} {credential_type} {issued_at:?} {assurance:?} {claims:?}; "
                    )?;
                }
                Fact::Missing => write!(f, "{id}: missing; ")?,
                Fact::Indeterminate { .. } => write!(f, "{id}: indeterminate; ")?,
                Fact::Failed { .. } => write!(f, "{id}: failed; ")?,
            }
        }
        Ok(())
    }
}

fn any_facts() -> impl Strategy<Value = Shown> {
    (any_fact(), any_fact(), any_fact()).prop_map(|(a, b, c)| {
        let facts = [("a", a), ("b", b), ("c", c)];
        Shown(Facts(
            facts
                .into_iter()
                .map(|(id, fact)| (id.to_owned(), fact))
                .collect(),
        ))
    })
}

fn any_now() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        (1_700_000_000_i64..1_800_000_000).prop_map(|at| Timestamp::from_second(at).unwrap()),
        prop::sample::select(vec![
            "2026-02-28T23:59:59Z",
            "2026-03-01T00:00:00Z",
            "2024-02-29T12:00:00Z"
        ])
        .prop_map(|text| text.parse().unwrap()),
    ]
}

fn verdict(value: Option<bool>) -> Verdict {
    match value {
        Some(true) => Verdict::Pass,
        Some(false) => Verdict::Fail,
        None => Verdict::Indeterminate,
    }
}

proptest! {
    // Failures print their input; nothing is kept beside the tests.
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cedar_and_the_direct_evaluator_come_to_the_same_verdicts(
        rule in any_rule(), every in prop::collection::vec((any_facts(), any_now()), 8), age_check in any::<bool>()
    ) {
        let policy = policy(rule);
        let written = serde_json::to_value(&policy).unwrap();
        prop_assert_eq!(&Policy::from_spec(written).unwrap(), &policy);

        let engine = check("p", &policy).map(|_| engine(policy.clone()));
        for (facts, now) in every {
            let purpose = if age_check { "age-check" } else { "account-opening" };
            let question = Question { relying_party: "shop", policy: "p", purpose, requested_disclosure: None, now };
            let direct = Direct { policy: &policy, facts: &facts.0, question: &question }.clauses();
            let values: Vec<_> = direct.iter().map(|(_, value)| *value).collect();
            let expected = verdict(at_least(values.len(), &values));
            match &engine {
                Ok(engine) => {
                    let decision = engine.decide(&question, &facts.0);
                    let clauses: Vec<_> = decision.clauses.iter().map(|c| (c.path.clone(), c.verdict)).collect();
                    let direct: Vec<_> = direct.into_iter().map(|(path, value)| (path, verdict(value))).collect();
                    prop_assert_eq!(clauses, direct);
                    prop_assert_eq!(decision.verdict, expected);
                    prop_assert!(decision.errors.is_empty());
                }
                Err(errors) => {
                    prop_assert!(errors.iter().all(|error| error.code == "ClauseNeverTrue"), "{:?}", errors);
                    let absence = errors.iter().any(|error| error.message.contains("absence proves nothing"));
                    prop_assert!(absence || expected != Verdict::Pass, "refused as never true: {:?}", errors);
                }
            }
        }
    }
}
