//! Manifests change under load: the change is in force, and nobody notices but by its effect.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use pavilion_e2e::broker::condition;
use pavilion_e2e::load::{Load, ask_once};
use pavilion_e2e::manifests::relying_party;
use pavilion_e2e::relying_party::Session;
use pavilion_e2e::{Manifests, RelyingParty, Wallet, World};
use serde_json::json;
use tokio::time::Instant;

/// Writes the manifests and waits until status says that exactly they are served.
fn apply(world: &World, manifests: &Manifests, changed: (&str, &str)) {
    let (kind, name) = changed;
    let generation = |status: &serde_json::Value| {
        (
            status["metadata"]["generation"].as_u64(),
            status["status"]["observedGeneration"].as_u64(),
        )
    };
    let before = world.broker.status(kind, name).map(|old| generation(&old));
    manifests.write_to(&world.broker.manifests());
    world.broker.wait_for("the change to be in force", || {
        let status = world.broker.status(kind, name).unwrap_or_default();
        Some(generation(&status)) != before
            && condition(&status, "Ready").as_deref() == Some("True")
    });
    world.broker.wait_ready("acme");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_takes_effect_without_a_failed_request() {
    let world = World::start();
    let load = Load::start(&world).await;
    load.run_for(Duration::from_millis(300)).await;

    let too_old = world.manifests().changed("Policy", "over18", |spec| {
        spec["rule"]["all"][0]["age"]["atLeast"] = json!(120);
    });
    apply(&world, &too_old, ("policy", "acme.over18"));
    let strict_since = Instant::now();
    load.run_for(Duration::from_millis(300)).await;
    let strict_until = Instant::now();

    // Back again, with another tenant, another relying party and another host beside it.
    let (other_wallet, bank) = (Wallet::default(), RelyingParty::new("bank"));
    let more = world
        .manifests()
        .with(relying_party("acme", &bank))
        .changed("Tenant", "acme", |spec| {
            spec["ingress"]["hosts"] = json!(["verify.acme.localhost", "other.acme.localhost"]);
        })
        .and(Manifests::tenant("beta", &other_wallet, &bank));
    apply(&world, &more, ("policy", "acme.over18"));
    let lenient_since = Instant::now();
    world.broker.wait_ready("beta");
    Session::open(&world.broker, "acme", &bank).await;
    load.run_for(Duration::from_millis(300)).await;

    // The other tenant goes again.
    world.manifests().write_to(&world.broker.manifests());
    world.broker.wait_for("tenant beta to be gone", || {
        world.broker.status("tenant", "beta").is_none()
    });
    load.run_for(Duration::from_millis(300)).await;

    let tally = load.stop().await;
    assert_eq!(tally.refused, Vec::<String>::new());
    assert_eq!(tally.unanswered, Vec::<String>::new());
    let verdicts = |from: Instant, until: Instant| {
        let asked = tally.answered.iter();
        let mut verdicts: Vec<_> = asked
            .filter(|answer| answer.asked > from && answer.asked < until)
            .map(|answer| answer.verdict.as_str())
            .collect();
        assert!(verdicts.len() > 3, "the load was too slow to show anything");
        verdicts.dedup();
        verdicts
    };
    assert_eq!(verdicts(strict_since, strict_until), ["fail"]);
    assert_eq!(verdicts(lenient_since, Instant::now()), ["pass"]);
}

#[tokio::test]
async fn an_invalid_manifest_is_refused_whole_and_the_last_good_state_serves() {
    let world = World::start();
    let session = world.session().await;
    world
        .manifests()
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
    let tally = ask_once(&session, &world.wallet).await;
    assert_eq!(tally.answered.len(), 1, "{tally:?}");

    world.manifests().write_to(&world.broker.manifests());
    world.broker.wait_ready("acme");
}

#[tokio::test]
async fn a_token_dies_with_its_relying_party() {
    let world = World::start();
    let session = world.session().await;
    let question = json!({"policy": "over18", "purpose": "age-restricted-sale"});
    assert_eq!(
        session.post("/v1/verifications", &question).await.status,
        201
    );
    world
        .manifests()
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
