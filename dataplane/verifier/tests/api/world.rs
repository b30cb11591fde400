//! One tenant's verifier in process, with an issuer, a wallet and relying parties around it.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use pavilion_bundle::{Document, TenantBundle};
use pavilion_jose::{Algorithm, SigningKey};
use pavilion_process::{Context, Health, Identity, Metrics, Shutdown};
use pavilion_proofs::wallet::{Draft, Holder, Issuer, Session};
use pavilion_verifier::Config;
use pavilion_verifier::app::{App, router};
use pavilion_verifier::clock::Clock;
use pavilion_verifier::program::assemble;
use pavilion_verifier::tenant::load::Loader;
use serde_json::{Value, json};
use tower::ServiceExt;

pub const ISSUER: &str = "https://verify.acme.example";
pub const PID: &str = "urn:eudi:pid:1";
/// 2026-11-22T12:00:00Z.
pub const NOW: i64 = 1_795_348_800;

pub const IDENTITY: Identity = Identity {
    name: "pavilion-verifier",
    version: "0",
    about: "",
};

pub struct World {
    pub folder: Arc<tempfile::TempDir>,
    pub app: Arc<App>,
    pub router: Router,
    pub clock: Clock,
    pub health: Health,
    pub metrics: Metrics,
    pub loader: Loader,
    pub shop: Arc<SigningKey>,
    pub rival: Arc<SigningKey>,
    pub issuer: Arc<Issuer>,
    pub holder: Arc<Holder>,
}

/// A response, read whole.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The code of a refusal.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        problem
    }

    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }
}

impl World {
    /// A verifier that serves its first bundle.
    pub fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let key = || SigningKey::generate(Algorithm::Es256).unwrap();
        let issuer = Arc::new(Issuer::new("https://pid.example", key()));
        let holder = Arc::new(Holder::new(key()));
        let people = (issuer, holder, Arc::new(key()), Arc::new(key()));
        let world = Self::start(folder, people, Clock::standing_at(NOW), &json!({}));
        world.load(&world.bundle(1));
        world
    }

    /// The same verifier after its process died: the same disk, nothing else.
    pub fn restarted(self) -> Self {
        let people = (
            self.issuer.clone(),
            self.holder.clone(),
            self.shop.clone(),
            self.rival.clone(),
        );
        let (folder, clock) = (self.folder.clone(), self.clock.clone());
        let bundle = self.bundle(1);
        drop(self);
        // The writing thread lets go of the file when the last handle is gone.
        let world = loop {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                Self::start(folder.clone(), people.clone(), clock.clone(), &json!({}))
            }));
            match outcome {
                Ok(world) => break world,
                Err(_) => std::thread::yield_now(),
            }
        };
        world.load(&bundle);
        world
    }

    /// A verifier with other settings.
    pub fn with(settings: &Value) -> Self {
        let first = Self::new();
        let people = (
            first.issuer.clone(),
            first.holder.clone(),
            first.shop.clone(),
            first.rival.clone(),
        );
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let world = Self::start(folder, people, first.clock.clone(), settings);
        world.load(&world.bundle(1));
        world
    }

    fn start(
        folder: Arc<tempfile::TempDir>,
        (issuer, holder, shop, rival): (Arc<Issuer>, Arc<Holder>, Arc<SigningKey>, Arc<SigningKey>),
        clock: Clock,
        settings: &Value,
    ) -> Self {
        let context = Context {
            health: Health::new(IDENTITY),
            metrics: Metrics::new(&IDENTITY),
            shutdown: Shutdown::default(),
        };
        let config = config(folder.path(), settings);
        let mut app = assemble(&config, &context).unwrap();
        app.clock = clock.clone();
        let app = Arc::new(app);
        let loader = Loader::new(
            config.tenant,
            Arc::clone(&app.served),
            context.health.clone(),
        );
        Self {
            folder,
            router: router(Arc::clone(&app)),
            app,
            clock,
            health: context.health,
            metrics: context.metrics,
            loader,
            shop,
            rival,
            issuer,
            holder,
        }
    }

    pub fn load(&self, bundle: &Value) {
        self.loader.take(&sealed(bundle));
    }

    /// The bundle that everything starts from.
    pub fn bundle(&self, version: u64) -> Value {
        let party = |key: &SigningKey, uid: &str, policies: Value| {
            json!({
                "uid": uid, "audience": "https://shop.example",
                "authentication": {"privateKeyJwt": {"keys": [key.public()]}},
                "purposes": ["sale"], "policies": policies,
            })
        };
        json!({
            "version": version, "tenant": "acme", "region": "eu-central", "issuer": ISSUER,
            "hosts": ["verify.acme.example"],
            "lifetimes": {"verificationSeconds": 600, "keepResultSeconds": 900, "answerSeconds": 300,
                "tokenSeconds": 300, "clockLeewaySeconds": 60},
            "audit": {"origin": "log.example/7f3a"},
            "relyingParties": {
                "shop": party(&self.shop, "u1", json!(["over18", "two", "unbound", "both"])),
                "rival": party(&self.rival, "u2", json!(["over18"])),
            },
            "policies": {
                "over18": revision(&over18()),
                "two": revision(&two()),
                "unbound": revision(&unbound()),
                "both": revision(&both()),
                "secret": revision(&over18()),
            },
            "trustAnchors": {"pids": {
                "credentialTypes": [PID],
                "issuers": [{"issuer": "https://pid.example", "keys": {"jwks": {"keys": [self.issuer.public()]}}}],
                "assurance": "substantial",
                "status": {"required": false, "maxAgeSeconds": 3600},
            }},
        })
    }

    pub async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        Answered {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// An access token of a relying party.
    pub async fn token(&self, name: &str) -> String {
        let key = if name == "rival" {
            &self.rival
        } else {
            &self.shop
        };
        let answered = self
            .request_token(&form(&assertion(key, name, &json!({}))))
            .await;
        answered.ok(200)["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub async fn request_token(&self, body: &str) -> Answered {
        let request = Request::post("/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    pub async fn post(&self, token: &str, path: &str, body: &Value) -> Answered {
        self.post_with(token, path, &[], &body.to_string()).await
    }

    pub async fn post_with(
        &self,
        token: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answered {
        let mut request = Request::post(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    pub async fn get(&self, token: &str, path: &str) -> Answered {
        self.get_with(token, path, &[]).await
    }

    pub async fn get_with(&self, token: &str, path: &str, headers: &[(&str, &str)]) -> Answered {
        let mut request = Request::get(path).header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Answered {
        let request = Request::delete(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Opens a verification of `over18`; gives its path and nonce.
    pub async fn ask(&self, token: &str) -> (String, String) {
        let asked = self.post(token, "/v1/verifications", &question()).await;
        let nonce = asked.ok(201)["nonce"].as_str().unwrap().to_owned();
        (
            asked.headers["location"].to_str().unwrap().to_owned(),
            nonce,
        )
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A presentation of a credential with these claims.
    pub fn present(&self, claims: Value, nonce: &str, audience: &str) -> String {
        let credential = self.credential(claims);
        let session = Session {
            nonce,
            audience,
            now: self.now(),
        };
        self.holder.present(&credential, &[], session).unwrap()
    }

    pub fn credential(&self, claims: Value) -> String {
        self.issuer.issue(&self.draft(claims)).unwrap()
    }

    pub fn draft(&self, claims: Value) -> Draft {
        let Value::Object(claims) = claims else {
            panic!()
        };
        let mut draft = Draft::new(PID, claims, self.now());
        draft.holder = Some(self.holder.public());
        draft
    }

    /// A presentation of an adult for this nonce.
    pub fn adult(&self, nonce: &str) -> String {
        self.present(adult(), nonce, ISSUER)
    }

    pub fn metric(&self, line: &str) -> bool {
        self.metrics
            .render()
            .unwrap()
            .lines()
            .any(|own| own == line)
    }
}

pub fn adult() -> Value {
    json!({"birthdate": "2001-02-03", "address": {"country": "DE"}})
}

pub fn question() -> Value {
    json!({"policy": "over18", "purpose": "sale"})
}

pub fn pid(presentation: &str) -> Value {
    json!([{"evidence": "pid", "presentation": presentation}])
}

/// The question with its evidence.
pub fn one_shot(nonce: &str, presentation: &str) -> Value {
    json!({"policy": "over18", "purpose": "sale", "nonce": nonce, "presentations": pid(presentation)})
}

pub fn over18() -> Value {
    json!({
        "purposes": ["sale"],
        "evidence": [{
            "id": "pid", "format": "dc+sd-jwt", "types": [PID], "trust": ["pids"],
            "claims": [
                {"id": "birthdate", "path": ["birthdate"]},
                {"id": "country", "path": ["address", "country"]},
            ],
        }],
        "rule": {"claim": "pid.birthdate", "age": {"atLeast": 18}},
        "disclose": ["pid.country"],
    })
}

/// One of two pieces of evidence.
fn two() -> Value {
    let evidence = |id: &str| {
        json!({
            "id": id, "optional": true, "format": "dc+sd-jwt", "types": [PID], "trust": ["pids"],
            "claims": [{"id": "birthdate", "path": ["birthdate"]}],
        })
    };
    json!({
        "purposes": ["sale"], "evidence": [evidence("pid"), evidence("other")],
        "rule": {"any": [
            {"claim": "pid.birthdate", "age": {"atLeast": 18}},
            {"claim": "other.birthdate", "age": {"atLeast": 18}},
        ]},
        "obligations": {"keepResult": "1m", "answerTimeToLive": "2m"},
    })
}

/// Two pieces of evidence, both required.
fn both() -> Value {
    let mut policy = two();
    for evidence in policy["evidence"].as_array_mut().unwrap() {
        evidence["optional"] = json!(false);
    }
    policy
}

/// Evidence without holder binding.
fn unbound() -> Value {
    let mut policy = over18();
    policy["evidence"][0]["holderBinding"] = json!(false);
    policy
}

pub fn revision(policy: &Value) -> Value {
    let parsed: pavilion_policy::Policy = serde_json::from_value(policy.clone()).unwrap();
    let digest = pavilion_policy::revision_digest(&parsed);
    json!({"revision": 1, "digest": digest, "policy": parsed})
}

pub fn sealed(bundle: &Value) -> Vec<u8> {
    let bundle: TenantBundle = serde_json::from_value(bundle.clone()).unwrap();
    bundle.seal().unwrap().0
}

/// A client assertion; `changes` replace claims, a null removes one.
pub fn assertion(key: &SigningKey, name: &str, changes: &Value) -> String {
    let header = json!({"alg": key.algorithm(), "kid": key.public().kid()});
    let mut claims = json!({
        "iss": name, "sub": name, "aud": format!("{ISSUER}/oauth/token"),
        "exp": NOW + 60, "iat": NOW, "jti": ulid::Ulid::generate().to_string(),
    });
    for (claim, value) in changes.as_object().unwrap() {
        claims[claim] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    key.sign_compact(&header, claims.to_string().as_bytes())
        .unwrap()
}

pub fn form(assertion: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )
        .append_pair("client_assertion", assertion)
        .finish()
}

pub fn config(folder: &Path, settings: &Value) -> Config {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut config = json!({
        "process": {"health": format!("unix:{}", at("health.sock"))}, "tenant": "acme",
        "socket": at("api.sock"), "bundleFile": at("bundle.json"), "stateFile": at("state.redb"),
        "signerSocket": at("signer.sock"), "auditorSocket": at("auditor.sock"),
    });
    for (member, value) in settings.as_object().unwrap() {
        config[member] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}
