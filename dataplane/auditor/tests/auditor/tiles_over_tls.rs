//! Checkpoint and tiles to the edge of a cluster.

use std::io;

use pavilion_process::mutual_tls::{Credentials, client_config};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::program::{Home, PATIENCE};
use crate::roots::{CLIENT, Leaf, Mount, Root, SERVER};

/// What the edge is answered that shows `leaf`.
async fn ask(address: &str, root: &Root, leaf: &Leaf) -> io::Result<String> {
    let folder = tempfile::tempdir().unwrap();
    let mount = Mount::new(folder.path(), &root.pem, leaf);
    let read = Credentials::read(&mount.ca(), &mount.certificate(), &mount.key()).unwrap();
    let connector = TlsConnector::from(client_config(&read).unwrap());
    let asking = async {
        let stream = TcpStream::connect(address).await?;
        let mut stream = connector
            .connect(SERVER.try_into().unwrap(), stream)
            .await?;
        let request = "GET /log/checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .expect("no answer")
}

#[tokio::test]
async fn the_log_is_shown_to_the_edge_over_mutual_tls_and_to_nobody_else() {
    let home = Home::new();
    let root = Root::new();
    Mount::new(&home.path("tls"), &root.pem, &root.server());
    let listen = json!({
        "address": "127.0.0.1:0", "certificateFile": "tls/tls.crt", "keyFile": "tls/tls.key",
        "clientCaFile": "tls/ca.crt", "clientName": CLIENT,
    });
    let running = home.start_with(&json!({"listen": listen}));
    home.wait_for("entries: ok");
    home.wait_for("tls: ok");
    let status = home.health("/status").unwrap();
    let status: Value = serde_json::from_str(status.split_once("\r\n\r\n").unwrap().1).unwrap();
    let address = status["detail"]["listen"].as_str().unwrap();
    // There is no signer yet, so the log has no checkpoint; the answer is its own all the same.
    let answer = ask(address, &root, &root.client()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("log_unavailable"), "{answer}");
    for (stranger, result) in [
        (Root::new().client(), "certificate_refused"),
        (root.leaf("beta.pavilion.internal", |_| {}), "wrong_name"),
    ] {
        assert!(ask(address, &root, &stranger).await.is_err(), "{result}");
        let line = format!("pavilion_mutual_tls_handshakes_total{{result=\"{result}\"}} 1");
        let metrics = home.health("/metrics").unwrap();
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    assert!(!home.path("log.sock").exists());
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn an_auditor_that_nobody_could_ask_is_refused() {
    let home = Home::new();
    let mut running = home.start_with(&json!({}));
    assert_eq!(running.ended().code(), Some(78));
    let said = std::fs::read_to_string(home.path("stderr")).unwrap();
    assert!(
        said.contains("httpSocket, listen: neither is there"),
        "{said}"
    );
}
