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

/// Whether any file in the folder holds these bytes.
fn is_on_disk(folder: &std::path::Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() {
            std::fs::read(path).unwrap()
        } else {
            Vec::new()
        };
        bytes.windows(wanted.len()).any(|window| window == wanted)
    })
}

/// The keys that rows are sealed with now.
fn keys_on_disk(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(folder.join("state.keys")).unwrap();
    let slots = bytes.chunks_exact(64).filter(|slot| slot[8..40] != [0; 32]);
    slots.map(|slot| slot[8..40].to_vec()).collect()
}

#[tokio::test]
async fn after_its_time_nothing_of_a_subject_can_be_read_from_the_disk() {
    let world = World::new();
    let _neighbours = Neighbours::serve(world.folder.path());
    let token = world.token("shop").await;
    let claims = json!({"birthdate": "2001-02-03", "address": {"country": "Ruritania"}});
    let presentation = world.present(claims, NONCE, crate::world::ISSUER);
    let sent = one_shot(NONCE, &presentation);
    let headers = [("idempotency-key", "k")];
    let done = world
        .post_with(&token, "/v1/verifications", &headers, &sent.to_string())
        .await
        .ok(201);
    assert_eq!(done["answer"]["claims"]["pid.country"], "Ruritania");
    let answer = done["jws"].as_str().unwrap().split('.').nth(1).unwrap();
    let id = ulid::Ulid::from_string(done["id"].as_str().unwrap()).unwrap();
    let folder = world.folder.clone();
    // What names the row is there in clear, what it says is not.
    assert!(is_on_disk(folder.path(), &id.to_bytes()));
    for text in ["Ruritania", answer, &presentation[..100], NONCE] {
        assert!(!is_on_disk(folder.path(), text.as_bytes()), "{text}");
    }
    let keys = keys_on_disk(folder.path());
    assert!(keys.len() > 2 && keys.iter().all(|key| is_on_disk(folder.path(), key)));
    // A restart in between changes nothing.
    world.clock.advance(899);
    let world = world.restarted();
    sweep_once(&world.app).await;
    assert!(world.app.store.verification(id).unwrap().is_some());
    // A minute after its time no key of then is left, so that every copy of a row is noise.
    world.clock.advance(1 + 60);
    sweep_once(&world.app).await;
    assert!(world.app.store.verification(id).unwrap().is_none());
    for key in keys {
        assert!(!is_on_disk(folder.path(), &key));
    }
}
