//! What is told when nobody answers, or with a refusal.

use std::fs;

use pavilion_jose::{Algorithm, SigningKey};
use pavilion_results::Verdict;
use serde_json::json;

use crate::broker::Manners;
use crate::chain::NONCE;
use crate::command::pavilion;
use crate::world::{QUESTION, World, deciding};

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
    args.extend(QUESTION.map(str::to_owned));
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
