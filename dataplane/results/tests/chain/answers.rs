//! The half of the check that is about the answer.

use jiff::Timestamp;
use pavilion_jose::{Algorithm, SigningKey};
use pavilion_json::Digest;
use pavilion_results::{Answer, Check, CheckKind, Expected, Inputs, Outcome, Verdict, verify};
use serde_json::json;

use crate::made::{
    CHAIN, Chain, IAT, KEYS, REQUEST, answer, broken, chain, expected, judge, judge_as,
};

#[test]
fn a_sound_chain_holds_in_every_link() {
    let report = judge(&CHAIN);
    assert!(report.ok(), "{report:#?}");
    assert_eq!(report.checks().len(), 18);
    assert!(
        report
            .checks()
            .iter()
            .all(|check| check.outcome == Outcome::Passed)
    );
    assert_eq!(report.verdict(), Some(Verdict::Fail));
    assert_eq!(report.answer().unwrap().claims["pid.country"], "AT");
}

#[test]
fn an_answer_of_an_older_broker_that_says_less_holds_as_well() {
    let mut draft = answer();
    draft.retention = None;
    draft.checks = vec![Check::new("pid", CheckKind::Credential, Verdict::Pass)];
    let report = judge(&chain(&KEYS, draft.clone(), |_| {}));
    let read = report.answer().unwrap();
    assert_eq!(read.checks, draft.checks);
    let text = String::from_utf8(read.canonical().unwrap()).unwrap();
    for member in ["retention", "hint", "methods", "status", "age_seconds"] {
        assert!(
            !text.contains(&format!("\"{member}\"")),
            "{member} in {text}"
        );
    }
}

#[test]
fn what_nobody_expects_is_skipped_and_says_so() {
    let report = judge_as(
        &CHAIN,
        REQUEST,
        Expected::at(Timestamp::from_second(IAT).unwrap()),
    );
    assert!(report.ok());
    let open: Vec<_> = report
        .checks()
        .iter()
        .filter(|c| c.outcome == Outcome::Skipped)
        .map(|c| c.name)
        .collect();
    assert_eq!(
        open,
        [
            "answer.issuer",
            "answer.audience",
            "answer.nonce",
            "policy.digest"
        ]
    );
}

#[test]
fn a_request_that_was_not_kept_is_skipped() {
    let chain = &*CHAIN;
    let report = verify(&Inputs {
        answer: &chain.answer,
        request: None,
        receipt: &chain.receipt,
        jwks: &chain.jwks,
        log_key: &chain.log_key,
        expected: expected(chain),
    });
    assert!(report.ok());
    let open = report
        .checks()
        .iter()
        .filter(|c| c.outcome == Outcome::Skipped);
    assert!(open.map(|c| c.name).eq(["request.digest"]));
}

#[test]
fn another_issuer_audience_nonce_and_policy_are_each_named() {
    let wrong = Expected {
        issuer: Some("https://verify.beta.example"),
        audience: Some("bank"),
        nonce: Some("another"),
        policy: Some(Digest::of(b"another")),
        ..expected(&CHAIN)
    };
    assert_eq!(
        broken(&judge_as(&CHAIN, REQUEST, wrong)),
        [
            ("answer.issuer", "answer_issuer_mismatch"),
            ("answer.audience", "answer_audience_mismatch"),
            ("answer.nonce", "answer_nonce_mismatch"),
            ("policy.digest", "answer_policy_mismatch"),
        ]
    );
}

#[test]
fn an_answer_counts_from_its_iat_to_its_exp_with_leeway() {
    let at = |offset: i64| {
        let now = Timestamp::from_second(IAT + offset).unwrap();
        broken(&judge_as(
            &CHAIN,
            REQUEST,
            Expected {
                now,
                ..expected(&CHAIN)
            },
        ))
    };
    assert_eq!(at(-60), []);
    assert_eq!(at(-61), [("answer.times", "answer_not_yet_valid")]);
    assert_eq!(at(659), []);
    assert_eq!(at(660), [("answer.times", "answer_expired")]);
    let backwards = chain(
        &KEYS,
        Answer {
            exp: IAT,
            ..answer()
        },
        |_| {},
    );
    assert_eq!(
        broken(&judge(&backwards)),
        [("answer.times", "answer_expired")]
    );
}

#[test]
fn a_key_that_the_jwks_lacks_is_not_a_wrong_signature() {
    let mut without = CHAIN.clone();
    without.jwks.keys.truncate(1);
    assert_eq!(
        broken(&judge(&without)),
        [("answer.signature", "answer_key_not_published")]
    );

    let kid = KEYS.result.public().thumbprint();
    let mut foreign = CHAIN.clone();
    foreign.jwks.keys = vec![
        SigningKey::generate(Algorithm::Es256)
            .unwrap()
            .public()
            .with_kid(kid),
    ];
    assert_eq!(
        broken(&judge(&foreign)),
        [("answer.signature", "answer_signature_invalid")]
    );
}

#[test]
fn a_token_of_another_type_is_not_an_answer() {
    let payload = answer().canonical().unwrap();
    let header = json!({"alg": "ES256", "typ": "JWT"});
    let token = Chain {
        answer: KEYS.result.sign_compact(&header, &payload).unwrap(),
        ..CHAIN.clone()
    };
    assert_eq!(
        broken(&judge(&token)),
        [
            ("answer.type", "answer_type_wrong"),
            ("answer.signature", "answer_key_not_published"),
            ("leaf.commitments", "leaf_mismatch"),
        ]
    );
}
