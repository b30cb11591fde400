//! What its operator relies on: changes, crashes and restarts lose nothing that was acknowledged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pavilion_e2e::broker::condition;
use pavilion_e2e::judges::logjudge;
use pavilion_e2e::relying_party::{Session, nonce, try_reply};
use pavilion_e2e::{Broker, Manifests, RelyingParty, Wallet};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

struct World {
    broker: Broker,
    wallet: Arc<Wallet>,
    shop: Arc<RelyingParty>,
}

impl World {
    fn start() -> Self {
        let (wallet, shop) = (
            Arc::new(Wallet::default()),
            Arc::new(RelyingParty::new("shop")),
        );
        let broker = Broker::start(&Manifests::tenant("acme", &wallet, &shop));
        Self {
            broker,
            wallet,
            shop,
        }
    }

    async fn load(&self) -> Load {
        let session = Arc::new(Session::open(&self.broker, "acme", &self.shop).await);
        Load::start(&session, &self.wallet)
    }
}

/// What happened to the questions asked meanwhile.
#[derive(Default)]
struct Tally {
    /// The index in the log of each answer that came back.
    answered: std::sync::Mutex<Vec<u64>>,
    /// Problems that came back, by code.
    refused: std::sync::Mutex<Vec<String>>,
    /// Requests without any reply.
    unanswered: AtomicUsize,
}

/// Four relying parties that ask without pause until stopped.
struct Load {
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(session: &Arc<Session>, wallet: &Arc<Wallet>) -> Self {
        let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Tally::default()));
        let tasks = (0..4).map(|_| {
            let (session, wallet, stop, tally) =
                (session.clone(), wallet.clone(), stop.clone(), tally.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    ask(&session, &wallet, &tally).await;
                }
            })
        });
        Self {
            tasks: tasks.collect(),
            stop,
            tally,
        }
    }

    async fn run_for(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    async fn stop(self) -> Arc<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.tally
    }
}

async fn ask(session: &Session, wallet: &Wallet, tally: &Tally) {
    let nonce = nonce();
    let presentation = wallet.write(&wallet.born("1990-05-17", session.server(), &nonce));
    let question = json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    });
    let request = session.request(Method::POST, "/v1/verifications");
    let request = request
        .header("content-type", "application/json")
        .body(question.to_string());
    match try_reply(request).await {
        Ok(reply) if reply.status == 201 => {
            let index = reply.json()["answer"]["evidence"]["index"]
                .as_u64()
                .expect("an index");
            tally.answered.lock().unwrap().push(index);
        }
        Ok(reply) => {
            tally.refused.lock().unwrap().push(reply.code());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(_) => {
            tally.unanswered.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Every answer has an index of its own below the log's size, and Go's library reads the log whole.
async fn assert_logged(world: &World, answered: &[u64]) {
    let session = Session::anonymous(&world.broker, "acme");
    let configuration = session
        .get("/.well-known/pavilion-configuration")
        .await
        .json();
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("log.vkey");
    std::fs::write(&key, configuration["log"]["verifier_key"].as_str().unwrap()).unwrap();
    // The checkpoint follows an append within a tenth of a second.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let log = world.broker.state().join("tenants/acme/auditor/log");
    let read = logjudge("log", &key, &log).unwrap();
    let size: u64 = read.split(' ').next().unwrap().parse().unwrap();
    let mut indices = answered.to_vec();
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(
        indices.len(),
        answered.len(),
        "an index was given out twice"
    );
    assert!(
        indices.last().is_none_or(|last| *last < size),
        "an answer left that is not in the log"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_any_program_of_a_tenant_loses_no_acknowledged_answer() {
    let world = World::start();
    for program in ["pavilion-auditor", "pavilion-signer", "pavilion-verifier"] {
        let load = world.load().await;
        load.run_for(700).await;
        let killed = world.broker.kill_child(program, Some("acme"));
        world.broker.wait_for("the program to be back", || {
            world
                .broker
                .child(program, Some("acme"))
                .is_some_and(|pid| pid != killed)
        });
        world.broker.wait_ready("acme");
        load.run_for(700).await;
        let tally = load.stop().await;
        let answered = tally.answered.lock().unwrap().clone();
        assert!(
            answered.len() > 10,
            "{program}: hardly anything was answered: {}",
            answered.len()
        );
        for code in tally.refused.lock().unwrap().iter() {
            let said = [
                "log_unavailable",
                "signer_unavailable",
                "tenant_unavailable",
                "overloaded",
                "not_configured",
            ];
            assert!(said.contains(&code.as_str()), "{program}: {code}");
        }
        assert_logged(&world, &answered).await;
    }
}

/// The `kid` and the whole of a signed answer.
async fn signed_answer(session: &Session, wallet: &Wallet) -> (String, String) {
    let nonce = nonce();
    let presentation = wallet.write(&wallet.born("1990-05-17", session.server(), &nonce));
    let question = json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    });
    let opened = session.post("/v1/verifications", &question).await.json();
    let path = format!(
        "/v1/verifications/{}/result",
        opened["id"].as_str().unwrap()
    );
    let request = session
        .request(Method::GET, &path)
        .header("accept", "application/vnd.pavilion.result+jwt");
    let answer = try_reply(request).await.unwrap().text().trim().to_owned();
    let head = answer.split('.').next().unwrap();
    let head = pavilion_jose::from_base64url(head).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    (head["kid"].as_str().unwrap().to_owned(), answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_rotated_by_command_signs_and_the_one_before_still_verifies() {
    let world = World::start();
    let session = Session::open(&world.broker, "acme", &world.shop).await;
    let (before, answer) = signed_answer(&session, &world.wallet).await;
    let output = std::process::Command::new(pavilion_e2e::program("kubectl-pavilion"))
        .args(["rotate", "acme", "-o", "json", "--state"])
        .arg(world.broker.state())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let rotated: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = rotated["keys"].as_array().unwrap();
    let named = |current: bool| {
        let key = keys.iter().find(|key| key["current"] == current).unwrap();
        key["keyId"].as_str().unwrap().to_owned()
    };
    assert_eq!((keys.len(), named(false)), (2, before.clone()));
    // The verifier looks for new keys every 30 s, and nobody is refused meanwhile.
    let mut after = before.clone();
    for _ in 0..300 {
        after = signed_answer(&session, &world.wallet).await.0;
        if after != before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(after, named(true), "the new key signs");
    let jwks = session.get("/.well-known/jwks.json").await.json();
    let jwks: pavilion_jose::Jwks = serde_json::from_value(jwks).unwrap();
    let kids: Vec<_> = jwks.keys.iter().map(|key| key.kid().unwrap()).collect();
    assert!(
        kids.contains(&before.as_str()) && kids.contains(&after.as_str()),
        "{kids:?}"
    );
    let old = jwks
        .keys
        .iter()
        .find(|key| key.kid() == Some(before.as_str()));
    let signed = pavilion_jose::CompactJws::parse(&answer).unwrap();
    signed
        .verify(old.unwrap().key(), &[pavilion_jose::Algorithm::Es256])
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_policy_takes_effect_without_a_failed_request() {
    let world = World::start();
    let load = world.load().await;
    for age in [19, 20, 21] {
        let before = world.broker.status("tenant", "acme").unwrap()["status"]["served"].clone();
        Manifests::tenant("acme", &world.wallet, &world.shop)
            .changed("Policy", "over18", |spec| {
                spec["rule"]["all"][0]["age"]["atLeast"] = json!(age);
            })
            .write_to(&world.broker.manifests());
        world.broker.wait_for("the new bundle to be served", || {
            let status = world.broker.status("tenant", "acme").unwrap_or_default();
            status["status"]["served"] != before
                && condition(&status, "Ready").as_deref() == Some("True")
        });
        load.run_for(200).await;
    }
    let tally = load.stop().await;
    assert_eq!(*tally.refused.lock().unwrap(), Vec::<String>::new());
    assert_eq!(tally.unanswered.load(Ordering::Relaxed), 0);
    assert!(tally.answered.lock().unwrap().len() > 10);
}

#[tokio::test]
async fn an_invalid_manifest_is_refused_whole_and_the_last_good_state_serves() {
    let world = World::start();
    let session = Session::open(&world.broker, "acme", &world.shop).await;
    Manifests::tenant("acme", &world.wallet, &world.shop)
        .changed("Policy", "over18", |spec| {
            spec["rule"]["all"][0]["claim"] = json!("pid.nosuch");
        })
        .changed("Policy", "account-opening", |spec| {
            spec["title"] = json!("Renamed");
        })
        .write_to(&world.broker.manifests());
    world.broker.wait_for("the refusal to be shown", || {
        let status = world.broker.status("policy", "acme.over18");
        condition(&status.unwrap_or_default(), "Accepted").as_deref() == Some("False")
    });
    let tally = Tally::default();
    ask(&session, &world.wallet, &tally).await;
    assert_eq!(tally.answered.lock().unwrap().len(), 1);

    Manifests::tenant("acme", &world.wallet, &world.shop).write_to(&world.broker.manifests());
    world.broker.wait_ready("acme");
}

#[tokio::test]
async fn a_token_dies_with_its_relying_party() {
    let world = World::start();
    let session = Session::open(&world.broker, "acme", &world.shop).await;
    let question = json!({"policy": "over18", "purpose": "age-restricted-sale"});
    assert_eq!(
        session.post("/v1/verifications", &question).await.status,
        201
    );
    Manifests::tenant("acme", &world.wallet, &world.shop)
        .without("RelyingParty", "shop")
        .write_to(&world.broker.manifests());
    let gone =
        async || session.post("/v1/verifications", &question).await.code() == "token_invalid";
    for _ in 0..500 {
        if gone().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the token outlived its relying party");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_was_killed_takes_over_what_it_left_behind() {
    let mut world = World::start();
    let load = world.load().await;
    load.run_for(400).await;
    let orphan = world.broker.child("pavilion-signer", Some("acme")).unwrap();
    world.broker.kill();
    load.run_for(400).await;
    world.broker.restart();
    world.broker.wait_for("new programs", || {
        world
            .broker
            .child("pavilion-signer", Some("acme"))
            .is_some_and(|pid| pid != orphan)
    });
    world.broker.wait_ready("acme");
    load.run_for(400).await;
    let tally = load.stop().await;
    let answered = tally.answered.lock().unwrap().clone();
    assert!(answered.len() > 10);
    assert!(
        !std::path::Path::new(&format!("/proc/{orphan}/exe")).exists(),
        "an orphan is still running"
    );
    assert_logged(&world, &answered).await;
}

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
    let world = World::start();
    let session = Session::open(&world.broker, "acme", &world.shop).await;
    let tally = Tally::default();
    ask(&session, &world.wallet, &tally).await;
    world
        .broker
        .wait_for("the access log", || world.broker.log().contains("/v1/"));
    let log = world.broker.log();
    assert!(!log.contains("1990-05-17"));
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert!(!lines.is_empty(), "off a terminal the operator logs JSON");
}
