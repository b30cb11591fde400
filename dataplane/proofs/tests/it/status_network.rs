//! Fetching lists: only where it is allowed, only what is expected, only so long and so much.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use pavilion_catalogue::status;
use pavilion_proofs::status::{StatusLists, StatusOptions, StatusOutcome};
use rcgen::KeyPair;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::certificates::{Authority, authority, server_certificate};
use crate::status_lists::{Listed, unknown};
use crate::world::{now, reference};

/// What the server answers.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    chunks: usize,
}

impl Reply {
    pub fn list(token: String) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/statuslist+jwt".into())],
            body: token.into(),
            chunks: 1,
        }
    }

    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::list(String::new())
        }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// A server of status lists on this host.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

struct Shared {
    reply: Mutex<Reply>,
    delay: Mutex<Duration>,
    gate: Arc<tokio::sync::Mutex<()>>,
    asked: AtomicUsize,
}

impl Server {
    pub async fn start() -> Self {
        let (listener, server) = Self::bound("http").await;
        let app = server.app();
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    /// The same over TLS, with a certificate for `localhost` by this authority.
    async fn start_tls(authority: &Authority) -> Self {
        let (listener, server) = Self::bound("https").await;
        let key = KeyPair::generate().unwrap();
        let certificate = server_certificate(&key, authority);
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.serialize_der().try_into().unwrap())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let app = server.app();
        tokio::spawn(async move {
            let listener = TlsListener { listener, acceptor };
            axum::serve(listener, app).await
        });
        server
    }

    async fn bound(scheme: &'static str) -> (TcpListener, Self) {
        install_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            scheme,
            shared: Arc::new(Shared {
                reply: Mutex::new(Reply::status(404)),
                delay: Mutex::default(),
                gate: Arc::default(),
                asked: AtomicUsize::new(0),
            }),
        };
        (listener, server)
    }

    fn app(&self) -> Router {
        Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&self.shared))
    }

    pub fn uri(&self, path: &str) -> String {
        let host = if self.scheme == "https" {
            "localhost"
        } else {
            "127.0.0.1"
        };
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    pub fn reply(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap() = reply;
    }

    pub fn delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap() = delay;
    }

    /// Lets it answer nobody until this is dropped.
    pub async fn hold(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.shared.gate).lock_owned().await
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

async fn answer(State(shared): State<Arc<Shared>>) -> Response {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    drop(shared.gate.lock().await);
    let (reply, delay) = (
        shared.reply.lock().unwrap().clone(),
        *shared.delay.lock().unwrap(),
    );
    tokio::time::sleep(delay).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = if reply.chunks == 1 {
        Body::from(reply.body)
    } else {
        let chunks = (0..reply.chunks).map(move |_| Ok::<_, std::io::Error>(reply.body.clone()));
        Body::from_stream(futures::stream::iter(chunks))
    };
    response.body(body).unwrap()
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .unwrap();
    });
}

/// Short time-outs.
fn hasty() -> StatusLists {
    StatusLists::new(StatusOptions {
        total_timeout: Duration::from_millis(300),
        connect_timeout: Duration::from_millis(200),
        ..StatusOptions::default()
    })
}

/// Small limits, and time for all that is answered.
fn frugal() -> StatusLists {
    StatusLists::new(StatusOptions {
        total_timeout: Duration::from_mins(1),
        connect_timeout: Duration::from_mins(1),
        max_token_bytes: 64 * 1024,
        ..StatusOptions::default()
    })
}

async fn answered(reply: impl FnOnce(Reply) -> Reply) -> StatusOutcome {
    let mut listed = Listed::new().await;
    listed.lists = frugal();
    let honest = listed.server.shared.reply.lock().unwrap().clone();
    listed.server.reply(reply(honest));
    listed.check(0).await
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_no_list() {
    for code in [204, 206, 301, 302, 400, 404, 410, 500, 503] {
        let outcome = answered(|reply| Reply {
            status: code,
            ..reply
        })
        .await;
        assert_eq!(outcome, unknown(&status::LIST_UNREACHABLE), "{code}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start().await;
    let target = elsewhere.uri("/lists/1");
    let outcome = answered(|_| Reply::status(302).header("location", &target)).await;
    assert_eq!(outcome, unknown(&status::LIST_UNREACHABLE));
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn a_list_has_its_own_media_type() {
    for media_type in [
        "application/jwt",
        "application/statuslist+cwt",
        "text/html",
        "",
    ] {
        let outcome = answered(|reply| reply.header("content-type", media_type)).await;
        assert_eq!(outcome, unknown(&status::LIST_INVALID), "{media_type}");
    }
    let outcome =
        answered(|reply| reply.header("content-type", "Application/StatusList+JWT; charset=utf-8"))
            .await;
    assert_eq!(outcome, StatusOutcome::Valid);
}

#[tokio::test]
async fn a_list_in_an_encoding_that_was_not_asked_for_is_refused() {
    let outcome = answered(|reply| reply.header("content-encoding", "gzip")).await;
    assert_eq!(outcome, unknown(&status::LIST_INVALID));
}

#[tokio::test]
async fn a_list_that_is_not_text_is_refused() {
    let outcome = answered(|reply| Reply {
        body: Bytes::from_static(b"\xff\xfe"),
        ..reply
    })
    .await;
    assert_eq!(outcome, unknown(&status::LIST_INVALID));
}

#[tokio::test]
async fn a_list_over_the_limit_is_refused_whether_or_not_it_says_its_length() {
    let body = Bytes::from(vec![b'a'; 64 * 1024 + 1]);
    let outcome = answered(|reply| Reply { body, ..reply }).await;
    assert_eq!(outcome, unknown(&status::LIST_TOO_LARGE));
    let body = Bytes::from(vec![b'a'; 1024]);
    let outcome = answered(|reply| Reply {
        body,
        chunks: usize::MAX,
        ..reply
    })
    .await;
    assert_eq!(outcome, unknown(&status::LIST_TOO_LARGE));
}

#[tokio::test]
async fn a_slow_server_is_not_waited_for() {
    let mut listed = Listed::new().await;
    listed.lists = hasty();
    listed.server.delay(Duration::from_mins(1));
    assert_eq!(listed.check(0).await, unknown(&status::LIST_UNREACHABLE));
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let mut listed = Listed::new().await;
    listed.lists = hasty();
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    listed.server.address = free;
    assert_eq!(listed.check(0).await, unknown(&status::LIST_UNREACHABLE));
}

#[tokio::test]
async fn an_issuer_cannot_send_us_to_an_inner_address_unless_the_anchor_allows_it() {
    let mut listed = Listed::new().await;
    listed.world.anchor.status.allow_private_addresses = false;
    let port = listed.server.address.port();
    for uri in [
        listed.uri(),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::1]:{port}/"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "http://status.example/1".to_owned(),
        "file:///etc/passwd".to_owned(),
        "not a uri".to_owned(),
    ] {
        let mut draft = listed.world.draft();
        draft.status = Some(reference(&uri, 0));
        let credential = listed
            .world
            .verify(&listed.world.presentation_of(&draft))
            .unwrap();
        let found = listed.lists.check(&credential, now(), Duration::ZERO).await;
        assert_eq!(
            found.outcome,
            unknown(&status::LIST_ADDRESS_REFUSED),
            "{uri}"
        );
    }
    assert_eq!(listed.server.asked(), 0);
}

#[tokio::test]
async fn a_server_is_trusted_by_the_authorities_that_the_anchor_names() {
    let root = authority("status root");
    let mut listed = Listed::new().await;
    listed.server = Server::start_tls(&root).await;
    listed.publish(|_| {});
    assert_eq!(listed.check(0).await, unknown(&status::LIST_UNREACHABLE));
    listed.world.anchor.status.ca_bundle = Some(authority("another root").pem());
    assert_eq!(listed.check(0).await, unknown(&status::LIST_UNREACHABLE));
    assert_eq!(listed.server.asked(), 0);
    listed.world.anchor.status.ca_bundle = Some(root.pem());
    assert_eq!(listed.check(0).await, StatusOutcome::Valid);
    assert_eq!(listed.check(1).await, StatusOutcome::Revoked);
    assert_eq!(listed.server.asked(), 1);
}
