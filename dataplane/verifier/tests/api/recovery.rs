//! After a crash and after time has passed.

use pavilion_verifier::program::sweep_once;
use serde_json::json;

use crate::neighbours::Neighbours;
use crate::world::{World, one_shot, pid};

const NONCE: &str = "0123456789abcdef";

#[tokio::test]
async fn pending_verifications_and_results_survive_a_restart() {
    let world = World::new();
    let _neighbours = Neighbours::serve(world.folder.path());
    let token = world.token("shop").await;
    let (pending, nonce) = world.ask(&token).await;
    let done = world
        .post(
            &token,
            "/v1/verifications",
            &one_shot(NONCE, &world.adult(NONCE)),
        )
        .await;
    let path = done.headers["location"].to_str().unwrap().to_owned();
    let world = world.restarted();
    let result = world.get(&token, &format!("{path}/result")).await;
    assert_eq!(result.text, done.json()["jws"].as_str().unwrap());
    assert_eq!(
        world.get(&token, &pending).await.ok(200)["state"],
        "awaiting_evidence"
    );
    let evidence = json!({"presentations": pid(&world.adult(&nonce))});
    world
        .post(&token, &format!("{pending}/evidence"), &evidence)
        .await
        .ok(200);
}

#[tokio::test]
async fn after_its_time_nothing_of_a_verification_can_be_found() {
    let world = World::new();
    let _neighbours = Neighbours::serve(world.folder.path());
    let token = world.token("shop").await;
    let sent = one_shot(NONCE, &world.adult(NONCE));
    let done = world.post(&token, "/v1/verifications", &sent).await.ok(201);
    let id = ulid::Ulid::from_string(done["id"].as_str().unwrap()).unwrap();
    sweep_once(&world.app).await;
    assert!(world.app.store.verification(id).unwrap().is_some());
    world.clock.advance(900);
    sweep_once(&world.app).await;
    assert!(world.app.store.verification(id).unwrap().is_none());
}
