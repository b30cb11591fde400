//! The half of the check that is about the log: entry, receipt, checkpoint.

use pavilion_results::{Leaf, Salt, Verdict};
use pavilion_tlog::Proof;
use serde_json::{Map, json};

use crate::made::{CHAIN, Chain, KEYS, Keys, ORIGIN, answer, broken, chain, judge, receipt};

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
