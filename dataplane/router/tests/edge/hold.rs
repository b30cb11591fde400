//! Requests of a tenant that is away for a moment.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use pavilion_bundle::Closed;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::closed::put;
use crate::pod::{Pod, route, target};
use crate::stage::Stage;
use crate::upstream::Upstream;

/// A stage whose tenants may be away for so many seconds.
async fn patient(seconds: u64) -> Stage {
    Stage::with(|config| config.time_outs.away_ms = seconds * 1_000).await
}

/// One request with a body to `a.example`; its status and what was said.
fn ask(stage: &Stage, protocol: &str) -> JoinHandle<(u16, Value)> {
    let url = stage.url("a.example", "/v1/things");
    let request = stage.client(protocol).post(url).body("hello");
    tokio::spawn(async move {
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    })
}

/// Until so many clients have come in since the router started, and a moment more for the last one's request to come to
/// where it waits.
async fn have_come(stage: &Stage, clients: usize) {
    let ok = format!("pavilion_router_tls_handshakes_total{{result=\"ok\"}} {clients}");
    stage.until(|stage| stage.counts(&ok)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// How many requests to `acme` have ended.
fn ended(stage: &Stage) -> u64 {
    let page = stage.context.metrics.render().unwrap();
    let of_acme = "pavilion_router_requests_total{tenant=\"acme\"";
    let lines = page.lines().filter(|line| line.starts_with(of_acme));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

fn stop(stage: &mut Stage) {
    let socket = stage.path("acme.sock");
    let unused = stage.path("unused.sock");
    fs::remove_file(&socket).unwrap();
    stage.acme = Upstream::start(&unused, "nobody");
}

fn start(stage: &mut Stage) {
    stage.acme = Upstream::start(&stage.path("acme.sock"), "acme");
}

#[tokio::test]
async fn requests_of_a_tenant_that_starts_are_answered_once_it_has() {
    let stage = patient(15).await;
    put(&stage, 2, Some(Closed::Starting)).await;
    let waiting = ["http/1.1", "h2"].map(|protocol| ask(&stage, protocol));
    have_come(&stage, 2).await;
    assert_eq!(stage.acme.seen(), 0);
    put(&stage, 3, None).await;
    for answer in waiting {
        let (status, told) = answer.await.unwrap();
        assert_eq!((status, &told["body"]), (200, &5.into()), "{told}");
    }
    let held = "pavilion_router_requests_held_total{tenant=\"acme\"} 2";
    stage.until(|stage| stage.counts(held)).await;
}

#[tokio::test]
async fn requests_of_a_program_that_starts_again_reach_it_once() {
    let mut stage = patient(15).await;
    stop(&mut stage);
    let waiting = ["http/1.1", "h2"].map(|protocol| ask(&stage, protocol));
    have_come(&stage, 2).await;
    start(&mut stage);
    for answer in waiting {
        let (status, told) = answer.await.unwrap();
        assert_eq!((status, &told["body"]), (200, &5.into()), "{told}");
    }
    assert_eq!(stage.acme.seen(), 2);
}

#[tokio::test]
async fn requests_follow_a_tenant_to_another_address() {
    let stage = patient(15).await;
    let pod = Pod::start(&stage).await;
    let left = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = target(&pod.edge, left.local_addr().unwrap());
    drop(left);
    route(&stage, 2, &gone).await;
    let waiting = ask(&stage, "h2");
    have_come(&stage, 1).await;
    route(&stage, 3, &pod.target()).await;
    let (status, told) = waiting.await.unwrap();
    assert_eq!((status, &told["name"]), (200, &"pod".into()), "{told}");
    assert_eq!(told["body"], 5);
}

#[tokio::test]
async fn what_waits_is_told_when_the_tenant_is_closed_meanwhile() {
    let mut stage = patient(15).await;
    stop(&mut stage);
    let waiting = ask(&stage, "h2");
    have_come(&stage, 1).await;
    put(&stage, 2, Some(Closed::Suspended)).await;
    let (status, told) = waiting.await.unwrap();
    assert_eq!((status, &told["code"]), (503, &"tenant_suspended".into()));
}

#[tokio::test]
async fn only_the_beginning_of_a_long_absence_is_waited_out() {
    let mut stage = patient(1).await;
    let ask_some = async |stage: &Stage, code: &str| {
        let begun = Instant::now();
        for protocol in ["http/1.1", "h2", "http/1.1", "h2"] {
            let (_, told) = ask(stage, protocol).await.unwrap();
            assert_eq!(told["code"], code);
        }
        assert!(begun.elapsed() >= Duration::from_secs(1));
    };
    put(&stage, 2, Some(Closed::Starting)).await;
    ask_some(&stage, "tenant_starting").await;
    put(&stage, 3, None).await;
    stop(&mut stage);
    ask_some(&stage, "tenant_unavailable").await;
    start(&mut stage);
    assert_eq!(ask(&stage, "h2").await.unwrap().0, 200);
    stage.until(|stage| ended(stage) == 9).await;
    let held = "pavilion_router_requests_held_total{tenant=\"acme\"} 2";
    assert!(stage.counts(held), "the first of each absence and no other");
}

#[tokio::test]
async fn no_more_requests_wait_than_have_a_place_and_whoever_leaves_frees_one() {
    let stage = Stage::with(|config| {
        config.time_outs.away_ms = 15_000;
        config.limits.max_held = 2;
    })
    .await;
    put(&stage, 2, Some(Closed::Starting)).await;
    let [first, second] = ["http/1.1", "h2"].map(|protocol| ask(&stage, protocol));
    have_come(&stage, 2).await;
    let (_, told) = ask(&stage, "h2").await.unwrap();
    assert_eq!(told["code"], "tenant_starting");
    first.abort();
    let alone = "pavilion_router_connections 1";
    stage.until(|stage| stage.counts(alone)).await;
    let third = ask(&stage, "h2");
    have_come(&stage, 4).await;
    put(&stage, 3, None).await;
    for answer in [second, third] {
        assert_eq!(answer.await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn a_router_that_stops_tells_who_waits() {
    let stage = Stage::with(|config| {
        config.time_outs.away_ms = 60_000;
        config.process.drain_seconds = 1;
    })
    .await;
    put(&stage, 2, Some(Closed::Starting)).await;
    let waiting = ["http/1.1", "h2"].map(|protocol| ask(&stage, protocol));
    have_come(&stage, 2).await;
    stage.context.shutdown.request();
    for answer in waiting {
        let (status, told) = answer.await.unwrap();
        assert_eq!((status, &told["code"]), (503, &"edge_draining".into()));
    }
}
