//! A tenant is suspended, hibernates and wakes while it is asked: each question is answered or told the code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use pavilion_e2e::World;
use pavilion_e2e::load::{Load, Tally};
use serde_json::json;
use tokio::time::Instant;

/// Sets fields of the tenant's spec and waits until its phase is this.
fn put(world: &World, fields: &[&str], phase: &str) {
    let manifests = world.manifests().changed("Tenant", "acme", |spec| {
        for field in fields {
            spec[*field] = json!(true);
        }
    });
    manifests.write_to(&world.broker.manifests());
    world
        .broker
        .wait_for(&format!("the tenant to be {phase}"), || {
            let status = world.broker.status("tenant", "acme").unwrap_or_default();
            status["status"]["phase"] == phase
        });
}

/// Nothing was said but these codes, and everything was answered or told one.
fn only(tally: &Tally, codes: &[&str]) {
    assert_eq!(tally.unanswered, Vec::<String>::new());
    let said: BTreeSet<&str> = tally.refused.iter().map(String::as_str).collect();
    assert!(
        said.iter().all(|code| codes.contains(code)),
        "{said:?}, not only {codes:?}"
    );
    assert!(said.contains(codes[0]), "{said:?}");
}

/// The highest place in the log of what was answered.
fn newest(tally: &Tally) -> u64 {
    let indexes = tally.answered.iter().map(|answer| answer.index);
    indexes.max().expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_tenant_finishes_what_it_has_and_answers_at_once_when_it_resumes() {
    let world = World::start();
    let load = Load::start(&world).await;
    load.run_for(Duration::from_millis(300)).await;
    put(&world, &["suspend"], "Suspended");
    let closed = Instant::now();
    load.run_for(Duration::from_millis(300)).await;
    let opened = Instant::now();
    put(&world, &[], "Ready");
    let resumed = Instant::now();
    load.run_for(Duration::from_millis(300)).await;
    let tally = load.stop().await;
    only(&tally, &["tenant_suspended"]);
    let mut asked = tally.answered.iter().map(|answer| answer.asked);
    let between = |asked: &Instant| *asked > closed && *asked < opened;
    assert_eq!(asked.clone().filter(between).count(), 0, "one got through");
    assert!(asked.any(|asked| asked > resumed), "it answers again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_hibernates_finishes_what_it_has_and_wakes_with_its_keys_and_its_log() {
    let world = World::start();
    let before = Load::start(&world).await;
    before.run_for(Duration::from_millis(300)).await;
    put(&world, &["hibernate"], "Hibernated");
    before.run_for(Duration::from_millis(300)).await;
    put(&world, &["hibernate", "suspend"], "Suspended");
    put(&world, &["hibernate"], "Hibernated");
    put(&world, &[], "Ready");
    let before = before.stop().await;
    // A program that wakes answers a moment before it has its bundle.
    let codes = [
        "tenant_hibernated",
        "tenant_suspended",
        "tenant_starting",
        "not_configured",
    ];
    only(&before, &codes);
    let after = Load::start(&world).await;
    after.run_for(Duration::from_millis(300)).await;
    let after = after.stop().await;
    assert_eq!(after.refused, Vec::<String>::new());
    assert!(newest(&after) > newest(&before), "the log goes on");
}
