//! Asks a program how it is, over its health socket.

use std::{net::SocketAddr, path::Path, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// How long a program may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// What a program says of itself (`/status`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Its version.
    pub version: String,
    /// Whether all is well.
    pub ready: bool,
    /// One by one.
    pub checks: Vec<ReportedCheck>,
    /// The document in force.
    pub served: Option<ReportedServed>,
    /// The newest document, when it was refused.
    pub refused: Option<ReportedRefusal>,
    /// Whatever else it says.
    pub detail: Map<String, Value>,
}

/// One check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportedCheck {
    /// What is checked.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// Why not.
    pub reason: String,
}

/// A document in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportedServed {
    /// Its number.
    pub version: u64,
    /// `sha-256:<hex>`.
    pub digest: String,
}

/// A document that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportedRefusal {
    /// `sha-256:<hex>`, when it could be read at all.
    pub digest: Option<String>,
    /// Why.
    pub reason: String,
}

impl Report {
    /// The first thing that is not well, as `name: reason`.
    pub fn trouble(&self) -> Option<String> {
        let failed = self.checks.iter().find(|check| !check.ok)?;
        Some(format!("{}: {}", failed.name, failed.reason))
    }
}

/// Asks once. `None` when it does not answer, or not in our words.
pub(super) async fn ask(socket: &Path) -> Option<Report> {
    let answer = async { fetch(UnixStream::connect(socket).await?).await };
    timeout(PATIENCE, answer).await.ok()?.ok()
}

/// The same over TCP, for a program in a pod.
pub async fn ask_at(address: SocketAddr) -> Option<Report> {
    let answer = async { fetch(TcpStream::connect(address).await?).await };
    timeout(PATIENCE, answer).await.ok()?.ok()
}

async fn fetch<S>(stream: S) -> anyhow::Result<Report>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/status")
        .header("host", "health")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    let body = Limited::new(answer.into_body(), MAX_BYTES);
    let body = body
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!(error))?;
    connection.abort();
    Ok(serde_json::from_slice(&body.to_bytes())?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixListener,
    };

    use super::*;

    async fn answered(body: &str) -> Option<Report> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /status HTTP/1.1"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let report = ask(&socket).await;
        server.await.unwrap();
        report
    }

    #[tokio::test]
    async fn what_a_program_says_is_read() {
        let body = r#"{"name":"pavilion-signer","version":"1","commit":"c","ready":false,
            "checks":[{"name":"a","ok":true,"reason":""},{"name":"token","ok":false,"reason":"away"}],
            "served":{"version":3,"digest":"sha-256:aa"},"refused":null,"detail":{"x":1}}"#;
        let report = answered(body).await.unwrap();
        assert_eq!(report.trouble().unwrap(), "token: away");
        assert_eq!(report.served.unwrap().version, 3);
        assert!(!report.ready);
    }

    #[tokio::test]
    async fn silence_and_nonsense_are_no_report() {
        assert_eq!(ask(Path::new("/does/not/exist")).await, None);
        assert_eq!(answered("hello").await, None);
    }
}
