//! Several replicas: all watch, one writes.

use rustix::process::Signal;

use crate::stage::{Stage, delete, eventually};

#[tokio::test]
async fn a_standby_is_ready_and_takes_over_when_the_one_that_writes_is_killed() {
    let stage = Stage::set().await;
    let first = stage.operator_with_short_lease("one").await;
    eventually("the first replica writes", async || first.leads().await).await;
    let second = stage.operator("two").await;
    assert!(!second.leads().await);
    first.signal(Signal::KILL);
    eventually("the second replica writes", async || second.leads().await).await;
    stage.confined("acme").await;
    assert!(second.count("objects_made_total").await > 0);
}

#[tokio::test]
async fn a_replica_that_slept_past_its_lease_writes_nothing_and_ends() {
    let stage = Stage::set().await;
    let mut first = stage.operator_with_short_lease("one").await;
    eventually("the first replica writes", async || first.leads().await).await;
    let tenant = stage.confined("acme").await;

    let second = stage.operator("two").await;
    first.signal(Signal::STOP);
    eventually("the second replica writes", async || second.leads().await).await;
    // What both see at once when the first wakes up.
    let policies = stage.api("NetworkPolicy", Some(&format!("pavilion-{tenant}")));
    let before = second.count("objects_made_total").await;
    delete(&policies, "default-deny").await;
    first.signal(Signal::CONT);
    assert_eq!(first.code().await, Some(69), "the lease was lost");
    eventually("the policy is there again", async || {
        policies.get_opt("default-deny").await.unwrap().is_some()
    })
    .await;
    second.rest().await;
    assert_eq!(second.count("objects_made_total").await, before + 1);
}
