//! The program on its socket and behind mutual TLS: both versions of HTTP, and a stop that finishes
//! what is under way.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pavilion_process::mutual_tls::{Credentials, client_config};
use pavilion_process::{Context, Health, Metrics, Shutdown};
use pavilion_verifier::program::verify;
use serde_json::{Value, json};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::roots::{CLIENT, Leaf, Mount, Root, SERVER};
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

/// The `listen` member for a pod with this mount.
fn listen(mount: &Mount) -> Value {
    json!({
        "address": "127.0.0.1:0", "certificateFile": mount.certificate(), "keyFile": mount.key(),
        "clientCaFile": mount.ca(), "clientName": CLIENT,
    })
}

/// A connection to the address that the program says it listens on, with this certificate.
async fn connect_over_tls(
    context: &Context,
    root: &Root,
    leaf: &Leaf,
) -> std::io::Result<TokioIo<TlsStream<TcpStream>>> {
    let address = loop {
        let detail = context.health.status().detail;
        match detail.get("listen").and_then(Value::as_str) {
            Some(address) => break address.to_owned(),
            None => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let mount = Mount::new(folder.path(), &root.pem, leaf);
    let read = Credentials::read(&mount.ca(), &mount.certificate(), &mount.key()).unwrap();
    let connector = TlsConnector::from(client_config(&read).unwrap());
    let stream = TcpStream::connect(address).await?;
    let stream = connector.connect(SERVER.try_into().unwrap(), stream);
    stream.await.map(TokioIo::new)
}

#[tokio::test]
async fn behind_mutual_tls_the_edge_is_answered_and_believed_and_nobody_else_gets_in() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new();
    let mount = Mount::new(&folder.path().join("tls"), &root.pem, &root.server());
    std::fs::write(folder.path().join("bundle.json"), sealed(&world.bundle(1))).unwrap();
    let context = context();
    let mut config = config(folder.path(), &json!({"listen": listen(&mount)}));
    config.socket = None;
    let running = tokio::spawn(verify(config, context.clone()));
    while context.health.status().served.is_none() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    let io = connect_over_tls(&context, &root, &root.client()).await;
    let (mut edge, connection) = hyper::client::conn::http1::handshake(io.unwrap())
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut asked = request(Version::HTTP_11);
    asked
        .headers_mut()
        .insert("x-request-id", "01JEDGE".parse().unwrap());
    let answered = edge.send_request(asked).await.unwrap();
    assert_eq!(answered.status(), StatusCode::OK);
    assert_eq!(answered.headers()["x-request-id"], "01JEDGE");
    drop(answered.into_body().collect().await.unwrap());

    // In TLS 1.3 a client hears of its refusal only after its own last message.
    if let Ok(io) = connect_over_tls(&context, &root, &Root::new().client()).await {
        let (mut stranger, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        stranger
            .send_request(request(Version::HTTP_11))
            .await
            .unwrap_err();
    }
    let page = context.metrics.render().unwrap();
    for line in [
        "pavilion_mutual_tls_handshakes_total{result=\"ok\"} 1",
        "pavilion_mutual_tls_handshakes_total{result=\"certificate_refused\"} 1",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(!folder.path().join("api.sock").exists());

    context.shutdown.request();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_socket_and_mutual_tls_serve_side_by_side() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new();
    let mount = Mount::new(&folder.path().join("tls"), &root.pem, &root.server());
    std::fs::write(folder.path().join("bundle.json"), sealed(&world.bundle(1))).unwrap();
    let context = context();
    let config = config(folder.path(), &json!({"listen": listen(&mount)}));
    let running = tokio::spawn(verify(config, context.clone()));
    while context.health.status().served.is_none() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let io = connect(folder.path()).await;
    let (mut near, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let io = connect_over_tls(&context, &root, &root.client()).await;
    let (mut far, connection) = hyper::client::conn::http1::handshake(io.unwrap())
        .await
        .unwrap();
    tokio::spawn(connection);
    for client in [&mut near, &mut far] {
        let answered = client.send_request(request(Version::HTTP_11)).await;
        assert_eq!(answered.unwrap().status(), StatusCode::OK);
    }
    context.shutdown.request();
    running.await.unwrap().unwrap();
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
