//! Asks a probe.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pavilion_probe::{Question, Told};
use tokio::{net::TcpStream, time::timeout};

/// How long a probe may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// What a probe tells; `None` when it does not answer, or not in our words.
pub(super) async fn ask(probe: SocketAddr, questions: &[Question]) -> Option<Told> {
    match timeout(PATIENCE, fetch(probe, questions)).await {
        Ok(Ok(told)) => Some(told),
        Ok(Err(error)) => {
            tracing::debug!(%probe, %error, "a probe does not answer");
            None
        }
        Err(_) => None,
    }
}

async fn fetch(probe: SocketAddr, questions: &[Question]) -> anyhow::Result<Told> {
    let stream = TcpStream::connect(probe).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let body = Full::new(Bytes::from(serde_json::to_vec(questions)?));
    let request = Request::post("/ask")
        .header("host", "probe")
        .header("connection", "close")
        .body(body)?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
    connection.abort();
    anyhow::ensure!(status == StatusCode::OK, "status {status}");
    let body = body.map_err(|error| anyhow::anyhow!(error))?;
    Ok(serde_json::from_slice(&body.to_bytes())?)
}
