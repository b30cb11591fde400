//! `ask` over TLS: what it sends, what it prints, what it keeps, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/broker.rs"]
mod broker;
#[path = "support/chain.rs"]
mod chain;
#[path = "support/command.rs"]
mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use broker::{Broker, Manners};
use chain::NONCE;
use command::{Run, pavilion};
use pavilion_jose::{Algorithm, SigningKey};
use pavilion_results::Verdict;
use serde_json::{Value, json};

/// A relying party in front of a broker.
struct World {
    broker: Broker,
    presentation: String,
}

impl World {
    fn new(manners: Manners) -> Self {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let broker = Broker::start(key.public(), manners);
        fs::write(broker.file("shop.jwk"), key.to_jwk().unwrap().to_string()).unwrap();
        fs::write(broker.file("pid"), "a~b~c\n").unwrap();
        let presentation = format!("pid={}", broker.file("pid"));
        Self {
            broker,
            presentation,
        }
    }

    /// Who asks whom, by `private_key_jwt`.
    fn base(&self) -> Vec<String> {
        let connect = self.broker.address.to_string();
        let (key, authority) = (self.broker.file("shop.jwk"), self.broker.file("ca.pem"));
        [
            "ask",
            "--server",
            "https://verify.acme.example",
            "--as",
            "shop",
            "--connect",
            &connect,
            "--cacert",
            &authority,
            "--key",
            &key,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn run(&self, more: &[&str]) -> Run {
        let mut args = self.base();
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        pavilion(args)
    }

    /// A whole question in one step.
    fn ask(&self, more: &[&str]) -> Run {
        let question = [
            "--policy",
            "over18",
            "--purpose",
            "age-restricted-sale",
            "--nonce",
            NONCE,
            "--presentation",
            &self.presentation,
        ];
        self.run(&[&question, more].concat())
    }
}

fn deciding(verdict: Verdict) -> World {
    World::new(Manners {
        verdict,
        ..Manners::default()
    })
}

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
fn a_question_can_be_asked_in_two_steps() {
    let world = deciding(Verdict::Pass);
    let out = world.broker.file("out");
    let question = [
        "--policy",
        "over18",
        "--purpose",
        "age-restricted-sale",
        "--out",
        &out,
    ];
    let run = world.run(&question);
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
    let opened: Value =
        serde_json::from_str(&world.run(&[&question[..], &["-o", "json"]].concat()).out).unwrap();
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
    let question = [
        "--policy",
        "over18",
        "--purpose",
        "age-restricted-sale",
        "--out",
        &out,
    ];
    let run = world.run(&[&question[..], &["-o", "json"]].concat());
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
    .ask(&["--timeout", "1"]);
    assert_eq!(run.code, 5);
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

#[test]
fn a_refusal_is_told_with_code_hint_and_where_to_read_on() {
    let problem = json!({
        "type": "https://pavilion.dev/problems/presentation-nonce-mismatch", "status": 422,
        "title": "The presentation answers another request", "code": "presentation_nonce_mismatch",
        "evidence": "pid", "field": "presentations[0]", "detail": "It carries another nonce.", "hint": "Present again.",
    });
    let run = World::new(Manners {
        refuses: Some(problem),
        ..Manners::default()
    })
    .ask(&[]);
    assert_eq!((run.code, run.out.as_str()), (4, ""));
    assert!(
        run.err.starts_with(
            "error: The presentation answers another request. It carries another nonce.\n"
        ),
        "{}",
        run.err
    );
    for line in [
        "code: presentation_nonce_mismatch",
        "evidence: pid",
        "field: presentations[0]",
        "hint: Present again.",
        "status: 422 Unprocessable Entity",
        "more: kubectl pavilion explain presentation_nonce_mismatch",
    ] {
        assert!(
            run.err.contains(&format!("  {line}\n")),
            "{line}: {}",
            run.err
        );
    }
}

#[test]
fn a_refusal_in_no_known_form_is_told_as_well() {
    let run = World::new(Manners {
        refuses: Some(json!("no")),
        ..Manners::default()
    })
    .ask(&[]);
    assert_eq!(run.code, 4);
    assert!(
        run.err.starts_with("error: the broker refused\n"),
        "{}",
        run.err
    );
}

#[test]
fn a_busy_broker_is_asked_again_under_the_same_key() {
    let world = World::new(Manners {
        busy: 2,
        ..Manners::default()
    });
    let run = world.ask(&[]);
    assert_eq!(run.code, 0, "{}", run.err);
    let keys = world.broker.seen.keys();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]));

    let run = World::new(Manners {
        busy: 3,
        ..Manners::default()
    })
    .ask(&[]);
    assert_eq!(run.code, 4);
    assert!(run.err.contains("The queue is full."), "{}", run.err);
}

#[test]
fn a_wrong_key_is_refused_at_the_token() {
    let world = deciding(Verdict::Pass);
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    fs::write(
        world.broker.file("shop.jwk"),
        other.to_jwk().unwrap().to_string(),
    )
    .unwrap();
    let run = world.ask(&[]);
    assert_eq!(run.code, 4);
    assert!(
        run.err
            .starts_with("error: no key verifies the assertion\n"),
        "{}",
        run.err
    );
    assert!(run.err.contains("code: invalid_client"), "{}", run.err);
    assert!(world.broker.seen.keys().is_empty(), "nothing was asked");
}

#[test]
fn a_client_certificate_stands_in_for_a_key() {
    let world = World::new(Manners {
        mutual_tls: true,
        ..Manners::default()
    });
    let mut args = world.base();
    args.truncate(args.len() - 2);
    let more = [
        "--client-cert",
        &world.broker.file("client.pem"),
        "--client-key",
        &world.broker.file("client.key"),
        "--policy",
        "over18",
        "--purpose",
        "age-restricted-sale",
        "--nonce",
        NONCE,
        "--presentation",
        &world.presentation,
    ];
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    let run = pavilion(&args);
    assert_eq!(run.code, 0, "{}", run.err);
    let position = args.iter().position(|arg| arg == "--client-key").unwrap();
    args[position + 1] = world.broker.file("ca.pem");
    let run = pavilion(&args);
    assert_eq!(run.code, 6);
    assert!(
        run.err
            .contains("are not a certificate and its private key"),
        "{}",
        run.err
    );
}

#[test]
fn a_broker_under_another_name_or_authority_is_not_asked() {
    let run = World::new(Manners {
        issuer: "https://verify.beta.example",
        ..Manners::default()
    })
    .ask(&[]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.contains("calls itself https://verify.beta.example"),
        "{}",
        run.err
    );

    let world = deciding(Verdict::Pass);
    let stranger = deciding(Verdict::Pass);
    fs::copy(stranger.broker.file("ca.pem"), world.broker.file("ca.pem")).unwrap();
    let run = world.ask(&[]);
    assert_eq!(run.code, 5);
    assert!(
        run.err.contains("cannot be reached") && run.err.contains("--cacert"),
        "{}",
        run.err
    );

    fs::write(world.broker.file("ca.pem"), "nothing").unwrap();
    let run = world.ask(&[]);
    assert_eq!(run.code, 6);
    assert!(run.err.contains("holds no PEM certificate"), "{}", run.err);
}

#[test]
fn a_broker_that_is_away_is_said_to_be_away() {
    let world = deciding(Verdict::Pass);
    let mut args = world.base();
    let position = args.iter().position(|arg| arg == "--connect").unwrap();
    // Port 1 of loopback: nobody listens there.
    args[position + 1] = "127.0.0.1:1".to_owned();
    args.extend(["--policy", "over18", "--purpose", "age-restricted-sale"].map(str::to_owned));
    let run = pavilion(args);
    assert_eq!(run.code, 5);
    assert!(
        run.err.contains("cannot be reached") && run.err.contains("hint: is it running?"),
        "{}",
        run.err
    );
}

#[test]
fn files_are_looked_at_before_anybody_is_asked() {
    let world = deciding(Verdict::Pass);
    let run = world.ask(&["--presentation", "student=/nowhere/student"]);
    assert_eq!(run.code, 6);
    assert!(
        run.err.contains("cannot read /nowhere/student"),
        "{}",
        run.err
    );
    let run = world.ask(&["--presentation", &world.presentation]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("two presentations for pid"), "{}", run.err);
}
