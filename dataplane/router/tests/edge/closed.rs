//! Hosts that the edge answers for in the tenant's place.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use pavilion_bundle::{Closed, Document, RouteTable};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::reload::served;
use crate::stage::{PATIENCE, Stage, routes};

/// The stage's table with `a.example` closed, or not.
fn table(stage: &Stage, version: u64, closed: Option<Closed>) -> RouteTable {
    let mut table = routes(stage.folder.path(), version);
    if closed.is_some() {
        table.routes[0].closed = closed;
        table.routes[0].upstreams.clear();
    }
    table
}

pub async fn put(stage: &Stage, version: u64, closed: Option<Closed>) {
    stage.reroute(&table(stage, version, closed));
    stage.until(|stage| served(stage) == version).await;
}

#[tokio::test]
async fn a_closed_host_answers_everything_with_its_certificate_and_its_code() {
    let stage = Stage::start().await;
    let codes = [
        (Closed::Suspended, "tenant_suspended", false),
        (Closed::Hibernated, "tenant_hibernated", false),
        (Closed::Terminating, "tenant_terminating", false),
        (Closed::Starting, "tenant_starting", true),
    ];
    for (version, (closed, code, soon)) in (2..).zip(codes) {
        put(&stage, version, Some(closed)).await;
        for protocol in ["http/1.1", "h2"] {
            // Trusts the host's own certificate and no other.
            let client = stage.client(protocol);
            for path in ["/", "/v1/verifications?x=1", "/log/checkpoint"] {
                let request = client.post(stage.url("a.example", path));
                let answer = request.body("hello").send().await.unwrap();
                assert_eq!(answer.status(), 503, "{protocol} {path}");
                let headers = answer.headers();
                assert_eq!(headers["content-type"], "application/problem+json");
                assert_eq!(headers["cache-control"], "no-store");
                assert_eq!(headers["x-request-id"].len(), 26, "a ULID");
                assert_eq!(headers.contains_key("retry-after"), soon, "{code}");
                let problem: Value = answer.json().await.unwrap();
                assert_eq!(problem["code"], code);
                assert_eq!(problem["retryable"], soon);
            }
        }
        let other = stage.client("h2").get(stage.url("b.example", "/"));
        assert_eq!(other.send().await.unwrap().status(), 200);
    }
    assert_eq!(stage.acme.seen(), 0, "nothing reaches the tenant");
    let counted = |class: &str, count: usize| {
        let labels = format!(r#"{{tenant="acme",code_class="{class}"}}"#);
        stage.counts(&format!("pavilion_router_requests_total{labels} {count}"))
    };
    assert!(counted("closed", 18), "what is wanted is no failure");
    assert!(counted("5xx", 6), "what only starts is away");
}

#[tokio::test]
async fn what_is_in_flight_is_answered_and_the_connection_serves_on_when_the_host_opens_again() {
    let stage = Stage::start().await;
    let mut client = stage.http2("a.example").await;
    let ask = |path: &str| {
        let uri = format!("https://a.example{path}");
        Request::get(uri).body(Full::default()).unwrap()
    };
    assert_eq!(client.send_request(ask("/")).await.unwrap().status(), 200);
    let flying = ["http/1.1", "h2"].map(|protocol| {
        let request = stage.client(protocol);
        tokio::spawn(request.get(stage.url("a.example", "/wait/600")).send())
    });
    stage
        .until(|stage| stage.counts("pavilion_router_connections 3"))
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    put(&stage, 2, Some(Closed::Suspended)).await;
    let refused = client.send_request(ask("/")).await.unwrap();
    assert_eq!(refused.status(), 503);
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("tenant_suspended"));
    for answer in flying {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    put(&stage, 3, None).await;
    assert_eq!(client.send_request(ask("/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_refusal_in_the_edges_own_name_has_its_code_in_the_access_log() {
    let stage = Stage::start().await;
    let folder = stage.folder.path();
    let table = table(&stage, 1, Some(Closed::Suspended));
    std::fs::write(folder.join("closed.json"), table.seal().unwrap().0).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let config = json!({
        "process": {"health": "unix:health.sock"},
        "listen": [address.to_string()],
        "routes": "closed.json",
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_pavilion-router"))
        .current_dir(folder)
        .args(["--config", "config.json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(stage.tls(&["http/1.1"]))
        .no_proxy()
        .resolve("a.example", address)
        .build()
        .unwrap();
    let url = format!("https://a.example:{}/secret?of=mine", address.port());
    let asking = async {
        loop {
            if let Ok(answer) = client.get(&url).send().await {
                return answer.status();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let status = tokio::time::timeout(PATIENCE, asking).await.unwrap();
    assert_eq!(status, 503);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!log.contains("secret"), "{log}");
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let line = lines
        .into_iter()
        .find(|line| line["message"] == "request")
        .unwrap();
    let told = [&line["status"], &line["code"], &line["method"]];
    assert_eq!(
        told,
        [&json!(503), &json!("tenant_suspended"), &json!("GET")],
        "{line}"
    );
}
