//! The program on its socket: both versions of HTTP, and a stop that finishes what is under way.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pavilion_process::{Context, Health, Metrics, Shutdown};
use pavilion_verifier::program::verify;
use serde_json::json;
use tokio::net::UnixStream;

use crate::world::{IDENTITY, World, config, sealed};

fn context() -> Context {
    Context {
        health: Health::new(IDENTITY),
        metrics: Metrics::new(&IDENTITY),
        shutdown: Shutdown::default(),
    }
}

async fn connect(folder: &Path) -> TokioIo<UnixStream> {
    loop {
        match UnixStream::connect(folder.join("api.sock")).await {
            Ok(stream) => return TokioIo::new(stream),
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

fn request(version: Version) -> Request<Full<Bytes>> {
    Request::get("http://verify.acme.example/.well-known/pavilion-configuration")
        .version(version)
        .body(Full::default())
        .unwrap()
}

#[tokio::test]
async fn the_socket_speaks_both_versions_of_http_and_stops_when_told() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.json");
    std::fs::write(bundle, sealed(&world.bundle(1))).unwrap();
    let context = context();
    let running = tokio::spawn(verify(config(folder.path(), &json!({})), context.clone()));
    while context.health.status().served.is_none() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    let io = connect(folder.path()).await;
    let (mut first, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let answered = first.send_request(request(Version::HTTP_11)).await.unwrap();
    assert_eq!(answered.status(), StatusCode::OK);
    drop(answered.into_body().collect().await.unwrap());

    let io = connect(folder.path()).await;
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut second, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let answered = second.send_request(request(Version::HTTP_2)).await.unwrap();
    assert_eq!(
        (answered.status(), answered.version()),
        (StatusCode::OK, Version::HTTP_2)
    );
    drop(answered.into_body().collect().await.unwrap());

    context.shutdown.request();
    running.await.unwrap().unwrap();
    assert!(!folder.path().join("api.sock").exists());
}

#[tokio::test]
async fn a_program_that_cannot_start_says_why_by_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let exit = async |settings| verify(config(folder.path(), &settings), context()).await;
    let refused = exit(json!({"evaluations": 0})).await.unwrap_err();
    assert_eq!(refused.code(), 78);
    std::fs::write(
        folder.path().join("state.redb"),
        "no database".repeat(1_000),
    )
    .unwrap();
    assert_eq!(exit(json!({})).await.unwrap_err().code(), 65);
    // Rows without their keys: whoever reads it learns what to do.
    let world = World::new();
    world.token("shop").await;
    for name in ["state.redb", "state.keys"] {
        let (from, to) = (world.folder.path().join(name), folder.path().join(name));
        std::fs::copy(from, to).unwrap();
    }
    std::fs::write(folder.path().join("state.keys"), "").unwrap();
    let refused = exit(json!({})).await.unwrap_err();
    assert_eq!(refused.code(), 65);
    assert!(refused.to_string().contains("state.keys"), "{refused}");
    std::fs::remove_file(folder.path().join("state.redb")).unwrap();
    std::fs::write(folder.path().join("api.sock"), "in the way").unwrap();
    assert_eq!(exit(json!({})).await.unwrap_err().code(), 69);
}
