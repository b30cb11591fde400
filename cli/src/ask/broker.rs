//! The connection to a tenant: TLS, bounded answers, bounded retries, refusals in words.

use std::error::Error;
use std::time::Duration;

use pavilion_json::Limits;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::tls::Version;
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::refusal::refused;
use super::tls::{pin, pinned, trust};
use crate::args::ClientArgs;
use crate::exit::{Exit, Failure};

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How often a request is sent at most while the broker says that it is overloaded or away.
const ATTEMPTS: u32 = 3;
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A tenant's API.
pub struct Broker {
    client: Client,
    base: Url,
    /// When the person's patience ends, over all requests together.
    deadline: Instant,
}

/// One request.
pub struct Call<'a> {
    /// GET or POST.
    pub method: Method,
    /// The path under the tenant's URL.
    pub path: &'a str,
    /// The access token.
    pub token: Option<&'a str>,
    /// Headers of its own.
    pub headers: HeaderMap,
    /// Media type and bytes.
    pub body: Option<(&'static str, Vec<u8>)>,
}

impl<'a> Call<'a> {
    /// Reads something.
    pub fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            token: None,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// Sends something.
    pub fn post(path: &'a str, media_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            method: Method::POST,
            body: Some((media_type, body)),
            ..Self::get(path)
        }
    }

    /// The same with an access token.
    pub fn with_token(self, token: &'a str) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    /// The same asking for a media type.
    pub fn accepting(mut self, media_type: &'static str) -> Self {
        self.headers
            .insert(ACCEPT, HeaderValue::from_static(media_type));
        self
    }
}

impl Broker {
    /// Prepares the connection; nothing is sent yet.
    pub fn new(args: &ClientArgs) -> Result<Self, Failure> {
        // One provider for the process; a second call finds it installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("kubectl-pavilion/", env!("CARGO_PKG_VERSION")))
            .https_only(true)
            .redirect(redirect::Policy::none())
            .tls_version_min(Version::TLS_1_2)
            .connect_timeout(Duration::from_secs(args.timeout.min(10)))
            .timeout(Duration::from_secs(args.timeout));
        builder = trust(builder, args)?;
        if let Some(address) = args.connect {
            builder = pin(builder, &args.server, address)?;
        }
        let client = builder
            .build()
            .map_err(|error| Failure::file(format!("TLS cannot be set up: {}", chain(&error))))?;
        Ok(Self {
            client,
            base: pinned(&args.server, args.connect),
            deadline: Instant::now() + Duration::from_secs(args.timeout),
        })
    }

    /// How long the person still wants to wait.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Sends a request and reads JSON.
    pub async fn json<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Failure> {
        let bytes = self.bytes(call).await?;
        pavilion_json::read(&bytes, Limits::DOCUMENT).map_err(|error| {
            Failure::new(
                Exit::Away,
                format!(
                    "{} answered something unexpected at {}: {error}",
                    self.base, call.path
                ),
            )
        })
    }

    /// Sends a request and reads text.
    pub async fn text(&self, call: &Call<'_>) -> Result<String, Failure> {
        String::from_utf8(self.bytes(call).await?).map_err(|_| {
            Failure::new(
                Exit::Away,
                format!(
                    "{} answered something that is not text at {}",
                    self.base, call.path
                ),
            )
        })
    }

    /// Sends a request, again where that may help, and reads the answer.
    pub async fn bytes(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let late = |_| Failure::new(Exit::Away, format!("{} did not answer in time", self.base));
        timeout_at(self.deadline, self.attempts(call))
            .await
            .map_err(late)?
    }

    async fn attempts(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let mut attempt = 1;
        loop {
            let outcome = self.send(call).await;
            let pause = match &outcome {
                Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
                    pause(response, attempt)
                }
                Err(error) if error.is_connect() => Some(backoff(attempt)),
                _ => None,
            };
            match (pause, outcome) {
                (Some(pause), _) if attempt < ATTEMPTS => tokio::time::sleep(pause).await,
                (_, Ok(response)) => return self.read(response).await,
                (_, Err(error)) => return Err(self.away(&error)),
            }
            attempt += 1;
        }
    }

    async fn send(&self, call: &Call<'_>) -> reqwest::Result<Response> {
        let mut url = self.base.clone();
        url.set_path(call.path);
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .headers(call.headers.clone());
        if let Some(token) = call.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .unwrap_or(HeaderValue::from_static(""));
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some((media_type, body)) = &call.body {
            request = request.header(CONTENT_TYPE, *media_type).body(body.clone());
        }
        request.send().await
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.away(&error))? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(Failure::new(
                    Exit::Away,
                    format!("{} answered more than 4 MiB", self.base),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            Ok(bytes)
        } else {
            Err(refused(status, &bytes))
        }
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let reason = chain(error);
        let what = if error.is_timeout() {
            "did not answer in time"
        } else {
            "cannot be reached"
        };
        let failure = Failure::new(Exit::Away, format!("{} {what}: {reason}", self.base));
        if reason.contains("invalid peer certificate") {
            failure.note(
                "hint",
                "name the authority of its certificate with --cacert",
            )
        } else if error.is_connect() {
            failure.note(
                "hint",
                "is it running? --connect ADDRESS:PORT goes round name resolution",
            )
        } else {
            failure
        }
    }
}

/// How long to wait before the next attempt; `None` when the broker asks for longer than we have.
fn pause(response: &Response, attempt: u32) -> Option<Duration> {
    let asked = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    match asked.map(Duration::from_secs) {
        Some(asked) if asked > LONGEST_PAUSE => None,
        Some(asked) => Some(asked.max(backoff(attempt))),
        None => Some(backoff(attempt)),
    }
}

/// 200 ms, 400 ms, …, and up to a quarter more, so that many askers do not come back at once.
fn backoff(attempt: u32) -> Duration {
    let base = Duration::from_millis(100 << attempt.min(4));
    let mut byte = [0];
    // Without randomness the pause is merely less spread.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    base + base / 4 * u32::from(byte[0]) / 255
}

/// What caused an error, innermost last; the error itself only says that a request failed.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::<String>::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        source = cause.source();
    }
    if causes.is_empty() {
        error.to_string()
    } else {
        causes.join(": ")
    }
}
