//! What is sent, what is printed, and what is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pavilion_results::Verdict;
use serde_json::{Value, json};

use crate::broker::Manners;
use crate::chain::NONCE;
use crate::command::pavilion;
use crate::world::{World, deciding};

#[test]
fn the_verdict_is_the_exit_code_and_reads_well() {
    for (verdict, code, head) in [
        (Verdict::Pass, 0, "✔ PASS over18 (revision 1)\n"),
        (Verdict::Fail, 1, "✘ FAIL over18 (revision 1)\n"),
        (
            Verdict::Indeterminate,
            3,
            "? INDETERMINATE over18 (revision 1)\n",
        ),
    ] {
        let run = deciding(verdict).ask(&[]);
        assert_eq!(run.code, code, "{}", run.err);
        assert!(run.out.starts_with(head), "{}", run.out);
        assert!(
            run.out.contains("by shop for age-restricted-sale"),
            "{}",
            run.out
        );
        assert!(run.err.is_empty(), "nothing to say: {}", run.err);
    }
}

#[test]
fn the_question_says_what_the_person_said() {
    let world = deciding(Verdict::Pass);
    let run = world.ask(&["--disclose", "pid.country", "--idempotency-key", "k-1"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(
        world.broker.seen.question(),
        json!({
            "policy": "over18", "purpose": "age-restricted-sale", "nonce": NONCE,
            "presentations": [{"evidence": "pid", "presentation": "a~b~c"}],
            "result": {"disclose": ["pid.country"]},
        })
    );
    assert_eq!(world.broker.seen.keys(), ["k-1"]);
}

#[test]
fn what_is_kept_is_what_verify_takes() {
    let world = deciding(Verdict::Pass);
    let out = world.broker.file("out");
    let run = world.ask(&["--out", &out]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.err.contains(&format!(
            "next: kubectl pavilion verify {out} --audience shop"
        )),
        "{}",
        run.err
    );
    let mut names: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "answer.json",
            "answer.jwt",
            "checkpoint",
            "jwks.json",
            "log.vkey",
            "receipt.tlog-proof",
            "request.json",
        ]
    );
    for name in names {
        let file = fs::metadata(std::path::Path::new(&out).join(&name)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let run = pavilion(["verify", &out, "--audience", "shop", "--nonce", NONCE]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
}

#[test]
fn a_party_with_an_audience_of_its_own_names_it() {
    let world = World::new(Manners {
        audience: "https://shop.example",
        ..Manners::default()
    });
    let out = world.broker.file("out");
    let own = ["--audience", "https://shop.example"];
    let run = world.ask(&[&own[..], &["--out", &out]].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    let next = format!("next: kubectl pavilion verify {out} --audience https://shop.example");
    assert!(run.err.contains(&next), "{}", run.err);
    assert_eq!(pavilion(["verify", &out, own[0], own[1]]).code, 0);

    let run = world.ask(&[]);
    assert_eq!((run.code, run.out.as_str()), (1, ""), "{}", run.err);
    assert!(
        run.err.contains("answer.audience") && run.err.contains("--audience"),
        "{}",
        run.err
    );
}

#[test]
fn programs_choose_the_form() {
    let world = deciding(Verdict::Pass);
    let json: Value = serde_json::from_str(&world.ask(&["-o", "json"]).out).unwrap();
    assert_eq!(
        (&json["verdict"], &json["aud"]),
        (&json!("pass"), &json!("shop"))
    );
    assert!(world.ask(&["-o", "yaml"]).out.contains("verdict: pass\n"));
    assert_eq!(world.ask(&["-o", "jwt"]).out.trim().split('.').count(), 3);
}

#[test]
fn an_answer_that_does_not_hold_is_not_shown() {
    let run = World::new(Manners {
        lies: true,
        ..Manners::default()
    })
    .ask(&[]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(
        run.err.contains("log.index") && run.err.contains("does not hold"),
        "{}",
        run.err
    );
}
