//! A new route table, good or bad, while requests come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pavilion_bundle::Document;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use crate::stage::{Stage, certify, code_of, hear, routes, write_document};

pub fn served(stage: &Stage) -> u64 {
    stage.context.health.status().served.unwrap().version
}

pub fn refused(stage: &Stage) -> Option<String> {
    stage
        .context
        .health
        .status()
        .refused
        .map(|refused| refused.reason)
}

fn refused_digest(stage: &Stage) -> Option<String> {
    stage.context.health.status().refused?.digest
}

/// Clients that ask `a.example` without a pause, on connections they keep, and take nothing but 200
/// for an answer.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn start(stage: &Stage) -> Self {
        let (stop, answered) = (Arc::default(), Arc::default());
        let clients = ["http/1.1", "h2", "http/1.1", "h2"].map(|protocol| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let (client, url) = (stage.client(protocol), stage.url("a.example", "/"));
            tokio::spawn(ask_until(client, url, stop, answered))
        });
        Self {
            stop,
            answered,
            clients: clients.into(),
        }
    }

    /// Waits until each client has had an answer, most likely.
    pub async fn go_on(&self, stage: &Stage) {
        let before = self.answered.load(Ordering::Relaxed);
        stage
            .until(|_| self.answered.load(Ordering::Relaxed) >= before + 8)
            .await;
    }

    pub async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("no request failed");
        }
    }
}

async fn ask_until(
    client: reqwest::Client,
    url: String,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
) {
    while !stop.load(Ordering::Relaxed) {
        let answer = client.post(&url).body("hello").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_tables_are_swapped() {
    let stage = Stage::start().await;
    let load = Load::start(&stage);
    for version in 2..30 {
        let mut table = routes(stage.folder.path(), version);
        table.routes[0].max_body_bytes = 1_000 + version;
        stage.reroute(&table);
        stage.until(|stage| served(stage) == version).await;
        load.go_on(&stage).await;
    }
    load.end().await;
    assert!(stage.counts("pavilion_router_routes_version 29"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_when_a_host_begins_to_ask_for_certificates() {
    let stage = Stage::start().await;
    let load = Load::start(&stage);
    for version in 2..12 {
        let mut table = routes(stage.folder.path(), version);
        table.routes[0].request_client_certificate = version % 2 == 0;
        stage.reroute(&table);
        stage.until(|stage| served(stage) == version).await;
        load.go_on(&stage).await;
    }
    load.end().await;
}

#[tokio::test]
async fn a_connection_that_was_not_asked_for_a_certificate_ends_after_its_next_answer() {
    let stage = Stage::start().await;
    let mut http1 = stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
    let mut http2 = stage.http2("a.example").await;
    let ask = || {
        let empty = http_body_util::Full::<bytes::Bytes>::default();
        hyper::Request::get("https://a.example/")
            .body(empty)
            .unwrap()
    };
    assert_eq!(http2.send_request(ask()).await.unwrap().status(), 200);
    let mut table = routes(stage.folder.path(), 2);
    table.routes[0].request_client_certificate = true;
    stage.reroute(&table);
    stage.until(|stage| served(stage) == 2).await;
    let head = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    http1.write_all(head.as_bytes()).await.unwrap();
    let answer = hear(&mut http1).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    drop(http1);
    assert_eq!(http2.send_request(ask()).await.unwrap().status(), 200);
    stage
        .until(|stage| stage.counts("pavilion_router_connections 0"))
        .await;
}

#[tokio::test]
async fn the_series_of_a_tenant_go_with_it() {
    let stage = Stage::start().await;
    let has_series = |stage: &Stage| {
        let page = stage.context.metrics.render().unwrap();
        page.contains("tenant=\"beta\"")
    };
    assert!(has_series(&stage));
    let mut table = routes(stage.folder.path(), 2);
    table.routes.remove(1);
    stage.reroute(&table);
    stage.until(|stage| served(stage) == 2).await;
    stage.until(|stage| !has_series(stage)).await;
    let mut refused_whole = routes(stage.folder.path(), 3);
    refused_whole.routes[2].certificate.chain_file = "nowhere.pem".to_owned();
    stage.reroute(&refused_whole);
    stage.until(|stage| refused(stage).is_some()).await;
    stage.until(|stage| !has_series(stage)).await;
}

#[tokio::test]
async fn a_bad_table_is_refused_whole_and_the_last_good_one_serves() {
    let stage = Stage::start().await;
    let folder = stage.folder.path();
    let good = stage.context.health.status().served.unwrap();
    let mut twice = routes(folder, 2);
    twice.routes[1].host = "a.example".parse().unwrap();
    let mut missing = routes(folder, 2);
    missing.routes[1].certificate.chain_file = "nowhere.pem".to_owned();
    let mut foreign_key = routes(folder, 2);
    foreign_key.routes[1].certificate.key_file = foreign_key.routes[0].certificate.key_file.clone();
    let mut foreign_name = routes(folder, 2);
    foreign_name.routes[1].certificate = foreign_name.routes[0].certificate.clone();
    let same_version = {
        let mut table = routes(folder, 1);
        table.routes.pop();
        table
    };
    let older = routes(folder, 0);
    for (table, why) in [
        (twice, "routes[1].host"),
        (missing, "routes[1].certificate (b.example): nowhere.pem"),
        (foreign_key, "a.example.key: does not go with "),
        (foreign_name, "not made out for b.example"),
        (same_version, "version"),
        (older, "version"),
    ] {
        stage.reroute(&table);
        let digest = table.seal().unwrap().1.to_string();
        stage
            .until(|stage| refused_digest(stage) == Some(digest.clone()))
            .await;
        let said = refused(&stage).unwrap();
        assert!(said.contains(why), "{said}");
        let status = stage.context.health.status();
        assert_eq!(status.served.unwrap(), good);
        assert!(status.ready, "what is served is served well");
    }
    write_document(folder, b"{ not json");
    stage
        .until(|stage| refused(stage).is_some_and(|said| said.contains("cannot be read")))
        .await;
    let url = stage.url("b.example", "/");
    assert_eq!(
        stage.client("h2").get(url).send().await.unwrap().status(),
        200
    );
    assert!(stage.counts("pavilion_router_routes_refused_total 7"));
}

#[tokio::test]
async fn a_router_without_a_table_waits_for_one_and_says_so() {
    let stage = Stage::with(|config| {
        std::fs::rename(&config.routes, config.routes.with_extension("later")).unwrap();
        std::fs::write(&config.routes, "{}").unwrap();
    });
    let started = tokio::time::timeout(std::time::Duration::from_millis(300), stage).await;
    assert!(started.is_err(), "not ready without a table");
}

#[tokio::test]
async fn a_host_that_is_gone_is_refused_on_old_connections_too() {
    let stage = Stage::start().await;
    let client = stage.client("h2");
    let url = stage.url("a.example", "/");
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    let mut table = routes(stage.folder.path(), 2);
    table.routes.remove(0);
    stage.reroute(&table);
    stage.until(|stage| served(stage) == 2).await;
    let gone = client.get(&url).send().await.unwrap();
    assert_eq!(gone.status(), 421);
    assert!(gone.text().await.unwrap().contains("host_unknown"));
    assert!(
        stage
            .connect("a.example", stage.tls(&["h2"]))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_host_that_went_to_another_tenant_needs_a_new_connection() {
    let stage = Stage::start().await;
    let mut client = stage.http2("a.example").await;
    let ask = || {
        let empty = http_body_util::Full::<bytes::Bytes>::default();
        hyper::Request::get("https://a.example/")
            .body(empty)
            .unwrap()
    };
    assert_eq!(client.send_request(ask()).await.unwrap().status(), 200);
    let mut table = routes(stage.folder.path(), 2);
    table.routes[0].tenant = "beta".parse().unwrap();
    table.routes[0].upstreams = table.routes[1].upstreams.clone();
    stage.reroute(&table);
    stage.until(|stage| served(stage) == 2).await;
    assert_eq!(client.send_request(ask()).await.unwrap().status(), 421);
    let head = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    assert!(stage.say(head).await.contains("\"beta\""));
}

#[tokio::test]
async fn a_new_certificate_comes_with_the_next_table_and_bad_hosts_are_still_told() {
    let stage = Stage::start().await;
    let before = std::fs::read(stage.path("a.example.der")).unwrap();
    certify(stage.folder.path(), "a.example");
    stage.reroute(&routes(stage.folder.path(), 2));
    stage.until(|stage| served(stage) == 2).await;
    let stream = stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    assert_ne!(shown, before);
    let head = "GET / HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n";
    assert_eq!(code_of(&stage.say(head).await), "host_mismatch");
}
