//! An evaluation that ends by a defect, and what the relying party then sees. That nothing but a
//! defect leads there is why this test stands inside of the crate.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use serde_json::json;

use self::neighbours::Neighbours;
use self::world::{World, one_shot, pid};
use crate::evaluate::defect;

#[path = "../../../tests/api/neighbours.rs"]
#[allow(dead_code, reason = "the tests of the API use the rest")]
mod neighbours;
#[path = "../../../tests/api/world.rs"]
#[allow(dead_code, reason = "the tests of the API use the rest")]
mod world;

const NONCE: &str = "0123456789abcdef";
const KEY: [(&str, &str); 1] = [("idempotency-key", "k")];

#[tokio::test]
async fn a_defect_ends_the_verification_and_lets_no_answer_out() {
    let world = World::new();
    let log = Neighbours::serve(world.folder.path());
    let token = world.token("shop").await;
    let (path, nonce) = world.ask(&token).await;
    let evidence = json!({"presentations": pid(&world.adult(&nonce))}).to_string();
    let to = format!("{path}/evidence");
    defect::call_up();
    let broken = world.post_with(&token, &to, &KEY, &evidence).await;
    let problem = broken.refused(500, "verification_failed");
    assert_eq!(problem["instance"], path);
    assert_eq!(problem["retryable"], false);
    assert_eq!(log.entries().len(), 1, "it was as good as answered");
    assert!(world.metric("pavilion_verdicts_total{verdict=\"pass\"} 0"));
    assert!(world.metric("pavilion_evaluations_running 0"));

    let world = world.restarted();
    let read = world.get(&token, &path).await.ok(200);
    assert_eq!(read["state"], "failed");
    assert_eq!(read["code"], "verification_failed");
    for member in ["verdict", "answer", "jws", "receipt", "evidence"] {
        assert!(read.get(member).is_none(), "{member}");
    }
    for part in ["result", "receipt"] {
        let refused = world.get(&token, &format!("{path}/{part}")).await;
        let problem = refused.refused(409, "state_conflict");
        assert_eq!(problem["detail"], "It failed; there is no result.");
    }
    // It is not judged again, under its idempotency key or without.
    for headers in [&KEY[..], &[]] {
        let again = world.post_with(&token, &to, headers, &evidence).await;
        let problem = again.refused(409, "state_conflict");
        assert_eq!(problem["detail"], "It failed.");
    }
    let nonce_again = one_shot(&nonce, &world.adult(&nonce));
    let again = world.post(&token, "/v1/verifications", &nonce_again).await;
    again.refused(422, "nonce_reused");
    assert_eq!(log.entries().len(), 1);
}

#[tokio::test]
async fn a_verification_that_failed_can_be_deleted_and_is_forgotten_in_time() {
    let world = World::new();
    let _log = Neighbours::serve(world.folder.path());
    let mut long = world.bundle(2);
    long["lifetimes"]["tokenSeconds"] = json!(3_600);
    world.load(&long);
    let token = world.token("shop").await;
    let break_one = async || {
        let (path, nonce) = world.ask(&token).await;
        let evidence = json!({"presentations": pid(&world.adult(&nonce))});
        defect::call_up();
        let to = format!("{path}/evidence");
        let broken = world.post(&token, &to, &evidence).await;
        broken.refused(500, "verification_failed");
        path
    };
    let deleted = break_one().await;
    assert_eq!(world.delete(&token, &deleted).await.status, 204);
    world.get(&token, &deleted).await.refused(404, "not_found");
    let kept = break_one().await;
    world.clock.advance(1_499);
    assert_eq!(world.get(&token, &kept).await.ok(200)["state"], "failed");
    world.clock.advance(1);
    world.get(&token, &kept).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_question_with_its_evidence_that_a_defect_ends_leaves_nothing_and_may_be_sent_again() {
    let world = World::new();
    let _log = Neighbours::serve(world.folder.path());
    let token = world.token("shop").await;
    let question = one_shot(NONCE, &world.adult(NONCE)).to_string();
    let send = async || {
        world
            .post_with(&token, "/v1/verifications", &KEY, &question)
            .await
    };
    defect::call_up();
    send().await.refused(500, "internal_error");
    assert!(world.metric("pavilion_evaluations_running 0"));
    assert_eq!(send().await.ok(201)["verdict"], "pass");
}
