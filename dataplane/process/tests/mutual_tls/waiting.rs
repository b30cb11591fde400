//! Peers that take their time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::door::{Door, PATIENCE};

/// More than the handshakes that may be under way at once.
const MANY: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_say_nothing_do_not_keep_others_out() {
    let door = Door::open().await;
    let mut silent = Vec::new();
    for index in 0..MANY {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        if index % 2 == 0 {
            // Or hardly anything: the head of a handshake record, of which no more ever comes.
            stream.write_all(&[22, 3, 1, 2]).await.unwrap();
        }
        silent.push(stream);
    }
    // Far below the 10 s that each of them might take if nobody waited.
    let limit = Duration::from_secs(5);
    for _ in 0..3 {
        let knocking = door.knock(door.router());
        let let_in = tokio::time::timeout(limit, knocking).await;
        drop(let_in.expect("kept out").unwrap());
    }
    door.until_counted("ok", 3).await;
    let displaced = |page: &str| {
        let line = "pavilion_mutual_tls_handshakes_total{result=\"displaced\"} ";
        let count = page.lines().find_map(|own| own.strip_prefix(line)).unwrap();
        count.parse::<usize>().unwrap()
    };
    let displaced = displaced(&door.context.metrics.render().unwrap());
    assert!((1..=MANY).contains(&displaced), "{displaced}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_the_right_client_is_let_in_whole() {
    let door = std::sync::Arc::new(Door::open().await);
    let router = door.router();
    let knocking = (0..MANY).map(|_| {
        let (door, router) = (door.clone(), router.clone());
        tokio::spawn(async move { door.knock(router).await.map(drop) })
    });
    for knocked in knocking.collect::<Vec<_>>() {
        knocked.await.unwrap().expect("let in");
    }
    door.until_counted("ok", MANY).await;
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_ends_after_ten_seconds() {
    let door = Door::open().await;
    let before = Instant::now();
    let mut silent = TcpStream::connect(door.address).await.unwrap();
    // Who comes later is taken later: the time of the silent one has begun.
    drop(door.knock(door.router()).await.unwrap());
    // With nothing else to do the clock jumps from one deadline to the next. It must not while anything is on its way
    // over the network, which takes none of this clock's time.
    tokio::time::pause();
    let begun = Instant::now();
    door.until_counted("timed_out", 1).await;
    assert!(before.elapsed() >= Duration::from_secs(10), "{before:?}");
    assert!(begun.elapsed() < Duration::from_secs(11), "{begun:?}");
    tokio::time::resume();
    let mut heard = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut heard)).await;
    ended.expect("ended").unwrap();
    assert!(heard.is_empty());
}
