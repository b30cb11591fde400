//! What its operator relies on: programs that end with it, starts that fail with a word, logs that tell
//! what happened and nothing of whom.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pavilion_e2e::relying_party::{Session, nonce};
use pavilion_e2e::{Broker, Manifests, RelyingParty, Wallet, World};
use serde_json::{Value, json};
use tempfile::TempDir;

#[tokio::test]
async fn a_stopped_broker_leaves_no_process_behind() {
    let mut world = World::start();
    let programs = [
        ("pavilion-router", None),
        ("pavilion-verifier", Some("acme")),
        ("pavilion-signer", Some("acme")),
        ("pavilion-auditor", Some("acme")),
    ];
    let pids: Vec<_> = programs
        .iter()
        .map(|(program, tenant)| world.broker.child(program, *tenant).unwrap())
        .collect();
    assert!(world.broker.stop().success());
    for pid in pids {
        assert!(!std::path::Path::new(&format!("/proc/{pid}/exe")).exists());
    }
}

#[tokio::test]
async fn a_second_operator_on_the_same_state_is_refused() {
    let world = World::start();
    let output = std::process::Command::new(pavilion_e2e::program("pavilion-operator"))
        .arg("standalone")
        .args(["--manifests".as_ref(), world.broker.manifests().as_os_str()])
        .args(["--state".as_ref(), world.broker.state().as_os_str()])
        .args(["--listen", &pavilion_e2e::broker::free_port().to_string()])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(69),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn a_taken_port_ends_the_operator_with_the_address_in_its_message() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = TempDir::new().unwrap();
    let (wallet, shop) = (Wallet::default(), RelyingParty::new("shop"));
    Manifests::tenant("acme", &wallet, &shop).write_to(&folder.path().join("manifests"));
    let address = taken.local_addr().unwrap().to_string();
    let output = std::process::Command::new(pavilion_e2e::program("pavilion-operator"))
        .arg("standalone")
        .args([
            "--manifests".as_ref(),
            folder.path().join("manifests").as_os_str(),
        ])
        .args(["--state".as_ref(), folder.path().join("state").as_os_str()])
        .args(["--listen", &address])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains(&address), "{said}");
}

#[tokio::test]
async fn programs_log_one_request_under_one_id_and_nothing_of_its_subject() {
    let (wallet, shop) = (Wallet::default(), RelyingParty::new("shop"));
    let manifests = Manifests::tenant("acme", &wallet, &shop);
    let broker = Broker::start_with(&manifests, vec!["--log-level", "debug"]);
    let session = Session::open(&broker, "acme", &shop).await;
    let nonce = nonce();
    let presentation = wallet.write(&wallet.born("1990-05-17", session.server(), &nonce));
    let question = json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    });
    let reply = session.post("/v1/verifications", &question).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let told = |program: &str| {
        let log = broker.log();
        let mut lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.any(|line| {
            line["request_id"] == reply.request_id.as_str()
                && line["program"]
                    .as_str()
                    .unwrap_or_default()
                    .contains(program)
        })
    };
    for program in ["router", "verifier", "signer", "auditor"] {
        broker.wait_for(
            &format!("the request's id in the log of the {program}"),
            || told(program),
        );
    }

    let log = broker.log();
    let (issued, rest) = presentation.split_once('~').unwrap();
    let secrets = rest.split('~').chain(issued.split('.')).skip(1);
    for secret in secrets.chain(["1990-05-17"]) {
        assert!(!log.contains(secret), "the log tells {secret}");
        for program in ["verifier", "signer", "auditor"] {
            let metrics = broker.metrics(program, Some("acme"));
            assert!(!metrics.contains(secret), "{program} counts {secret}");
        }
    }
}
