//! Something that is needed is away: nothing leaves, nothing is lost.

use std::sync::Arc;

use pavilion_verifier::program::sweep_once;
use pavilion_verifier::store::{Ending, Outcome};
use serde_json::json;

use crate::neighbours::Neighbours;
use crate::stage::{Judging, NONCE, PATH, at_the_log, served};
use crate::world::{World, one_shot, pid};

#[tokio::test]
async fn without_an_auditor_no_answer_leaves_and_the_same_request_succeeds_later() {
    let world = World::new();
    let token = world.token("shop").await;
    let sent = one_shot(NONCE, &world.adult(NONCE));
    let refused = world.post(&token, PATH, &sent).await;
    refused.refused(503, "log_unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    let (path, nonce) = world.ask(&token).await;
    let evidence = json!({"presentations": pid(&world.adult(&nonce))});
    let refused = world
        .post(&token, &format!("{path}/evidence"), &evidence)
        .await;
    assert_eq!(refused.refused(503, "log_unavailable")["instance"], path);
    assert_eq!(
        world.get(&token, &path).await.ok(200)["state"],
        "awaiting_evidence"
    );

    let _neighbours = Neighbours::serve(world.folder.path());
    world.post(&token, PATH, &sent).await.ok(201);
    world
        .post(&token, &format!("{path}/evidence"), &evidence)
        .await
        .ok(200);
}

#[tokio::test]
async fn a_failure_of_any_step_keeps_the_verification_and_its_nonce() {
    let (world, neighbours) = served();
    let token = world.token("shop").await;
    let (path, nonce) = world.ask(&token).await;
    let evidence = json!({"presentations": pid(&world.adult(&nonce))});
    let sent = one_shot(NONCE, &world.adult(NONCE));
    for (call, code, outward) in [
        ("append", "log_unavailable", "log_unavailable"),
        ("append", "log_overloaded", "log_overloaded"),
        ("append", "log_entry_invalid", "log_unavailable"),
        ("keys", "signer_unavailable", "signer_unavailable"),
        ("sign", "signer_overloaded", "signer_overloaded"),
        ("sign", "signer_timeout", "signer_timeout"),
        ("sign", "key_retired", "signer_unavailable"),
        ("receipt", "log_unavailable", "log_unavailable"),
    ] {
        neighbours.fail(Some((call, code)));
        world.post(&token, PATH, &sent).await.refused(503, outward);
        let refused = world
            .post(&token, &format!("{path}/evidence"), &evidence)
            .await;
        refused.refused(503, outward);
        assert_eq!(
            world.get(&token, &path).await.ok(200)["state"],
            "awaiting_evidence"
        );
    }
    neighbours.fail(None);
    world.post(&token, PATH, &sent).await.ok(201);
    world
        .post(&token, &format!("{path}/evidence"), &evidence)
        .await
        .ok(200);
}

#[tokio::test]
async fn a_rotated_key_is_noticed_and_the_answer_signed_with_the_new_one() {
    let (world, neighbours) = served();
    let token = world.token("shop").await;
    let first = world
        .post(&token, PATH, &one_shot(NONCE, &world.adult(NONCE)))
        .await
        .ok(201);
    neighbours.rotate();
    let nonce = "fedcba9876543210";
    let second = world
        .post(&token, PATH, &one_shot(nonce, &world.adult(nonce)))
        .await
        .ok(201);
    let kid = |done: &serde_json::Value| {
        let jws = done["jws"].as_str().unwrap();
        pavilion_jose::CompactJws::parse(jws)
            .unwrap()
            .header()
            .kid
            .clone()
    };
    assert_ne!(kid(&first), kid(&second));
    let keys = world.get("x", "/.well-known/jwks.json").await.ok(200);
    assert_eq!(
        keys["keys"].as_array().unwrap().len(),
        2,
        "the old answer can still be checked"
    );
}

#[tokio::test]
async fn what_is_away_is_shown_until_it_is_back() {
    let world = World::new();
    let watch = tokio::spawn(world.app.peers.clone().watch(&world.health));
    let reason = |name: &str| {
        let status = world.health.status();
        let check = status.checks.into_iter().find(|check| check.name == name);
        check.map(|check| check.reason).unwrap_or_default()
    };
    let until = async |wanted: &str| {
        while reason("auditor") != wanted {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    until("log_unavailable").await;
    assert_eq!(reason("signer"), "signer_unavailable");
    let _neighbours = Neighbours::serve(world.folder.path());
    until("").await;
    watch.abort();
}

#[tokio::test]
async fn while_one_request_is_at_work_others_wait_their_turn_or_are_told_so() {
    let world = World::with(&json!({"evaluations": 1, "queueLimit": 0}));
    let judging = Judging::begin(world).await;
    let (world, token) = (&judging.world, &judging.token);
    assert_eq!(judging.state().await, "evaluating");
    world
        .post(
            token,
            &format!("{}/evidence", judging.path),
            &judging.evidence,
        )
        .await
        .refused(409, "state_conflict");
    world
        .delete(token, &judging.path)
        .await
        .refused(409, "state_conflict");
    world
        .post(token, PATH, &one_shot(NONCE, &world.adult(NONCE)))
        .await
        .refused(503, "overloaded");
    judging.finish().await.ok(200);
}

#[tokio::test]
async fn an_evaluation_that_began_in_time_is_finished_whatever_the_clock_says() {
    let world = World::new();
    let mut long = world.bundle(2);
    long["lifetimes"]["tokenSeconds"] = json!(3_600);
    world.load(&long);
    let judging = Judging::begin(world).await;
    let (world, token, path) = (
        judging.world.clone(),
        judging.token.clone(),
        judging.path.clone(),
    );
    // First past its expiry, then past the time it would have been kept for.
    for seconds in [600, 900] {
        world.clock.advance(seconds);
        sweep_once(&world.app).await;
        assert_eq!(judging.state().await, "evaluating");
        let deleted = world.delete(&token, &path).await;
        deleted.refused(409, "state_conflict");
        let early = world.get(&token, &format!("{path}/result")).await;
        early.refused(409, "result_not_ready");
    }
    let done = judging.finish().await.ok(200);
    assert_eq!(done["verdict"], "pass");
    assert_eq!(world.get(&token, &path).await.ok(200)["state"], "completed");
    world
        .get(&token, &format!("{path}/result"))
        .await
        .headers
        .get("vary")
        .unwrap();
    assert_eq!(world.delete(&token, &path).await.status, 204);
    world.get(&token, &path).await.refused(404, "not_found");
}

#[tokio::test]
async fn an_answer_that_could_not_be_stored_is_not_counted_and_does_not_leave() {
    let judging = Judging::begin(World::new()).await;
    let world = judging.world.clone();
    // The row ends behind the request's back.
    let id = ulid::Ulid::from_string(judging.path.rsplit('/').next().unwrap()).unwrap();
    let ending = Ending {
        outcome: Outcome::Cancelled,
        kept_until: world.clock.second() + 60,
        nonce: None,
        idempotency: None,
    };
    let ended = world.app.store.end_verification(id, ending).await;
    ended.unwrap().unwrap();
    judging.finish().await.refused(409, "state_conflict");
    assert!(world.metric("pavilion_verdicts_total{verdict=\"pass\"} 0"));
    assert!(world.metric("pavilion_evaluations_running 0"));
}

#[tokio::test]
async fn two_requests_with_one_key_or_one_nonce_are_not_both_at_work() {
    let (world, neighbours) = served();
    let world = Arc::new(world);
    neighbours.hold().await;
    let token = world.token("shop").await;
    let sent = one_shot(NONCE, &world.adult(NONCE)).to_string();
    let first = tokio::spawn({
        let (world, token, sent) = (world.clone(), token.clone(), sent.clone());
        async move {
            world
                .post_with(&token, PATH, &[("idempotency-key", "k")], &sent)
                .await
        }
    });
    at_the_log(&neighbours).await;
    let same_key = world
        .post_with(&token, PATH, &[("idempotency-key", "k")], &sent)
        .await;
    same_key.refused(409, "idempotency_key_in_use");
    let same_nonce = world.post_with(&token, PATH, &[], &sent).await;
    same_nonce.refused(422, "nonce_reused");
    neighbours.go_on();
    first.await.unwrap().ok(201);
    assert_eq!(neighbours.entries().len(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_its_answer() {
    let judging = Judging::begin(World::new()).await;
    judging.request.abort();
    judging.neighbours.go_on();
    while judging.state().await != "completed" {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let receipt = format!("{}/receipt", judging.path);
    let receipt = judging.world.get(&judging.token, &receipt).await;
    assert_eq!(receipt.text, "receipt of 0\n");
}
