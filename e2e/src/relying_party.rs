//! A relying party as any HTTP client could be one; it shares no code with the broker's API.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pavilion_jose::{Algorithm, SigningKey, attach, signing_input};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::Broker;

/// A name and a key.
pub struct RelyingParty {
    name: String,
    key: SigningKey,
}

/// What came back: the status, the body, and what of the head a test looks at.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The content type, without parameters.
    pub content_type: String,
    /// `x-request-id`.
    pub request_id: String,
    /// `Retry-After`, if any.
    pub retry_after: Option<String>,
    /// The body, as it came.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The stable code of the problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl RelyingParty {
    /// A relying party with a new key.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            key: SigningKey::generate(Algorithm::Es256).expect("a key"),
        }
    }

    /// One with a key that is there already, as a private JWK.
    pub fn with_key(name: &str, jwk: &Value) -> Self {
        Self {
            name: name.to_owned(),
            key: SigningKey::from_jwk(jwk).expect("a key"),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its public key, as a tenant registers it.
    pub fn jwk(&self) -> Value {
        serde_json::to_value(self.key.public()).expect("a public key has a JSON form")
    }

    /// An assertion for the token endpoint of a tenant (RFC 7523); `change` may spoil it.
    pub fn assertion(&self, audience: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": self.name, "sub": self.name, "aud": audience,
            "jti": nonce(), "iat": now(), "exp": now() + 60,
        });
        change(&mut claims);
        let header = json!({"alg": "ES256", "typ": "JWT"});
        let input = signing_input(&header, claims.to_string().as_bytes());
        let signature = self.key.sign(input.as_bytes()).expect("a signature");
        attach(&input, &signature)
    }
}

/// A connection of one relying party to one tenant of a broker.
pub struct Session {
    client: Client,
    server: String,
    token: Option<String>,
}

impl Session {
    /// Opens a session without a token.
    pub fn anonymous(broker: &Broker, tenant: &str) -> Self {
        let client = client(broker, tenant).build().expect("a client");
        Self::over(client, server(broker, tenant))
    }

    /// The same to a tenant anywhere, by its base URL.
    pub fn over(client: Client, server: String) -> Self {
        Self {
            client,
            server,
            token: None,
        }
    }

    /// Opens a session and gets a token.
    pub async fn open(broker: &Broker, tenant: &str, party: &RelyingParty) -> Self {
        Self::anonymous(broker, tenant).authorised(party).await
    }

    /// The same session with a token of `party`.
    pub async fn authorised(self, party: &RelyingParty) -> Self {
        let assertion = party.assertion(&self.token_endpoint(), |_| {});
        let reply = self.token(&assertion).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let token = reply.json()["access_token"].clone();
        self.with_bearer(token.as_str().expect("a token"))
    }

    /// The tenant's base URL: issuer of answers and audience of presentations.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Where tokens are issued.
    pub fn token_endpoint(&self) -> String {
        format!("{}/oauth/token", self.server)
    }

    /// The token, to try it elsewhere.
    pub fn bearer(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same connection with another token.
    #[must_use]
    pub fn with_bearer(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Asks for a token with an assertion.
    pub async fn token(&self, assertion: &str) -> Reply {
        let form = format!(
            "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
        );
        let request = self.client.post(self.token_endpoint());
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        reply(request).await
    }

    /// A request with the token, to be changed and sent with [`reply`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The key that the tenant's log signs with, as outsiders get it (a signed note's verifier key).
    pub async fn log_key(&self) -> String {
        let configuration = self.get("/.well-known/pavilion-configuration").await.json();
        let key = configuration["log"]["verifier_key"].as_str();
        key.expect("a log key").to_owned()
    }

    /// Reads a path.
    pub async fn get(&self, path: &str) -> Reply {
        reply(self.request(Method::GET, path)).await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_bytes(path, body.to_string().into_bytes()).await
    }

    /// Posts bytes that claim to be JSON.
    pub async fn post_bytes(&self, path: &str, body: Vec<u8>) -> Reply {
        reply(
            self.request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body),
        )
        .await
    }
}

/// Sends a request and reads the reply whole.
pub async fn reply(request: RequestBuilder) -> Reply {
    try_reply(request).await.expect("the edge answers")
}

/// Sends a request; `Err` when no reply came.
pub async fn try_reply(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
    let response: Response = request.send().await?;
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let content_type = header("content-type").unwrap_or_default();
    Ok(Reply {
        status: response.status().as_u16(),
        content_type: content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned(),
        request_id: header("x-request-id").unwrap_or_default(),
        retry_after: header("retry-after"),
        bytes: response.bytes().await?.to_vec(),
    })
}

/// The base URL of a tenant.
pub fn server(broker: &Broker, tenant: &str) -> String {
    format!(
        "https://verify.{tenant}.localhost:{}",
        broker.address().port()
    )
}

/// A client that believes the tenant's own authority and finds its host on the loopback.
pub fn client(broker: &Broker, tenant: &str) -> reqwest::ClientBuilder {
    let authority = std::fs::read(broker.authority(tenant)).expect("the authority");
    let host = format!("verify.{tenant}.localhost");
    client_of(&host, broker.address(), &authority)
}

/// A client that believes one authority, in PEM, and finds one host at that address.
pub fn client_of(host: &str, address: SocketAddr, authority: &[u8]) -> reqwest::ClientBuilder {
    // A second installation finds the first in place.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .tls_certs_only([Certificate::from_pem(authority).expect("a certificate")])
        .resolve(host, address)
        .no_proxy()
        .timeout(Duration::from_secs(30))
}

/// A fresh nonce.
pub fn nonce() -> String {
    pavilion_jose::base64url(&rand_bytes())
}

fn rand_bytes() -> [u8; 24] {
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes).expect("random bytes");
    bytes
}

/// Now, in seconds since the epoch.
pub fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock before the year 292 billion")
}
