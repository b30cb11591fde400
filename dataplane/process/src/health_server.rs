//! `/livez /readyz /metrics /status` over HTTP/1.1 on a unix socket or a TCP address.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::config::Listen;
use crate::exit::Exit;
use crate::health::{CheckStatus, Health};
use crate::metrics::{self, Metrics};
use crate::socket::{Listener, Peers};

/// Connections served at once; further ones wait.
const MAX_CONNECTIONS: usize = 32;

/// How long a client may take to send its request, or stay idle, before it is let go.
const HEADER_TIME_OUT: Duration = Duration::from_secs(10);

/// How long to wait after the system refused an accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const TEXT: &str = "text/plain; charset=utf-8";

/// A bound health endpoint.
#[derive(Debug)]
pub struct HealthServer(Bound);

#[derive(Debug)]
enum Bound {
    Unix(Listener),
    Tcp(TcpListener),
}

impl HealthServer {
    /// Binds the endpoint. Call it inside a runtime.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] naming the endpoint.
    pub async fn bind(listen: &Listen) -> Result<Self, Exit> {
        match listen {
            // The file's mode guards it: what is served tells nothing about a subject.
            Listen::Unix(path) => Ok(Self(Bound::Unix(Listener::bind(path, Peers::Any)?))),
            Listen::Tcp(address) => TcpListener::bind(address)
                .await
                .map(|listener| Self(Bound::Tcp(listener)))
                .map_err(|error| Exit::Unavailable(format!("{listen}: {error}"))),
        }
    }

    /// Serves until dropped.
    pub async fn serve(self, health: Health, metrics: Metrics) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let (health, metrics) = (health.clone(), metrics.clone());
            let connection = self.accept().await;
            tokio::spawn(async move {
                connection.serve(health, metrics).await;
                drop(slot);
            });
        }
    }

    async fn accept(&self) -> Connection {
        match &self.0 {
            Bound::Unix(listener) => Connection(Box::new(listener.accept().await)),
            Bound::Tcp(listener) => loop {
                match listener.accept().await {
                    Ok((stream, _)) => return Connection(Box::new(stream)),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept on the health address");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            },
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

struct Connection(Box<dyn Duplex>);

impl Connection {
    async fn serve(self, health: Health, metrics: Metrics) {
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let answer = answer(request.method(), request.uri().path(), &health, &metrics);
            async move { Ok::<_, Infallible>(answer) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME_OUT)
            .serve_connection(TokioIo::new(self.0), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "health connection ended early");
        }
    }
}

fn answer(
    method: &Method,
    path: &str,
    health: &Health,
    metrics: &Metrics,
) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n");
    }
    match path {
        "/livez" => response(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => readiness(health),
        "/metrics" => match metrics.render() {
            Ok(text) => response(StatusCode::OK, metrics::MEDIA_TYPE, text),
            Err(error) => failure(&error),
        },
        "/status" => match serde_json::to_vec(&health.status()) {
            Ok(json) => response(StatusCode::OK, "application/json", json),
            Err(error) => failure(&error),
        },
        _ => response(
            StatusCode::NOT_FOUND,
            TEXT,
            "/livez /readyz /metrics /status\n",
        ),
    }
}

/// One line per check: `name: ok`, `name: ok, but …` or `name: why not`.
fn readiness(health: &Health) -> Response<Full<Bytes>> {
    let status = health.status();
    let line = |check: &CheckStatus| {
        let (name, reason) = (check.name, &check.reason);
        match (check.ok, reason.is_empty()) {
            (true, true) => format!("{name}: ok\n"),
            (true, false) => format!("{name}: ok, but {reason}\n"),
            (false, _) => format!("{name}: {reason}\n"),
        }
    };
    let text: String = status.checks.iter().map(line).collect();
    let code = if status.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    response(code, TEXT, text)
}

fn failure(error: &(dyn std::error::Error + 'static)) -> Response<Full<Bytes>> {
    tracing::error!(error, "cannot render a health page");
    response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "cannot render\n")
}

fn response(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpStream, UnixStream};

    use super::*;
    use crate::run::Identity;

    const IDENTITY: Identity = Identity {
        name: "pavilion-test",
        version: "1.2.3",
        about: "Tests.",
    };

    async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &str) -> String {
        let request = format!("{head} HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    struct Served {
        health: Health,
        folder: tempfile::TempDir,
    }

    impl Served {
        async fn start() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let listen = Listen::Unix(folder.path().join("health.sock"));
            let health = Health::new(IDENTITY);
            let server = HealthServer::bind(&listen).await.unwrap();
            tokio::spawn(server.serve(health.clone(), Metrics::new(&IDENTITY)));
            Self { health, folder }
        }

        async fn ask(&self, head: &str) -> String {
            let path = self.folder.path().join("health.sock");
            ask(UnixStream::connect(path).await.unwrap(), head).await
        }
    }

    #[tokio::test]
    async fn readiness_has_one_line_per_check_and_503_until_all_are_well() {
        let served = Served::start().await;
        let token = served.health.register_check("token");
        served.health.register_check("log").set_ok();
        token.set_failed("module missing");
        let before = served.ask("GET /readyz").await;
        assert!(before.starts_with("HTTP/1.1 503"), "{before}");
        assert!(
            before.ends_with("log: ok\ntoken: module missing\n"),
            "{before}"
        );
        token.set_ok();
        let after = served.ask("GET /readyz").await;
        assert!(after.starts_with("HTTP/1.1 200"), "{after}");
        assert!(after.ends_with("log: ok\ntoken: ok\n"), "{after}");
        token.set_ok_but("its PIN is old");
        let reserved = served.ask("GET /readyz").await;
        assert!(reserved.starts_with("HTTP/1.1 200"), "{reserved}");
        assert!(
            reserved.ends_with("token: ok, but its PIN is old\n"),
            "{reserved}"
        );
    }

    #[tokio::test]
    async fn a_program_that_is_not_ready_is_alive() {
        let served = Served::start().await;
        served.health.register_check("token");
        assert!(served.ask("GET /livez").await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn metrics_name_what_is_running() {
        let served = Served::start().await;
        let page = served.ask("GET /metrics").await;
        let line = format!(
            "pavilion_build_info{{program=\"pavilion-test\",version=\"1.2.3\",commit=\"{}\"}} 1",
            crate::COMMIT
        );
        assert!(page.contains("application/openmetrics-text; version=1.0.0"));
        assert!(page.contains(&line), "{page}");
        assert!(page.ends_with("# EOF\n"));
    }

    #[tokio::test]
    async fn status_is_json() {
        let served = Served::start().await;
        served.health.set_served(7, "sha-256:aa");
        served.health.register_check("bundle").set_ok();
        let page = served.ask("GET /status").await;
        let (_, body) = page.split_once("\r\n\r\n").unwrap();
        let status: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(status["served"]["version"], 7);
        assert_eq!(status["ready"], true);
    }

    #[tokio::test]
    async fn other_paths_and_methods_are_refused() {
        let served = Served::start().await;
        assert!(served.ask("GET /").await.starts_with("HTTP/1.1 404"));
        assert!(served.ask("POST /status").await.starts_with("HTTP/1.1 405"));
    }

    #[tokio::test]
    async fn an_address_that_is_not_loopback_is_served_too() {
        let every = "0.0.0.0:0".parse().unwrap();
        let server = HealthServer::bind(&Listen::Tcp(every)).await.unwrap();
        let Bound::Tcp(listener) = &server.0 else {
            panic!("not TCP");
        };
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(server.serve(Health::new(IDENTITY), Metrics::new(&IDENTITY)));
        // Loopback is one of all addresses, and the only one that every machine has.
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        assert!(ask(stream, "GET /livez").await.ends_with("ok\n"));
    }

    #[tokio::test]
    async fn a_tcp_address_works_and_a_taken_one_is_named() {
        let address = "127.0.0.1:0".parse().unwrap();
        let server = HealthServer::bind(&Listen::Tcp(address)).await.unwrap();
        let Bound::Tcp(listener) = &server.0 else {
            panic!("not TCP");
        };
        let address = listener.local_addr().unwrap();
        tokio::spawn(server.serve(Health::new(IDENTITY), Metrics::new(&IDENTITY)));
        let stream = TcpStream::connect(address).await.unwrap();
        assert!(ask(stream, "GET /livez").await.ends_with("ok\n"));
        let taken = HealthServer::bind(&Listen::Tcp(address)).await.unwrap_err();
        assert_eq!(taken.code(), 69);
        assert!(taken.to_string().contains(&address.to_string()), "{taken}");
    }
}
