//! A router on loopback with two tenants, and clients for it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pavilion_bundle::{Certificate, Document, Route, RouteTable, Upstream as Target};
use pavilion_process::{Context, Health, Identity, Listen, Metrics, Shutdown, crypto};
use pavilion_router::{Config, Router};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::upstream::Upstream;

/// Longer than anything here takes; only there so that a broken test ends.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The largest body of every route on stage.
pub const MAX_BODY: u64 = 1_000;

/// The router with everything around it. Hosts: `a.example` of tenant `acme`, `b.example` of
/// `beta`, `c.example` of `acme`, which asks for client certificates.
pub struct Stage {
    pub folder: TempDir,
    pub address: SocketAddr,
    pub context: Context,
    pub acme: Upstream,
    pub running: JoinHandle<()>,
    _beta: Upstream,
    _log: Upstream,
}

impl Stage {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A stage whose configuration `change` has been at.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        crypto::install();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for host in ["a.example", "b.example", "c.example"] {
            certify(folder.path(), host);
        }
        write_routes(folder.path(), &routes(folder.path(), 1));
        let any = "127.0.0.1:0".parse().unwrap();
        let mut config = Config::new(Listen::Tcp(any), vec![any], at("routes.json"));
        // Only tests of waiting wait.
        config.time_outs.away_ms = 0;
        change(&mut config);
        let context = context();
        let router = Router::bind(config, context.clone()).await.unwrap();
        let stage = Self {
            address: router.addresses()[0],
            acme: Upstream::start(&at("acme.sock"), "acme"),
            _log: Upstream::start(&at("log.sock"), "log"),
            _beta: Upstream::start(&at("beta.sock"), "beta"),
            running: tokio::spawn(router.run()),
            context,
            folder,
        };
        stage.until(|stage| stage.context.health.is_ready()).await;
        stage
    }

    /// Waits for something to come about.
    pub async fn until(&self, come_about: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !come_about(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The metrics page has this line.
    pub fn counts(&self, line: &str) -> bool {
        let page = self.context.metrics.render().unwrap();
        page.lines().any(|counted| counted == line)
    }

    /// What a client trusts: the certificates of all hosts on stage, as they are on disk now.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for host in ["a.example", "b.example", "c.example"] {
            let der = fs::read(self.path(&format!("{host}.der"))).unwrap();
            roots.add(CertificateDer::from(der)).unwrap();
        }
        roots
    }

    /// A client's TLS configuration that offers `protocols`.
    pub fn tls(&self, protocols: &[&str]) -> ClientConfig {
        let mut config = ClientConfig::builder()
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config
    }

    /// A TLS connection to `host`, or why there is none.
    pub async fn connect(
        &self,
        host: &str,
        config: ClientConfig,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    /// Sends bytes on a new HTTP/1.1 connection to `a.example` and reads to its end.
    pub async fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self
            .connect("a.example", self.tls(&["http/1.1"]))
            .await
            .unwrap();
        // The router may hang up before it has read everything.
        let _ = stream.write_all(bytes.as_ref()).await;
        hear(&mut stream).await
    }

    /// An HTTP/2 connection to `host`.
    pub async fn http2(&self, host: &str) -> SendRequest<Full<Bytes>> {
        let stream = self.connect(host, self.tls(&["h2"])).await.unwrap();
        let (client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        client
    }

    /// A ready-made client that speaks `protocol` and finds all hosts on stage.
    pub fn client(&self, protocol: &str) -> reqwest::Client {
        let mut client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls(&[protocol]))
            .no_proxy();
        for host in ["a.example", "b.example", "c.example"] {
            client = client.resolve(host, self.address);
        }
        client.build().unwrap()
    }

    pub fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    /// Replaces the route table.
    pub fn reroute(&self, routes: &RouteTable) {
        write_routes(self.folder.path(), routes);
    }
}

/// Reads what comes until the connection ends.
pub async fn hear(stream: &mut TlsStream<TcpStream>) -> String {
    let mut heard = Vec::new();
    let reading = stream.read_to_end(&mut heard);
    let _ = tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the connection never ended");
    String::from_utf8(heard).unwrap()
}

/// The problem's code in a whole HTTP/1.1 answer.
pub fn code_of(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    assert!(head.contains("application/problem+json"), "{answer:?}");
    let problem: Value = serde_json::from_str(body).unwrap();
    assert!(head.contains(&problem["status"].to_string()), "{answer:?}");
    problem["code"].as_str().unwrap().to_owned()
}

pub fn context() -> Context {
    let identity = Identity {
        name: "pavilion-router",
        version: "0.0.0",
        about: "Tests.",
    };
    Context {
        health: Health::new(identity),
        metrics: Metrics::new(&identity),
        shutdown: Shutdown::default(),
    }
}

/// Makes a certificate for `host` and puts it on disk, for the router and for clients.
pub fn certify(folder: &Path, host: &str) {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    fs::write(folder.join(format!("{host}.der")), made.cert.der()).unwrap();
    fs::write(folder.join(format!("{host}.pem")), made.cert.pem()).unwrap();
    fs::write(
        folder.join(format!("{host}.key")),
        made.signing_key.serialize_pem(),
    )
    .unwrap();
}

/// A client's own certificate and key.
pub fn client_identity() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    (made.cert.der().clone(), key)
}

/// The route table of the stage.
pub fn routes(folder: &Path, version: u64) -> RouteTable {
    RouteTable {
        version,
        routes: vec![
            route(folder, "a.example", "acme", false),
            route(folder, "b.example", "beta", false),
            route(folder, "c.example", "acme", true),
        ],
    }
}

pub fn route(folder: &Path, host: &str, tenant: &str, asks: bool) -> Route {
    let file = |name: String| folder.join(name).to_str().unwrap().to_owned();
    let target =
        |prefix: &str, socket: &str| Target::on_socket(prefix, file(format!("{socket}.sock")));
    Route {
        host: host.parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        certificate: Certificate {
            chain_file: file(format!("{host}.pem")),
            key_file: file(format!("{host}.key")),
        },
        request_client_certificate: asks,
        closed: None,
        upstreams: vec![target("/", tenant), target("/log/", "log")],
        max_body_bytes: MAX_BODY,
    }
}

fn write_routes(folder: &Path, routes: &RouteTable) {
    write_document(folder, &routes.seal().unwrap().0);
}

/// Replaces the document by rename, whatever it holds.
pub fn write_document(folder: &Path, bytes: &[u8]) {
    fs::write(folder.join("routes.new"), bytes).unwrap();
    fs::rename(folder.join("routes.new"), folder.join("routes.json")).unwrap();
}
