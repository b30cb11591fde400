//! A question in several steps, and one that takes its time.

use pavilion_results::Verdict;
use serde_json::{Value, json};

use crate::broker::Manners;
use crate::chain::NONCE;
use crate::command::pavilion;
use crate::world::{World, deciding};

#[test]
fn a_question_can_be_asked_in_two_steps() {
    let world = deciding(Verdict::Pass);
    let out = world.broker.file("out");
    let run = world.open(&out, &[]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.out.contains(&format!("nonce      {NONCE}\n")),
        "{}",
        run.out
    );
    assert!(
        run.out
            .contains("wants      pid: urn:eudi:pid:1 with birthdate\n"),
        "{}",
        run.out
    );
    assert!(
        run.err.contains("--continue 01J0000000000000000000TEST"),
        "{}",
        run.err
    );
    let opened: Value = serde_json::from_str(&world.open(&out, &["-o", "json"]).out).unwrap();
    assert_eq!(
        (&opened["state"], &opened["nonce"]),
        (&json!("awaiting_evidence"), &json!(NONCE))
    );

    let id = opened["id"].as_str().unwrap();
    let run = world.run(&[
        "--continue",
        id,
        "--presentation",
        &world.presentation,
        "--out",
        &out,
    ]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(
        world.broker.seen.evidence().unwrap(),
        json!({"presentations": [{"evidence": "pid", "presentation": "a~b~c"}]})
    );
    assert_eq!(pavilion(["verify", &out]).code, 0);
    assert_eq!(
        world.broker.seen.keys().len(),
        3,
        "every POST has a key of its own"
    );
    let other = ["--continue", "01J0000000000000000000ELSE", "--presentation"];
    let run = world.run(&[&other[..], &[&world.presentation, "--out", &out]].concat());
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(
        run.err.contains("request of another verification"),
        "{}",
        run.err
    );
    let run = world.run(&["--continue", id, "--presentation", &world.presentation]);
    assert_eq!(
        run.code, 0,
        "without the kept request the rest is still checked: {}",
        run.err
    );
    let run = world.run(&[
        "--continue",
        "../../oauth",
        "--presentation",
        &world.presentation,
    ]);
    assert_eq!(run.code, 2);
    assert!(
        run.err.contains("is not the id of a verification"),
        "{}",
        run.err
    );
}

#[test]
fn the_request_of_a_later_question_is_not_taken_for_that_of_an_earlier_one() {
    let world = deciding(Verdict::Pass);
    let out = world.broker.file("out");
    let run = world.open(&out, &["-o", "json"]);
    let opened: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(world.ask(&["--out", &out]).code, 0);
    let id = opened["id"].as_str().unwrap();
    let rest = [
        "--continue",
        id,
        "--presentation",
        &world.presentation,
        "--out",
        &out,
    ];
    let run = world.run(&rest);
    assert_eq!(run.code, 2, "{}", run.err);
    assert_eq!(world.broker.seen.evidence(), None, "nothing was presented");
}

#[test]
fn a_verification_that_is_being_judged_is_waited_for() {
    let run = World::new(Manners {
        judging: 2,
        ..Manners::default()
    })
    .ask(&[]);
    assert_eq!(run.code, 0, "{}", run.err);
    let run = World::new(Manners {
        judging: 1000,
        ..Manners::default()
    })
    .ask(&["--timeout", "5"]);
    assert_eq!(run.code, 5, "{}", run.err);
    assert!(run.err.contains("is still being judged"), "{}", run.err);
}

#[test]
fn the_time_out_is_for_all_requests_together() {
    let world = World::new(Manners {
        slow: std::time::Duration::from_millis(700),
        ..Manners::default()
    });
    let run = world.ask(&["--timeout", "1"]);
    assert_eq!(run.code, 5, "{}", run.err);
    assert!(run.err.contains("did not answer in time"), "{}", run.err);
}

#[test]
fn a_verification_without_an_answer_says_what_became_of_it() {
    for (end, told) in [
        ("failed", "could not finish it"),
        ("expired", "in time"),
        ("cancelled", "is cancelled"),
    ] {
        let run = World::new(Manners {
            end,
            ..Manners::default()
        })
        .ask(&[]);
        assert_eq!((run.code, run.out.as_str()), (4, ""), "{end}");
        assert!(run.err.contains(told), "{}", run.err);
        assert_eq!(
            run.err.contains("code: log_unavailable"),
            end == "failed",
            "{}",
            run.err
        );
    }
}
