//! A relying party asks; what it gets back is right and can be judged by others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A JWS and the JWKS it is checked with are called what they are.
#![allow(clippy::similar_names)]

use std::path::PathBuf;

use pavilion_e2e::judges::{Judge, judge_log, judge_receipt};
use pavilion_e2e::manifests::PID;
use pavilion_e2e::relying_party::{Reply, Session, nonce, now};
use pavilion_e2e::{Broker, World};
use serde_json::{Value, json};
use tempfile::TempDir;

fn over18(nonce: &str, presentation: &str) -> Value {
    json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    })
}

fn finished(reply: &Reply) -> Value {
    assert_eq!(reply.status, 201, "{}", reply.text());
    let verification = reply.json();
    assert_eq!(verification["state"], "completed", "{verification:#}");
    verification
}

#[tokio::test]
async fn a_presentation_by_a_foreign_wallet_gets_an_answer_that_foreign_libraries_accept() {
    let world = World::start();
    let session = world.session().await;
    for judge in [Judge::JavaScriptWallet, Judge::PythonWallet] {
        let nonce = nonce();
        let (issuer_key, holder_key) = world.wallet.private_keys();
        let job = json!({
            "issuerKey": issuer_key, "holderKey": holder_key,
            "payload": {
                "iss": world.wallet.issuer(), "vct": PID, "iat": now() - 60, "exp": now() + 3600,
                "birthdate": "1990-05-17", "address": {"country": "DE"},
            },
            "concealed": ["birthdate", "address"], "disclose": ["birthdate"],
            "nonce": nonce, "audience": session.server(), "iat": now(),
        });
        let presentation = judge.run(&job).unwrap()["presentation"]
            .as_str()
            .unwrap()
            .to_owned();
        let reply = session
            .post("/v1/verifications", &over18(&nonce, &presentation))
            .await;
        let verification = finished(&reply);
        assert_eq!(
            verification["verdict"], "pass",
            "{judge:?}: {verification:#}"
        );
        judged_by_others(&session, &verification).await;
    }
}

async fn judged_by_others(session: &Session, verification: &Value) {
    let id = verification["id"].as_str().unwrap();
    let jwks = session.get("/.well-known/jwks.json").await.json();
    let jws = verification["jws"].as_str().unwrap();
    let job = json!({"jws": jws, "jwks": jwks, "issuer": session.server(), "audience": "shop"});
    for judge in [Judge::JavaScriptReader, Judge::PythonReader] {
        let read = judge.run(&job).unwrap();
        assert_eq!(read["verdict"], "pass");
        assert_eq!(read["policy"]["name"], "over18");
    }
    let mut forged = jws.to_owned().into_bytes();
    let middle = jws.find('.').unwrap() + 20;
    forged[middle] ^= 1;
    let job = json!({"jws": String::from_utf8(forged).unwrap(), "jwks": jwks, "issuer": session.server(), "audience": "shop"});
    assert!(Judge::JavaScriptReader.run(&job).is_err() && Judge::PythonReader.run(&job).is_err());

    let folder = TempDir::new().unwrap();
    let receipt = session
        .get(&format!("/v1/verifications/{id}/receipt"))
        .await;
    assert_eq!(
        (receipt.status, receipt.content_type.as_str()),
        (200, "text/plain")
    );
    let key = verifier_key(session, &folder).await;
    let path = folder.path().join("receipt");
    std::fs::write(&path, &receipt.bytes).unwrap();
    judge_receipt(&key, &path).unwrap();
    let mut flipped = receipt.bytes.clone();
    let position = receipt.text().find("extra ").unwrap() + 20;
    flipped[position] ^= 1;
    std::fs::write(&path, flipped).unwrap();
    assert!(judge_receipt(&key, &path).is_err());
}

async fn verifier_key(session: &Session, folder: &TempDir) -> PathBuf {
    let key = folder.path().join("log.vkey");
    std::fs::write(&key, session.log_key().await).unwrap();
    key
}

#[tokio::test]
async fn every_answer_is_in_a_log_that_gos_own_library_reads_whole() {
    let world = World::start();
    let session = world.session().await;
    for _ in 0..5 {
        let nonce = nonce();
        let presentation =
            world
                .wallet
                .write(&world.wallet.born("1990-05-17", session.server(), &nonce));
        finished(
            &session
                .post("/v1/verifications", &over18(&nonce, &presentation))
                .await,
        );
    }
    let folder = TempDir::new().unwrap();
    let key = verifier_key(&session, &folder).await;
    let log = world.broker.served_log("acme");
    // The published checkpoint follows an append within a tenth of a second.
    let whole = || judge_log(&key, &log, None).is_ok_and(|leaves| leaves.len() == 5);
    world
        .broker
        .wait_for("all five entries in the published log", whole);
}

#[tokio::test]
async fn a_question_can_be_asked_first_and_answered_when_the_wallet_has_presented() {
    let world = World::start();
    let session = world.session().await;
    let created = session
        .post(
            "/v1/verifications",
            &json!({"policy": "over18", "purpose": "age-restricted-sale"}),
        )
        .await;
    assert_eq!(created.status, 201, "{}", created.text());
    let created = created.json();
    assert_eq!(created["state"], "awaiting_evidence");
    assert_eq!(created["evidence"][0]["id"], "pid");
    let (id, nonce) = (
        created["id"].as_str().unwrap(),
        created["nonce"].as_str().unwrap(),
    );
    assert_eq!(
        session
            .get(&format!("/v1/verifications/{id}/result"))
            .await
            .code(),
        "result_not_ready"
    );

    let audience = created["audience"].as_str().unwrap();
    let presentation = world
        .wallet
        .write(&world.wallet.born("1990-05-17", audience, nonce));
    let evidence = json!({"presentations": [{"evidence": "pid", "presentation": presentation}]});
    let reply = session
        .post(&format!("/v1/verifications/{id}/evidence"), &evidence)
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["verdict"], "pass");

    let again = session.get(&format!("/v1/verifications/{id}")).await.json();
    assert_eq!(
        (&again["state"], &again["verdict"]),
        (&json!("completed"), &json!("pass"))
    );
}

#[tokio::test]
async fn a_refusal_names_every_broken_clause_and_no_value() {
    let world = World::start();
    let session = world.session().await;
    let nonce = nonce();
    let claims = json!({"birthdate": "2015-02-03", "address": {"country": "US"}});
    let presentation =
        world
            .wallet
            .write(&world.wallet.sound(PID, &claims, session.server(), &nonce));
    let question = json!({
        "policy": "account-opening", "purpose": "account-opening", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    });
    let reply = session.post("/v1/verifications", &question).await;
    let verification = finished(&reply);
    assert_eq!(verification["verdict"], "fail");
    let broken: Vec<_> = verification["answer"]["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["verdict"] == "fail")
        .map(|check| check["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(broken, ["rule.all[0]", "rule.all[1]"], "{verification:#}");
    assert!(!reply.text().contains("2015-02-03"), "the birthdate leaked");
    for place in [world.broker.log(), entries(&world.broker)] {
        assert!(
            !place.contains("2015-02-03") && !place.contains(&presentation[..40]),
            "the subject leaked"
        );
    }
}

fn entries(broker: &Broker) -> String {
    let folder = broker.state().join("tenants/acme/auditor/log");
    let mut text = String::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                text.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
            }
        }
    }
    text
}

#[tokio::test]
async fn an_answer_discloses_what_the_policy_allows_and_no_more() {
    let world = World::start();
    let session = world.session().await;
    let nonce = nonce();
    let presentation =
        world
            .wallet
            .write(&world.wallet.born("1990-05-17", session.server(), &nonce));
    let mut question = json!({
        "policy": "account-opening", "purpose": "account-opening", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
        "result": {"disclose": ["pid.country"]},
    });
    let verification = finished(&session.post("/v1/verifications", &question).await);
    assert_eq!(
        verification["answer"]["claims"],
        json!({"pid.country": "DE"}),
        "{verification:#}"
    );
    question["result"]["disclose"] = json!(["pid.birthdate"]);
    let refused = session.post("/v1/verifications", &question).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "over_asking")
    );
}
