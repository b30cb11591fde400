//! `POST /v1/verifications`.

mod asking;
mod at_once;
mod response;

use std::sync::Arc;

use axum::extract::State as FromApp;
use axum::response::Response;
use http::HeaderMap;
use pavilion_catalogue::{Problem, policy, request};
use pavilion_json::Digest;
use pavilion_policy::EvidenceWithRequest;
use tracing::Instrument;
use ulid::Ulid;

use super::idempotency::{IdempotencyKey, in_use};
use super::model::{MAX_CLAIMS, MAX_NAME, NONCE, Verification, VerificationRequest};
use super::presentations;
use crate::app::App;
use crate::body::Json;
use crate::evaluate::{Inquiry, admit};
use crate::keys::random_text;
use crate::oauth::Caller;
use crate::openapi;
use crate::problems::Refusal;
use crate::request_id::RequestId;
use crate::store::{Conflict, StoredVerification};
use crate::tenant::{Tenant, seconds};

use asking::ask;
use at_once::Answering;
use response::again;

/// Asks a question.
///
/// Without `presentations` the verification awaits evidence; send it within its time. With
/// `presentations`, where the policy takes them, the verification is answered at once, and `answer`,
/// `jws` and `receipt` are in the response. Send an `Idempotency-Key` to be able to repeat the
/// request safely.
#[utoipa::path(
    post, path = "/v1/verifications", operation_id = "createVerification", tag = "verifications",
    params(openapi::IdempotencyKey),
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
    let key = IdempotencyKey::of(&app, &caller, &headers, "/v1/verifications", digest)?;
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
            takes_evidence(&caller.tenant, &inquiry)?;
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

/// Whether the policy takes evidence with the question.
fn takes_evidence(tenant: &Tenant, inquiry: &Inquiry) -> Result<(), Refusal> {
    let revision = tenant.policies.get(&inquiry.policy);
    let revision = revision.ok_or_else(|| Refusal::from(&policy::UNKNOWN))?;
    match revision.policy.evidence_with_request {
        EvidenceWithRequest::Allowed => Ok(()),
        EvidenceWithRequest::Refused => Err(Problem::new(&policy::EVIDENCE_WITH_REQUEST_REFUSED)
            .field("presentations")
            .into()),
    }
}

/// What the types do not say.
pub(crate) fn check(body: &VerificationRequest) -> Result<(), Refusal> {
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
    let Some(presented) = &body.presentations else {
        return Ok(());
    };
    presentations::check(presented)?;
    if body.nonce.is_none() {
        return Err(Problem::new(&request::NONCE_REQUIRED).field("nonce").into());
    }
    Ok(())
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

/// Why a verification could not be written.
fn refused(conflict: &Conflict) -> Refusal {
    match conflict {
        Conflict::NonceUsed(_) => nonce_reused(),
        Conflict::KeyUsed => in_use(),
        Conflict::AssertionSeen | Conflict::NotAwaiting => (&request::INTERNAL).into(),
    }
}

fn nonce_reused() -> Refusal {
    Problem::new(&request::NONCE_REUSED).field("nonce").into()
}
