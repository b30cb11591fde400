//! What was damaged or forged does not hold, whatever it looks like.

use jiff::Timestamp;
use pavilion_results::{Expected, Outcome};
use pavilion_tlog::Proof;
use proptest::prelude::*;
use serde_json::json;

use crate::made::{CHAIN, Chain, IAT, KEYS, REQUEST, broken, expected, judge, judge_as};

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
