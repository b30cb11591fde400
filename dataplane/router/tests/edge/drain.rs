//! The end of a router.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{PATIENCE, Stage, hear};

#[tokio::test]
async fn what_is_in_flight_is_answered_and_nothing_new_is_taken() {
    let stage = Stage::start().await;
    let mut flying = Vec::new();
    for protocol in ["http/1.1", "h2"] {
        let request = stage
            .client(protocol)
            .get(stage.url("a.example", "/wait/300"));
        flying.push(tokio::spawn(request.send()));
    }
    stage
        .until(|stage| stage.counts("pavilion_router_connections 2"))
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.context.shutdown.request();
    for answer in flying {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    timeout(PATIENCE, stage.running)
        .await
        .expect("the router ends")
        .unwrap();
    assert!(TcpStream::connect(stage.address).await.is_err());
}

#[tokio::test]
async fn what_takes_longer_than_the_drain_is_told_so() {
    let stage = Stage::with(|config| config.process.drain_seconds = 1).await;
    let mut flying = Vec::new();
    for protocol in ["http/1.1", "h2"] {
        let request = stage
            .client(protocol)
            .get(stage.url("a.example", "/wait/60000"));
        flying.push(tokio::spawn(request.send()));
    }
    stage
        .until(|stage| stage.counts("pavilion_router_connections 2"))
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.context.shutdown.request();
    for answer in flying {
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(answer.status(), 503);
        assert!(answer.text().await.unwrap().contains("edge_draining"));
    }
    timeout(PATIENCE, stage.running)
        .await
        .expect("the router ends")
        .unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_the_answer_in_flight_says_it_is_the_last() {
    let stage = Stage::start().await;
    let mut idle = stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await
        .unwrap();
    stage.until(|stage| stage.acme.seen() == 1).await;
    let mut busy = stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
    busy.write_all(b"GET /wait/300 HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.context.shutdown.request();
    assert!(hear(&mut idle).await.starts_with("HTTP/1.1 200"));
    let last = hear(&mut busy).await;
    assert!(last.starts_with("HTTP/1.1 200"), "{last}");
    assert!(last.contains("connection: close"), "{last}");
    timeout(PATIENCE, stage.running)
        .await
        .expect("the router ends")
        .unwrap();
}
