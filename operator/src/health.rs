//! The operator's own `/livez /readyz /metrics /status`, over a unix socket or a TCP address.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pavilion_process::{
    Exit, Health, Listen, Metrics,
    socket::{Listener, Peers},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::sleep,
};

use crate::host::StateDir;

/// How long a client may take to send its request.
const HEADER_TIME_OUT: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves in the background until the process ends. A socket lies in the state directory.
///
/// # Errors
/// [`Exit::Unavailable`] when the address is taken.
pub async fn serve(
    listen: &Listen,
    state: &Arc<StateDir>,
    health: Health,
    metrics: Metrics,
) -> Result<(), Exit> {
    match listen {
        Listen::Unix(path) => {
            let listener = Listener::bind(state.short(path), Peers::Any)?;
            let state = Arc::clone(state);
            tokio::spawn(async move {
                // Dropped in the opposite order: the socket's file is removed by a short path, which is
                // good as long as the state directory is open.
                let _state = state;
                let listener = listener;
                loop {
                    let stream = listener.accept().await;
                    tokio::spawn(connection(stream, health.clone(), metrics.clone()));
                }
            });
        }
        Listen::Tcp(address) => {
            let taken = |error| Exit::Unavailable(format!("{address}: {error}"));
            let listener = TcpListener::bind(address).await.map_err(taken)?;
            tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => {
                            tokio::spawn(connection(stream, health.clone(), metrics.clone()));
                        }
                        Err(_) => sleep(ACCEPT_PAUSE).await,
                    }
                }
            });
        }
    }
    Ok(())
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, health: Health, metrics: Metrics) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(request.uri().path(), &health, &metrics);
        async move { Ok::<_, Infallible>(answer) }
    });
    // A client that goes away early harms nobody.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_OUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(path: &str, health: &Health, metrics: &Metrics) -> Response<Full<Bytes>> {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match path {
        "/livez" => response(StatusCode::OK, "text/plain", "ok\n".to_owned()),
        "/readyz" => {
            let status = health.status();
            let line = |check: &pavilion_process::health::CheckStatus| {
                let outcome = if check.ok { "ok" } else { &check.reason };
                format!("{}: {outcome}\n", check.name)
            };
            let code = if status.ready {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            response(code, "text/plain", status.checks.iter().map(line).collect())
        }
        "/metrics" => match metrics.render() {
            Ok(text) => response(StatusCode::OK, OPEN_METRICS, text),
            Err(error) => response(
                StatusCode::INTERNAL_SERVER_ERROR,
                "text/plain",
                error.to_string(),
            ),
        },
        "/status" => {
            let text = serde_json::to_string(&health.status()).unwrap_or_default();
            response(StatusCode::OK, "application/json", text)
        }
        _ => response(
            StatusCode::NOT_FOUND,
            "text/plain",
            "/livez /readyz /metrics /status\n".to_owned(),
        ),
    }
}

fn response(status: StatusCode, media_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let media_type = http::HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pavilion_process::Identity;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixStream,
    };

    use super::*;

    #[tokio::test]
    async fn readiness_follows_the_checks_and_every_page_answers() {
        let identity = Identity {
            name: "pavilion-operator",
            version: "1",
            about: "",
        };
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(folder.path()).unwrap());
        let (health, metrics) = (Health::new(identity), Metrics::new(&identity));
        let check = health.register_check("objects");
        let listen = Listen::Unix("health.sock".into());
        serve(&listen, &state, health, metrics).await.unwrap();
        let ask = async |page: &str| {
            let mut stream = UnixStream::connect(folder.path().join("health.sock"))
                .await
                .unwrap();
            let request = format!("GET {page} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        assert!(ask("/readyz").await.starts_with("HTTP/1.1 503"));
        check.set_ok();
        assert!(ask("/readyz").await.ends_with("objects: ok\n"));
        assert!(ask("/livez").await.ends_with("ok\n"));
        assert!(ask("/metrics").await.contains("pavilion_build_info"));
        assert!(ask("/status").await.contains("\"ready\":true"));
        assert!(ask("/").await.starts_with("HTTP/1.1 404"));
    }
}
