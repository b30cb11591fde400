//! A whole chain as the broker makes it, with software keys in place of the token, and what an outsider
//! finds when a link is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::LazyLock;

use jiff::Timestamp;
use pavilion_jose::{Algorithm, Jwks, SigningKey};
use pavilion_json::Digest;
use pavilion_results::{
    Answer, Check, CheckKind, Evidence, Expected, Inputs, Leaf, Outcome, PolicyReference, Report,
    Salt, Unsigned, Verdict, verify,
};
use pavilion_tlog::{Checkpoint, Hash, Node, Note, Proof, VerifierKey, leaf_hash};
use proptest::prelude::*;
use serde_json::{Map, json};

const ISSUER: &str = "https://verify.acme.example";
const ORIGIN: &str = "verify.acme.example/log";
const REQUEST: &[u8] = br#"{"policy":"account-opening","purpose":"account-opening"}"#;
const IAT: i64 = 1_800_000_000;

/// What a relying party holds afterwards.
#[derive(Clone)]
struct Chain {
    answer: String,
    receipt: String,
    jwks: Jwks,
    log_key: String,
    policy: Digest,
}

struct Keys {
    result: SigningKey,
    log: SigningKey,
}

impl Keys {
    fn new() -> Self {
        Self {
            result: SigningKey::generate(Algorithm::Es256).unwrap(),
            log: SigningKey::generate(Algorithm::EdDsa).unwrap(),
        }
    }

    fn verifier_key(&self, origin: &str) -> VerifierKey {
        let x = self.log.public().members()["x"]
            .as_str()
            .unwrap()
            .to_owned();
        VerifierKey::new(
            origin,
            pavilion_jose::from_base64url(&x)
                .unwrap()
                .try_into()
                .unwrap(),
        )
        .unwrap()
    }
}

static KEYS: LazyLock<Keys> = LazyLock::new(Keys::new);
static CHAIN: LazyLock<Chain> = LazyLock::new(|| chain(&KEYS, answer(), |_| {}));

fn answer() -> Answer {
    let mut clause = Check::new("rule.all[1]", CheckKind::Clause, Verdict::Fail);
    clause.code = Some("clause_not_met".to_owned());
    clause.because = Some("none of: pid.country in [DE, FR, NL]".to_owned());
    Answer {
        iss: ISSUER.to_owned(),
        aud: "shop".to_owned(),
        jti: "01JZZZZZZZZZZZZZZZZZZZZZZZ".to_owned(),
        iat: IAT,
        exp: IAT + 600,
        nonce: "n-0S6_WzA2Mj".to_owned(),
        req_digest: Digest::of(REQUEST),
        policy: PolicyReference {
            name: "account-opening".to_owned(),
            revision: 3,
            digest: Digest::of(b"policy"),
        },
        purpose: "account-opening".to_owned(),
        verdict: Verdict::Fail,
        checks: vec![
            Check::new("pid", CheckKind::Credential, Verdict::Pass),
            clause,
        ],
        claims: Map::from_iter([("pid.country".to_owned(), json!("AT"))]),
        region: "eu-central".to_owned(),
        evidence: None,
    }
}

/// Logs, signs and receipts an answer the way the broker does; `alter` changes it after it was logged.
fn chain(keys: &Keys, draft: Answer, alter: impl FnOnce(&mut Answer)) -> Chain {
    let salt = Salt::generate().unwrap();
    let leaf = draft.commit(&salt).unwrap();
    let entry = leaf.bytes().unwrap();
    let entries: Vec<Vec<u8>> = (0..5u8)
        .map(|n| if n == 3 { entry.clone() } else { vec![n; 20] })
        .collect();
    let (receipt, key) = receipt(keys, &entries, 3);
    let evidence = Evidence {
        log: ORIGIN.to_owned(),
        index: 3,
        leaf: leaf.hash().unwrap(),
        salt,
    };
    let policy = draft.policy.digest;
    let mut answer = draft.with_evidence(evidence);
    alter(&mut answer);
    let kid = keys.result.public().thumbprint();
    let unsigned = Unsigned::jwt(&answer, Algorithm::Es256, &kid).unwrap();
    let signature = keys
        .result
        .sign(unsigned.signing_input().as_bytes())
        .unwrap();
    let jwks = Jwks {
        keys: vec![
            keys.log.public().with_kid("other"),
            keys.result.public().with_kid(kid),
        ],
    };
    Chain {
        answer: unsigned.sign(&signature),
        receipt,
        jwks,
        log_key: key,
        policy,
    }
}

fn receipt(keys: &Keys, entries: &[Vec<u8>], index: u64) -> (String, String) {
    let size = entries.len() as u64;
    let read = |node: Node| Ok::<_, ()>(subtree(entries, node));
    let root = pavilion_tlog::root(size, read).unwrap();
    let hashes = pavilion_tlog::inclusion_proof(index, size, read).unwrap();
    let text = Checkpoint::new(ORIGIN, size, root).unwrap().to_string();
    let key = keys.verifier_key(ORIGIN);
    let signature = keys.log.sign(text.as_bytes()).unwrap().try_into().unwrap();
    let checkpoint = Note::new(&text, vec![key.signature(signature)]).unwrap();
    let extra = Some(entries[usize::try_from(index).unwrap()].clone());
    (
        Proof {
            extra,
            index,
            hashes,
            checkpoint,
        }
        .to_string(),
        key.to_string(),
    )
}

fn subtree(entries: &[Vec<u8>], node: Node) -> Hash {
    if node.level == 0 {
        return leaf_hash(&entries[usize::try_from(node.index).unwrap()]);
    }
    let child = |offset| {
        subtree(
            entries,
            Node {
                level: node.level - 1,
                index: node.index * 2 + offset,
            },
        )
    };
    pavilion_tlog::node_hash(&child(0), &child(1))
}

fn expected(chain: &Chain) -> Expected<'static> {
    Expected {
        issuer: Some(ISSUER),
        audience: Some("shop"),
        nonce: Some("n-0S6_WzA2Mj"),
        policy: Some(chain.policy),
        now: Timestamp::from_second(IAT + 10).unwrap(),
        leeway_seconds: 60,
    }
}

fn judge(chain: &Chain) -> Report {
    judge_as(chain, REQUEST, expected(chain))
}

fn judge_as(chain: &Chain, request: &[u8], expected: Expected<'_>) -> Report {
    verify(&Inputs {
        answer: &chain.answer,
        request: Some(request),
        receipt: &chain.receipt,
        jwks: &chain.jwks,
        log_key: &chain.log_key,
        expected,
    })
}

/// Names and codes of what failed.
fn broken(report: &Report) -> Vec<(&'static str, &'static str)> {
    assert_eq!(report.checks().len(), 18, "a report always has every line");
    assert_eq!(
        report.answer().is_some(),
        report.ok(),
        "an answer comes out of a sound report only"
    );
    report
        .failures()
        .map(|check| (check.name, check.code.unwrap()))
        .collect()
}

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

#[test]
fn an_answer_that_was_altered_after_it_was_logged_is_found_and_the_members_named() {
    let altered = chain(&KEYS, answer(), |answer| answer.verdict = Verdict::Pass);
    let report = judge(&altered);
    assert_eq!(broken(&report), [("leaf.commitments", "leaf_mismatch")]);
    let detail = &report.failures().next().unwrap().detail;
    assert!(detail.ends_with("differs in: result, verdict"), "{detail}");

    let claims = chain(&KEYS, answer(), |answer| answer.claims = Map::new());
    let detail = judge(&claims).failures().next().unwrap().detail.clone();
    assert!(detail.ends_with("differs in: result"), "{detail}");
    assert!(!detail.contains("AT"));

    let policy = chain(&KEYS, answer(), |answer| answer.policy.revision = 4);
    assert_eq!(
        broken(&judge(&policy)),
        [
            ("leaf.policy", "answer_policy_mismatch"),
            ("leaf.commitments", "leaf_mismatch")
        ]
    );
}

#[test]
fn a_receipt_of_another_entry_breaks_leaf_hash_and_index() {
    let entries: Vec<Vec<u8>> = (0..4u8).map(|n| vec![n; 20]).collect();
    let (other, _) = receipt(&KEYS, &entries, 1);
    let report = judge(&Chain {
        receipt: other,
        ..CHAIN.clone()
    });
    assert_eq!(
        broken(&report),
        [
            ("leaf.policy", "leaf_mismatch"),
            ("leaf.commitments", "leaf_mismatch"),
            ("leaf.hash", "leaf_mismatch"),
            ("log.index", "receipt_index_mismatch"),
        ]
    );
    assert!(
        report
            .failures()
            .nth(1)
            .unwrap()
            .detail
            .ends_with("its form")
    );
}

#[test]
fn a_receipt_without_the_entry_is_judged_by_the_entry_that_the_answer_gives() {
    let mut proof: Proof = CHAIN.receipt.parse().unwrap();
    proof.extra = None;
    let report = judge(&Chain {
        receipt: proof.to_string(),
        ..CHAIN.clone()
    });
    assert!(report.ok(), "{report:#?}");

    proof.hashes.reverse();
    let report = judge(&Chain {
        receipt: proof.to_string(),
        ..CHAIN.clone()
    });
    assert_eq!(broken(&report), [("log.inclusion", "inclusion_invalid")]);
}

#[test]
fn a_checkpoint_of_another_log_is_found_by_name_and_by_key() {
    let renamed = Chain {
        log_key: KEYS.verifier_key("another.example/log").to_string(),
        ..CHAIN.clone()
    };
    assert_eq!(
        broken(&judge(&renamed)),
        [
            ("checkpoint.origin", "checkpoint_origin_mismatch"),
            ("checkpoint.signature", "checkpoint_signature_invalid"),
        ]
    );
    let rekeyed = Chain {
        log_key: Keys::new().verifier_key(ORIGIN).to_string(),
        ..CHAIN.clone()
    };
    assert_eq!(
        broken(&judge(&rekeyed)),
        [("checkpoint.signature", "checkpoint_signature_invalid")]
    );
    let elsewhere = chain(&KEYS, answer(), |answer| {
        answer.evidence.as_mut().unwrap().log = "another.example/log".to_owned();
    });
    assert_eq!(
        broken(&judge(&elsewhere)),
        [("checkpoint.origin", "checkpoint_origin_mismatch")]
    );
}

#[test]
fn what_cannot_be_read_is_said_once_and_the_rest_is_judged() {
    let nonsense = Chain {
        answer: "nonsense".to_owned(),
        ..CHAIN.clone()
    };
    let report = judge(&nonsense);
    assert_eq!(broken(&report), [("answer.form", "input_malformed")]);
    let holds = |name| {
        report
            .checks()
            .iter()
            .any(|c| c.name == name && c.outcome == Outcome::Passed)
    };
    assert!(holds("log.inclusion") && holds("checkpoint.signature"));

    let nonsense = Chain {
        receipt: "nonsense".to_owned(),
        log_key: "nonsense".to_owned(),
        ..CHAIN.clone()
    };
    assert_eq!(
        broken(&judge(&nonsense)),
        [
            ("receipt.form", "input_malformed"),
            ("log.key", "input_malformed")
        ]
    );

    let kid = KEYS.result.public().thumbprint();
    let header = json!({"alg": "ES256", "kid": kid, "typ": "pvr+jwt"});
    for payload in [&b"{}"[..], b"[", b"\xff"] {
        let odd = Chain {
            answer: KEYS.result.sign_compact(&header, payload).unwrap(),
            ..CHAIN.clone()
        };
        assert_eq!(broken(&judge(&odd)), [("answer.form", "input_malformed")]);
    }
}

#[test]
fn a_member_that_this_version_does_not_know_is_committed_to_as_well() {
    let kid = KEYS.result.public().thumbprint();
    let header = json!({"alg": "ES256", "kid": kid, "typ": "pvr+jwt"});
    let jws = pavilion_jose::CompactJws::parse(&CHAIN.answer).unwrap();
    let mut document =
        pavilion_json::parse(jws.unverified_payload(), pavilion_json::Limits::REQUEST).unwrap();
    document["hindsight"] = json!(true);
    let payload = pavilion_json::canonical(&document).unwrap();
    let added = Chain {
        answer: KEYS.result.sign_compact(&header, &payload).unwrap(),
        ..CHAIN.clone()
    };
    assert_eq!(
        broken(&judge(&added)),
        [("leaf.commitments", "leaf_mismatch")]
    );
}

#[test]
fn a_verdict_that_is_not_the_logged_one_is_found_although_the_answer_has_no_canonical_form() {
    let kid = KEYS.result.public().thumbprint();
    let header = json!({"alg": "ES256", "kid": kid, "typ": "pvr+jwt"});
    let jws = pavilion_jose::CompactJws::parse(&CHAIN.answer).unwrap();
    let logged = String::from_utf8(jws.unverified_payload().to_vec()).unwrap();
    for number in ["9007199254740993", "-9007199254740993", "1e400"] {
        // "fail" is in the log; what is signed says "pass" and has a number that RFC 8785 has no form for.
        let signed = logged
            .replacen(r#""verdict":"fail""#, r#""verdict":"pass""#, 2)
            .replacen('{', &format!(r#"{{"filler":{number},"#), 1);
        assert!(!signed.contains(r#""verdict":"fail""#));
        let forged = Chain {
            answer: KEYS
                .result
                .sign_compact(&header, signed.as_bytes())
                .unwrap(),
            ..CHAIN.clone()
        };
        let report = judge(&forged);
        assert!(!report.ok() && report.verdict().is_none(), "{report:#?}");
        let bare = judge_as(
            &forged,
            REQUEST,
            Expected::at(Timestamp::from_second(IAT).unwrap()),
        );
        assert!(!bare.ok(), "{bare:#?}");
        let mut proof: Proof = forged.receipt.parse().unwrap();
        proof.extra = None;
        let receipt = proof.to_string();
        assert!(!judge(&Chain { receipt, ..forged }).ok());
    }
    let forged = logged.replacen('{', r#"{"filler":9007199254740993,"#, 1);
    let report = judge(&Chain {
        answer: KEYS
            .result
            .sign_compact(&header, forged.as_bytes())
            .unwrap(),
        ..CHAIN.clone()
    });
    assert_eq!(broken(&report), [("leaf.commitments", "leaf_mismatch")]);
}

#[test]
fn the_leaf_holds_no_content() {
    let leaf = answer().commit(&Salt::from_bytes([7; 32])).unwrap();
    let text = String::from_utf8(leaf.bytes().unwrap()).unwrap();
    for content in [
        "AT",
        "n-0S6",
        "01JZZ",
        "none of",
        "pid",
        &answer().req_digest.to_string(),
    ] {
        assert!(!text.contains(content), "{content} in {text}");
    }
    assert_eq!(leaf.codes, ["clause_not_met"]);
    assert_eq!(serde_json::from_str::<Leaf>(&text).unwrap(), leaf);
    let other = answer().commit(&Salt::from_bytes([8; 32])).unwrap();
    assert_ne!(
        (leaf.request, leaf.result),
        (other.request, other.result),
        "salted"
    );
    assert_ne!(leaf.request, leaf.result);
}

proptest! {
    #[test]
    fn any_flipped_bit_of_the_answer_breaks_the_chain(at in 0usize..4000, bit in 0u8..7) {
        let mut bytes = CHAIN.answer.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let flipped = Chain { answer: String::from_utf8(bytes).unwrap(), ..CHAIN.clone() };
        prop_assert!(!judge(&flipped).ok());
    }

    #[test]
    fn any_flipped_bit_of_the_request_breaks_the_chain(at in 0..REQUEST.len(), bit in 0u8..8) {
        let mut request = REQUEST.to_vec();
        request[at] ^= 1 << bit;
        let report = judge_as(&CHAIN, &request, expected(&CHAIN));
        prop_assert_eq!(broken(&report), [("request.digest", "answer_request_mismatch")]);
    }

    #[test]
    fn nothing_that_comes_from_outside_makes_the_check_panic(answer in ".{0,200}", receipt in ".{0,200}", key in ".{0,80}") {
        let odd = Chain { answer, receipt, log_key: key, ..CHAIN.clone() };
        prop_assert!(!judge(&odd).ok());
    }
}

#[test]
fn any_flipped_bit_of_the_receipt_breaks_the_chain() {
    for at in 0..CHAIN.receipt.len() {
        for bit in 0..8 {
            let mut bytes = CHAIN.receipt.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            // What is not UTF-8 cannot even be handed over.
            let Ok(receipt) = String::from_utf8(bytes) else {
                continue;
            };
            assert!(
                !judge(&Chain {
                    receipt,
                    ..CHAIN.clone()
                })
                .ok(),
                "bit {bit} of byte {at}"
            );
        }
    }
}
