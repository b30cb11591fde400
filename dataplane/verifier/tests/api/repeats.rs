//! Evidence counts once, in its time, for whom it was made; a request may be repeated.

use pavilion_verifier::program::sweep_once;
use serde_json::json;

use crate::stage::{NONCE, PATH, served};
use crate::world::{ISSUER, World, one_shot, pid};

#[tokio::test]
async fn a_replayed_presentation_is_refused_by_name_everywhere() {
    let (world, _log) = served();
    let (shop, rival) = (world.token("shop").await, world.token("rival").await);
    let presentation = world.adult(NONCE);
    world
        .post(&shop, PATH, &one_shot(NONCE, &presentation))
        .await
        .ok(201);
    for token in [&shop, &rival] {
        let refused = world
            .post(token, PATH, &one_shot(NONCE, &presentation))
            .await;
        assert_eq!(
            refused.refused(422, "presentation_replayed")["evidence"],
            "pid"
        );
        // Another presentation of the same nonce is not a replay, but the nonce is used up.
        let fresh = world.present(json!({"birthdate": "1990-01-01"}), NONCE, ISSUER);
        world
            .post(token, PATH, &one_shot(NONCE, &fresh))
            .await
            .refused(422, "nonce_reused");
    }
    let (path, _) = world.ask(&shop).await;
    let body = json!({"presentations": pid(&presentation)});
    let refused = world.post(&shop, &format!("{path}/evidence"), &body).await;
    refused.refused(422, "presentation_nonce_mismatch");
    let world = world.restarted();
    let refused = world
        .post(&shop, PATH, &one_shot(NONCE, &presentation))
        .await;
    refused.refused(422, "presentation_replayed");
}

#[tokio::test]
async fn what_was_answered_never_counts_again_whatever_the_lifetimes_become() {
    let (world, _log) = served();
    let presentation = world.adult(NONCE);
    let token = world.token("shop").await;
    let (path, pending) = world.ask(&token).await;
    let evidence = world.adult(&pending);
    let body = json!({"presentations": pid(&evidence)});
    world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
    world
        .post(&token, PATH, &one_shot(NONCE, &presentation))
        .await
        .ok(201);
    let mut long = world.bundle(2);
    long["lifetimes"]["verificationSeconds"] = json!(86_400);
    long["lifetimes"]["tokenSeconds"] = json!(3_600);
    long["lifetimes"]["clockLeewaySeconds"] = json!(300);
    world.load(&long);
    let token = world.token("shop").await;
    for _ in 0..35 {
        for (nonce, shown) in [(NONCE, &presentation), (pending.as_str(), &evidence)] {
            let again = world.post(&token, PATH, &one_shot(nonce, shown)).await;
            let passed = again.status == 201 && again.json()["verdict"] == "pass";
            assert!(!passed, "{}", again.text);
        }
        world.clock.advance(100);
        sweep_once(&world.app).await;
    }
}

#[tokio::test]
async fn a_presentation_is_fresh_for_minutes_or_since_its_nonce_was_handed_out() {
    let (world, _log) = served();
    let mut long = world.bundle(2);
    long["lifetimes"]["verificationSeconds"] = json!(3_600);
    long["lifetimes"]["tokenSeconds"] = json!(3_600);
    world.load(&long);
    let token = world.token("shop").await;
    let early = world.adult("chosen-beforehand");
    let (in_time, late) = (world.adult(NONCE), world.adult("fedcba9876543210"));
    world.clock.advance(360);
    world
        .post(&token, PATH, &one_shot(NONCE, &in_time))
        .await
        .ok(201);
    world.clock.advance(1);
    let done = world
        .post(&token, PATH, &one_shot("fedcba9876543210", &late))
        .await
        .ok(201);
    let check = &done["answer"]["checks"][0];
    assert_eq!(check["code"], "key_binding_expired");
    let because = check["because"].as_str().unwrap();
    assert!(because.contains("iat lies too far back"), "{because}");
    // A stored verification: what was signed before it was asked does not count, what was signed
    // since does, however long ago.
    let mut body = json!({"policy": "over18", "purpose": "sale", "nonce": "chosen-beforehand"});
    let asked = world.post(&token, PATH, &body).await;
    let path = asked.headers["location"].to_str().unwrap().to_owned();
    body = json!({"presentations": pid(&early)});
    let done = world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
    assert_eq!(done["answer"]["checks"][0]["code"], "key_binding_expired");
    let (path, nonce) = world.ask(&token).await;
    body = json!({"presentations": pid(&world.adult(&nonce))});
    world.clock.advance(2_000);
    let done = world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
    assert_eq!(done["verdict"], "pass");
}

#[tokio::test]
async fn a_presentation_of_a_pending_verification_cannot_be_taken_by_another_party() {
    let (world, _log) = served();
    let (shop, rival) = (world.token("shop").await, world.token("rival").await);
    let (path, nonce) = world.ask(&shop).await;
    let presentation = world.adult(&nonce);
    world
        .post(&rival, PATH, &one_shot(&nonce, &presentation))
        .await
        .refused(422, "nonce_reused");
    let body = json!({"presentations": pid(&presentation)});
    world
        .post(&shop, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
    world
        .post(&rival, PATH, &one_shot(&nonce, &presentation))
        .await
        .refused(422, "presentation_replayed");
}

#[tokio::test]
async fn a_one_shot_under_an_idempotency_key_is_answered_once_and_repeated_to_the_byte() {
    let (world, log) = served();
    let token = world.token("shop").await;
    let body = one_shot(NONCE, &world.adult(NONCE)).to_string();
    let send = async |world: &World| {
        world
            .post_with(&token, PATH, &[("idempotency-key", "k")], &body)
            .await
    };
    let first = send(&world).await;
    first.ok(201);
    assert_eq!(send(&world).await.text, first.text);
    let world = world.restarted();
    assert_eq!(send(&world).await.text, first.text);
    assert_eq!(log.entries().len(), 1);
    let path = first.headers["location"].to_str().unwrap();
    assert_eq!(world.delete(&token, path).await.status, 204);
    send(&world).await.refused(404, "not_found");
}

#[tokio::test]
async fn evidence_under_an_idempotency_key_is_judged_once_and_repeated_to_the_byte() {
    let (world, log) = served();
    let token = world.token("shop").await;
    let (path, nonce) = world.ask(&token).await;
    let evidence = format!("{path}/evidence");
    let body = json!({"presentations": pid(&world.adult(&nonce))}).to_string();
    let send = async |world: &World, key: &str, body: &str| {
        let headers = [("idempotency-key", key)];
        world.post_with(&token, &evidence, &headers, body).await
    };
    let odd = json!({"presentations": pid("rubbish")}).to_string();
    send(&world, "k", &odd)
        .await
        .refused(422, "presentation_malformed");
    let first = send(&world, "k", &body).await;
    first.ok(200);
    assert_eq!(send(&world, "k", &body).await.text, first.text);
    send(&world, "k", &odd)
        .await
        .refused(422, "idempotency_key_reused");
    send(&world, "other", &body)
        .await
        .refused(409, "state_conflict");
    send(&world, "a b", &body)
        .await
        .refused(400, "idempotency_key_invalid");
    let world = world.restarted();
    assert_eq!(send(&world, "k", &body).await.text, first.text);
    assert_eq!(log.entries().len(), 1);
    // The same key names another request under another path.
    let (path, _) = world.ask(&token).await;
    let headers = [("idempotency-key", "k")];
    world
        .post_with(&token, &format!("{path}/evidence"), &headers, &body)
        .await
        .refused(422, "presentation_nonce_mismatch");
}

#[tokio::test]
async fn an_idempotency_key_outlives_a_result_that_is_kept_shorter() {
    let (world, _log) = served();
    let mut long = world.bundle(2);
    long["lifetimes"]["tokenSeconds"] = json!(3_600);
    world.load(&long);
    let token = world.token("shop").await;
    let mut sent = one_shot(NONCE, &world.adult(NONCE));
    sent["policy"] = json!("two");
    let sent = sent.to_string();
    let headers = [("idempotency-key", "k")];
    let first = world.post_with(&token, PATH, &headers, &sent).await;
    first.ok(201);
    for seconds in [61, 538] {
        world.clock.advance(seconds);
        sweep_once(&world.app).await;
        let again = world.post_with(&token, PATH, &headers, &sent).await;
        again.refused(404, "not_found");
    }
    world.clock.advance(1);
    sweep_once(&world.app).await;
    let again = world.post_with(&token, PATH, &headers, &sent).await;
    again.refused(422, "presentation_replayed");
}
