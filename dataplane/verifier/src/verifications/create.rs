//! `POST /v1/verifications`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as FromApp;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use pavilion_catalogue::{Problem, presentation, request};
use pavilion_json::Digest;
use tracing::Instrument;
use ulid::Ulid;

use super::idempotency::{IdempotencyKey, in_use};
use super::model::{
    MAX_CLAIMS, MAX_NAME, MAX_PRESENTATIONS, NONCE, PresentedEvidence, Verification,
    VerificationRequest,
};
use super::owned::path;
use crate::app::App;
use crate::body::Json;
use crate::evaluate::{Inquiry, Presented, admit, evaluate};
use crate::keys::{key_of, random_text};
use crate::oauth::Caller;
use crate::openapi;
use crate::problems::Refusal;
use crate::request_id::RequestId;
use crate::state::{Event, State};
use crate::store::{
    Conflict, IdempotencyRecord, Key, NonceUse, Opening, Outcome, StoredVerification,
};
use crate::tenant::{NONCE_MEMORY, Tenant, seconds};

/// Asks a question.
///
/// Without `presentations` the verification awaits evidence; send it within its time. With
/// `presentations` the verification is answered at once, and `answer`, `jws` and `receipt` are in
/// the response. Send an `Idempotency-Key` to be able to repeat the request safely.
#[utoipa::path(
    post, path = "/v1/verifications", operation_id = "createVerification", tag = "verifications",
    params(("Idempotency-Key" = Option<String>, Header,
        description = "1 to 128 printable ASCII characters without spaces; the same key and body get the same response.",
        min_length = 1, max_length = 128, pattern = "^[!-~]{1,128}$")),
    request_body(content = VerificationRequest, content_type = "application/json"),
    responses(
        (status = 201, description = "The verification: awaiting evidence, or completed.", body = Verification,
            headers(("Location" = String, description = "Its path."))),
        openapi::CreateProblems,
    ),
)]
pub(crate) async fn create(
    FromApp(app): FromApp<Arc<App>>,
    caller: Caller,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    Json { value, digest }: Json<VerificationRequest>,
) -> Result<Response, Refusal> {
    let key = IdempotencyKey::of(&app, &caller, &headers, digest)?;
    if let Some(earlier) = key.as_ref().and_then(|key| key.earlier.as_ref()) {
        return again(&app, &caller.tenant, earlier);
    }
    check(&value)?;
    let presentations = value.presentations.clone();
    let inquiry = inquiry(&caller, value, digest)?;
    admit(&caller.tenant, &inquiry, app.clock.now())?;
    match presentations {
        None => ask(&app, &caller.tenant, &inquiry, key).await,
        Some(presented) => {
            let answering = Answering {
                app,
                tenant: caller.tenant,
                inquiry: Arc::new(inquiry),
                key,
            };
            // On its own task, so that a caller that goes away does not stop it half-way.
            let task = answering.run(presented, request_id).in_current_span();
            let outcome = tokio::spawn(task).await;
            outcome.unwrap_or_else(|_| Err((&request::INTERNAL).into()))
        }
    }
}

/// What the types do not say.
fn check(body: &VerificationRequest) -> Result<(), Refusal> {
    for (field, name) in [("policy", &body.policy), ("purpose", &body.purpose)] {
        if !(1..=MAX_NAME).contains(&name.chars().count()) {
            return Err(invalid(field, "It must have 1 to 253 characters."));
        }
    }
    if body.nonce.as_deref().is_some_and(|nonce| !is_nonce(nonce)) {
        let detail = "It must have 16 to 128 characters out of A-Z, a-z, 0-9, - and _.";
        return Err(invalid("nonce", detail));
    }
    let disclose = body
        .result
        .as_ref()
        .and_then(|result| result.disclose.as_ref());
    if disclose.is_some_and(|claims| claims.len() > MAX_CLAIMS) {
        return Err(invalid("result.disclose", "It may name 64 claims."));
    }
    let Some(presentations) = &body.presentations else {
        return Ok(());
    };
    check_presentations(presentations)?;
    if body.nonce.is_none() {
        return Err(Problem::new(&request::NONCE_REQUIRED).field("nonce").into());
    }
    Ok(())
}

/// The number of presentations.
pub(super) fn check_presentations(presentations: &[PresentedEvidence]) -> Result<(), Refusal> {
    match presentations.len() {
        0 => Err(Problem::new(&request::EVIDENCE_EMPTY)
            .field("presentations")
            .into()),
        1..=MAX_PRESENTATIONS => Ok(()),
        _ => Err(invalid("presentations", "There may be 16 of them.")),
    }
}

fn is_nonce(nonce: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    NONCE.contains(&nonce.len()) && nonce.bytes().all(plain)
}

fn invalid(field: &str, detail: &str) -> Refusal {
    Problem::new(&request::BODY_INVALID)
        .field(field)
        .detail(detail)
        .into()
}

fn inquiry(caller: &Caller, body: VerificationRequest, digest: Digest) -> Result<Inquiry, Refusal> {
    let nonce = match body.nonce {
        Some(nonce) => nonce,
        None => random_text().map_err(|_| Refusal::from(&request::INTERNAL))?,
    };
    Ok(Inquiry {
        id: Ulid::generate(),
        party: Arc::clone(&caller.party),
        policy: body.policy,
        purpose: body.purpose,
        nonce,
        asked_at: None,
        disclose: body.result.and_then(|result| result.disclose),
        req_digest: digest,
    })
}

/// The key of a nonce. One nonce counts once in the whole tenant: a presentation names the tenant
/// as its audience, so a second relying party must not be able to use it either.
pub(super) fn nonce_key(nonce: &str) -> Key {
    key_of("nonce", &[nonce])
}

/// The row of a new verification.
fn row(tenant: &Tenant, inquiry: &Inquiry, now: i64) -> StoredVerification {
    let expires_at = now.saturating_add(seconds(tenant.lifetimes.verification_seconds));
    StoredVerification {
        relying_party: inquiry.party.name.clone(),
        relying_party_uid: inquiry.party.uid.clone(),
        policy: inquiry.policy.clone(),
        purpose: inquiry.purpose.clone(),
        nonce: inquiry.nonce.clone(),
        disclose: inquiry.disclose.clone(),
        req_digest: inquiry.req_digest,
        created_at: now,
        expires_at,
        kept_until: expires_at.saturating_add(seconds(tenant.lifetimes.keep_result_seconds)),
        outcome: None,
    }
}

/// Opens a verification that awaits evidence.
async fn ask(
    app: &App,
    tenant: &Tenant,
    inquiry: &Inquiry,
    key: Option<IdempotencyKey>,
) -> Result<Response, Refusal> {
    let state = State::Created.on(Event::Asked);
    let state = state.ok_or_else(|| Refusal::from(&request::INTERNAL))?;
    let verification = row(tenant, inquiry, app.clock.second());
    let body = body_of(&Verification::of(inquiry.id, &verification, state, tenant))?;
    let idempotency = key.as_ref().map(|key| {
        let record = IdempotencyRecord {
            req_digest: inquiry.req_digest,
            verification: inquiry.id.to_string(),
            response: Some(body.clone()),
        };
        (key.key, record)
    });
    let opening = Opening {
        id: inquiry.id,
        nonce: nonce_key(&inquiry.nonce),
        nonce_use: NonceUse::default(),
        nonce_until: verification.expires_at.saturating_add(NONCE_MEMORY),
        verification,
        idempotency,
    };
    match app.store.open_verification(opening).await? {
        Ok(()) => Ok(created(inquiry.id, body)),
        Err(conflict) => Err(refused(&conflict)),
    }
}

/// Why a verification could not be written.
fn refused(conflict: &Conflict) -> Refusal {
    match conflict {
        Conflict::NonceUsed(_) => nonce_reused(),
        Conflict::KeyUsed => in_use(),
        Conflict::AssertionSeen | Conflict::NotAwaiting => (&request::INTERNAL).into(),
    }
}

/// A verification that is answered at once.
struct Answering {
    app: Arc<App>,
    tenant: Arc<Tenant>,
    inquiry: Arc<Inquiry>,
    key: Option<IdempotencyKey>,
}

impl Answering {
    async fn run(
        self,
        presented: Vec<PresentedEvidence>,
        request_id: Arc<str>,
    ) -> Result<Response, Refusal> {
        let Self {
            app,
            tenant,
            inquiry,
            ..
        } = &self;
        let nonce = nonce_key(&inquiry.nonce);
        // Held until the answer is on disk: two requests with one nonce cannot both be answered.
        let _reservation = app.nonces.reserve(nonce).ok_or_else(nonce_reused)?;
        if let Some(used) = app.store.nonce(&nonce)? {
            return Err(used_before(&used, &presented));
        }
        let presented = presented.into_iter().map(Presented::from).collect();
        let evaluated = evaluate(app, tenant, inquiry, presented, &request_id).await?;
        let now = app.clock.second();
        let mut verification = row(tenant, inquiry, now);
        verification.kept_until = now.saturating_add(evaluated.keep_seconds);
        verification.outcome = Some(Outcome::Completed(evaluated.completed));
        let opening = Opening {
            id: inquiry.id,
            nonce,
            nonce_use: evaluated.nonce_use,
            nonce_until: now.saturating_add(NONCE_MEMORY),
            verification: verification.clone(),
            idempotency: self.key.as_ref().map(|key| (key.key, record_of(inquiry))),
        };
        match app.store.open_verification(opening).await? {
            Ok(()) => finished(tenant, inquiry.id, &verification),
            Err(conflict) => Err(refused(&conflict)),
        }
    }
}

fn record_of(inquiry: &Inquiry) -> IdempotencyRecord {
    IdempotencyRecord {
        req_digest: inquiry.req_digest,
        verification: inquiry.id.to_string(),
        response: None,
    }
}

/// The nonce was used: by one of these very presentations, or otherwise.
fn used_before(used: &NonceUse, presented: &[PresentedEvidence]) -> Refusal {
    let was_answered = |one: &&PresentedEvidence| {
        let key_binding = one.presentation.rsplit('~').next().unwrap_or_default();
        used.key_bindings
            .contains(&Digest::of(key_binding.as_bytes()))
    };
    match presented.iter().find(was_answered) {
        Some(one) => Problem::new(&presentation::REPLAYED)
            .evidence(&one.evidence)
            .into(),
        None => nonce_reused(),
    }
}

fn nonce_reused() -> Refusal {
    Problem::new(&request::NONCE_REUSED).field("nonce").into()
}

impl From<PresentedEvidence> for Presented {
    fn from(sent: PresentedEvidence) -> Self {
        Self {
            evidence: sent.evidence,
            presentation: sent.presentation,
        }
    }
}

/// The response to a request that was answered before.
fn again(app: &App, tenant: &Tenant, earlier: &IdempotencyRecord) -> Result<Response, Refusal> {
    let id =
        Ulid::from_string(&earlier.verification).map_err(|_| Refusal::from(&request::INTERNAL))?;
    if let Some(body) = &earlier.response {
        return Ok(created(id, body.clone()));
    }
    let gone = || Refusal::from(&request::NOT_FOUND).about(path(id));
    let now = app.clock.second();
    let row = app.store.verification(id)?;
    let row = row.filter(|row| now < row.kept_until).ok_or_else(gone)?;
    finished(tenant, id, &row)
}

fn finished(tenant: &Tenant, id: Ulid, row: &StoredVerification) -> Result<Response, Refusal> {
    let verification = Verification::of(id, row, State::Completed, tenant);
    let verification = match &row.outcome {
        Some(Outcome::Completed(completed)) => verification.with_result(completed),
        _ => verification,
    };
    Ok(created(id, body_of(&verification)?))
}

fn body_of(verification: &Verification<'_>) -> Result<String, Refusal> {
    serde_json::to_string(verification).map_err(|_| (&request::INTERNAL).into())
}

fn created(id: Ulid, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(location) = HeaderValue::try_from(path(id)) {
        headers.insert(LOCATION, location);
    }
    response
}
