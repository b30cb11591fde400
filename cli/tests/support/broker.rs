//! The far end of `ask` for tests of the near end: TLS on loopback, the wire of the relying-party API, and
//! answers that are really logged and signed. It judges the asker (token, key, host), not the evidence;
//! the broker itself is tested where it is built.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use pavilion_jose::{Algorithm, CompactJws, Jwk};
use pavilion_json::Digest;
use pavilion_results::Verdict;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use crate::chain::{Answered, ISSUER, NONCE, Tenant};

const ID: &str = "01J0000000000000000000TEST";

/// How the broker behaves.
#[derive(Clone)]
pub struct Manners {
    /// What it decides.
    pub verdict: Verdict,
    /// How often it says 503 before it answers a question.
    pub busy: u32,
    /// A problem that it answers every question with.
    pub refuses: Option<Value>,
    /// What it calls itself.
    pub issuer: &'static str,
    /// What it addresses its answers to.
    pub audience: &'static str,
    /// Whether it alters the receipt on its way out.
    pub lies: bool,
    /// How long it takes over its first two answers, each.
    pub slow: std::time::Duration,
    /// States that a read shows before `completed`.
    pub judging: u32,
    /// The state that a question ends in.
    pub end: &'static str,
    /// Whether it asks for client certificates.
    pub mutual_tls: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            verdict: Verdict::Pass,
            busy: 0,
            refuses: None,
            issuer: ISSUER,
            audience: "shop",
            lies: false,
            slow: std::time::Duration::ZERO,
            judging: 0,
            end: "completed",
            mutual_tls: false,
        }
    }
}

/// A running broker; its folder holds `ca.pem`, `client.pem` and `client.key`.
pub struct Broker {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it knows.
    pub seen: Arc<Seen>,
    /// Files for the asker.
    pub dir: TempDir,
}

/// What the broker knows and has seen.
pub struct Seen {
    manners: Manners,
    tenant: Tenant,
    shop: Jwk,
    answered: Mutex<Option<Answered>>,
    request: Mutex<Vec<u8>>,
    evidence: Mutex<Option<Value>>,
    keys: Mutex<Vec<String>>,
    looks: AtomicU32,
}

impl Seen {
    /// The Idempotency-Keys of all questions.
    pub fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }

    /// The last question.
    pub fn question(&self) -> Value {
        serde_json::from_slice(&self.request.lock().unwrap()).unwrap()
    }

    /// The evidence that was sent later.
    pub fn evidence(&self) -> Option<Value> {
        self.evidence.lock().unwrap().clone()
    }
}

impl Broker {
    /// Starts a broker that knows `shop` by this key.
    pub fn start(shop: Jwk, manners: Manners) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let config = tls(&dir, manners.mutual_tls);
        let seen = Arc::new(Seen {
            tenant: Tenant::new(manners.audience),
            manners,
            shop,
            answered: Mutex::default(),
            request: Mutex::default(),
            evidence: Mutex::default(),
            keys: Mutex::default(),
            looks: AtomicU32::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(Arc::clone(&seen));
        std::thread::spawn(move || serve(listener, config, router));
        Self { address, seen, dir }
    }

    /// A file for the asker.
    pub fn file(&self, name: &str) -> String {
        PathBuf::from(self.dir.path())
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    }
}

fn tls(dir: &TempDir, mutual: bool) -> ServerConfig {
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap();
    let issuer = Issuer::new(params, authority);
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let (client, client_key) = issue("shop.example");
    write("ca.pem", &root.pem());
    write("client.pem", &client.pem());
    write("client.key", &client_key.serialize_pem());
    let (server, server_key) = issue("verify.acme.example");
    let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![server.der().clone()];
    let builder = ServerConfig::builder();
    let mut config = if mutual {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
            .build()
            .unwrap();
        builder
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap()
    } else {
        builder
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn serve(listener: std::net::TcpListener, config: ServerConfig, router: Router) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = TowerToHyperService::new(router);
                let builder = Builder::new(TokioExecutor::new());
                let _ = builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}

fn router(seen: Arc<Seen>) -> Router {
    Router::new()
        .route("/.well-known/pavilion-configuration", get(configuration))
        .route(
            "/.well-known/jwks.json",
            get(async |State(s): State<Arc<Seen>>| s.tenant.jwks().to_string()),
        )
        .route("/oauth/token", post(token))
        .route("/v1/verifications", post(open))
        .route("/v1/verifications/{id}", get(look))
        .route("/v1/verifications/{id}/evidence", post(evidence))
        .route("/v1/verifications/{id}/{part}", get(part))
        .route(
            "/log/checkpoint",
            get(async |State(s): State<Arc<Seen>>| {
                s.answered
                    .lock()
                    .unwrap()
                    .as_ref()
                    .unwrap()
                    .checkpoint
                    .clone()
            }),
        )
        .with_state(seen)
}

async fn configuration(State(seen): State<Arc<Seen>>, headers: HeaderMap) -> String {
    assert_eq!(
        headers[header::HOST],
        "verify.acme.example",
        "the name stays the tenant's"
    );
    tokio::time::sleep(seen.manners.slow).await;
    json!({
        "issuer": seen.manners.issuer,
        "token_endpoint": "elsewhere, and never looked at",
        "log": {"origin": crate::chain::ORIGIN, "verifier_key": seen.tenant.log_key().to_string()},
    })
    .to_string()
}

async fn token(State(seen): State<Arc<Seen>>, body: String) -> Response {
    tokio::time::sleep(seen.manners.slow).await;
    let form: std::collections::HashMap<_, _> = url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(
        (form["grant_type"].as_str(), form["client_id"].as_str()),
        ("client_credentials", "shop")
    );
    let proven = match form.get("client_assertion") {
        None => seen.manners.mutual_tls,
        Some(assertion) => proves(assertion, &seen.shop),
    };
    if proven {
        json!({"access_token": "t0ken", "token_type": "Bearer", "expires_in": 300})
            .to_string()
            .into_response()
    } else {
        let problem = json!({"error": "invalid_client", "error_description": "no key verifies the assertion"});
        (StatusCode::UNAUTHORIZED, problem.to_string()).into_response()
    }
}

fn proves(assertion: &str, key: &Jwk) -> bool {
    let jws = CompactJws::parse(assertion).unwrap();
    let Ok(jws) = jws.verify(key.key(), &[Algorithm::Es256]) else {
        return false;
    };
    let claims: Value = serde_json::from_slice(jws.payload()).unwrap();
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("shop"), &json!("shop"))
    );
    assert_eq!(claims["aud"], ISSUER);
    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 60);
    !claims["jti"].as_str().unwrap().is_empty()
}

async fn open(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers[header::AUTHORIZATION], "Bearer t0ken");
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let tries = {
        let mut keys = seen.keys.lock().unwrap();
        keys.push(key);
        u32::try_from(keys.len()).unwrap()
    };
    if tries <= seen.manners.busy {
        let problem =
            json!({"code": "overloaded", "title": "Busy", "detail": "The queue is full."});
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "0")],
            problem.to_string(),
        )
            .into_response();
    }
    if let Some(problem) = &seen.manners.refuses {
        return (StatusCode::UNPROCESSABLE_ENTITY, problem.to_string()).into_response();
    }
    *seen.request.lock().unwrap() = body.to_vec();
    let state = match seen.question().get("presentations") {
        Some(_) => settle(&seen),
        None => "awaiting_evidence",
    };
    (StatusCode::CREATED, verification(state)).into_response()
}

/// Judges: the answer is logged and signed, the state is the one to show next.
fn settle(seen: &Seen) -> &'static str {
    let request = seen.request.lock().unwrap().clone();
    let answered = seen
        .tenant
        .answer(&request, seen.manners.verdict, Digest::of(b"policy"));
    *seen.answered.lock().unwrap() = Some(answered);
    if seen.manners.judging > 0 {
        "evaluating"
    } else {
        seen.manners.end
    }
}

fn verification(state: &str) -> String {
    let mut verification = json!({
        "id": ID, "state": state, "nonce": NONCE, "audience": ISSUER, "expiresAt": "2027-01-01T00:00:00Z",
        "policy": "over18",
    });
    if state == "awaiting_evidence" {
        verification["evidence"] = json!([{
            "id": "pid", "format": "dc+sd-jwt", "types": ["urn:eudi:pid:1"], "optional": false,
            "claims": [{"id": "birthdate", "path": ["birthdate"]}],
        }]);
    }
    if state == "failed" {
        verification["code"] = json!("log_unavailable");
    }
    verification.to_string()
}

async fn look(State(seen): State<Arc<Seen>>, Path(id): Path<String>) -> String {
    assert_eq!(id, ID);
    let looks = seen.looks.fetch_add(1, Ordering::SeqCst) + 1;
    verification(if looks < seen.manners.judging {
        "evaluating"
    } else {
        seen.manners.end
    })
}

async fn evidence(
    State(seen): State<Arc<Seen>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> String {
    assert_eq!(id, ID);
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    seen.keys.lock().unwrap().push(key);
    *seen.evidence.lock().unwrap() = Some(serde_json::from_slice(&body).unwrap());
    verification(settle(&seen))
}

async fn part(
    State(seen): State<Arc<Seen>>,
    Path((id, part)): Path<(String, String)>,
    headers: HeaderMap,
) -> String {
    assert_eq!(
        (id.as_str(), &headers[header::AUTHORIZATION]),
        (ID, &"Bearer t0ken".parse().unwrap())
    );
    let answered = seen.answered.lock().unwrap();
    let answered = answered.as_ref().unwrap();
    match part.as_str() {
        "result" => {
            assert_eq!(
                headers[header::ACCEPT],
                "application/vnd.pavilion.result+jwt"
            );
            answered.jwt.clone()
        }
        "receipt" if seen.manners.lies => answered.receipt.replacen("index 1", "index 0", 1),
        "receipt" => answered.receipt.clone(),
        other => panic!("nobody asks for {other}"),
    }
}
