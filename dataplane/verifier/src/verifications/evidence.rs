//! `POST /v1/verifications/{id}/evidence`.

use std::sync::Arc;

use axum::extract::State as FromApp;
use axum::response::Response;
use http::HeaderMap;
use pavilion_catalogue::request;
use tracing::Instrument;

use super::idempotency::{IdempotencyKey, in_use};
use super::model::{EvidenceRequest, PresentedEvidence, Verification};
use super::owned::{Owned, PathId, path};
use super::presentations::{self, nonce_key};
use super::read::shown;
use crate::app::App;
use crate::body::Json;
use crate::evaluate::{Evaluated, Inquiry, Presented, evaluate};
use crate::oauth::Caller;
use crate::openapi;
use crate::problems::Refusal;
use crate::request_id::RequestId;
use crate::reservations::Reservation;
use crate::state::Event;
use crate::store::{Conflict, Ending, Outcome, StoredVerification};
use crate::tenant::NONCE_MEMORY;

#[cfg(test)]
mod tests;

/// Sends the evidence of a verification.
///
/// It is judged once: the response is the finished verification. If a presentation does not belong
/// to it (422), or something needed is away (503), it keeps awaiting evidence. Send an
/// `Idempotency-Key` to be able to repeat the request safely.
#[utoipa::path(
    post, path = "/v1/verifications/{id}/evidence", operation_id = "submitEvidence", tag = "verifications",
    params(openapi::VerificationId, openapi::IdempotencyKey),
    request_body(content = EvidenceRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "The completed verification, with its answer.", body = Verification),
        openapi::EvidenceProblems,
    ),
)]
pub(crate) async fn submit(
    FromApp(app): FromApp<Arc<App>>,
    caller: Caller,
    RequestId(request_id): RequestId,
    PathId(id): PathId,
    headers: HeaderMap,
    Json { value, digest }: Json<EvidenceRequest>,
) -> Result<Response, Refusal> {
    let found = Owned::find(&app, &caller, &id)?;
    let key = IdempotencyKey::of(&app, &caller, &headers, &found.path(), digest)?;
    if key.as_ref().is_some_and(|key| key.earlier.is_some()) {
        // Read again: it may have been answered since it was found.
        let Owned { id, row, .. } = Owned::find(&app, &caller, &id)?;
        return finished(&app, &caller, id, &row);
    }
    presentations::check(&value.presentations)?;
    let (owned, reservation) = Owned::reserve(&app, &caller, &id)?;
    owned.allows(Event::Submitted)?;
    let submission = Submission {
        app,
        caller,
        owned,
        key,
        _reservation: reservation,
    };
    // On its own task, so that a caller that goes away does not stop it half-way.
    let task = submission
        .run(value.presentations, request_id)
        .in_current_span();
    let outcome = tokio::spawn(task).await;
    outcome.unwrap_or_else(|_| Err((&request::INTERNAL).into()))
}

/// The response that carries an answer.
fn finished(
    app: &App,
    caller: &Caller,
    id: ulid::Ulid,
    row: &StoredVerification,
) -> Result<Response, Refusal> {
    let state = row.state(app.clock.second());
    let verification = Verification::of(id, row, state, &caller.tenant);
    match &row.outcome {
        Some(Outcome::Completed(completed)) => shown(&verification.with_result(completed)),
        Some(Outcome::Failed { .. }) => {
            Err(Refusal::from(&request::VERIFICATION_FAILED).about(path(id)))
        }
        _ => Err((&request::INTERNAL).into()),
    }
}

/// Evidence that is being judged. The verification is reserved meanwhile; however this ends, if no
/// answer was stored it awaits evidence again.
struct Submission {
    app: Arc<App>,
    caller: Caller,
    owned: Owned,
    key: Option<IdempotencyKey>,
    _reservation: Reservation<ulid::Ulid>,
}

impl Submission {
    async fn run(
        self,
        presented: Vec<PresentedEvidence>,
        request_id: Arc<str>,
    ) -> Result<Response, Refusal> {
        let inquiry = Arc::new(self.inquiry());
        let presented = presented.into_iter().map(Presented::from).collect();
        // In a task of its own, so that a defect ends the verification and not only the request.
        let judged = {
            let (app, tenant) = (Arc::clone(&self.app), Arc::clone(&self.caller.tenant));
            let inquiry = Arc::clone(&inquiry);
            let task =
                async move { evaluate(&app, &tenant, &inquiry, presented, &request_id).await };
            tokio::spawn(task.in_current_span()).await
        };
        let row = match judged {
            Ok(evaluated) => {
                let evaluated = evaluated.map_err(|refusal| refusal.about(self.owned.path()))?;
                let row = self.answered(&evaluated).await?;
                evaluated.stored(&self.app, &inquiry);
                row
            }
            Err(_) => self.broke().await?,
        };
        finished(&self.app, &self.caller, self.owned.id, &row)
    }

    fn inquiry(&self) -> Inquiry {
        let row = &self.owned.row;
        Inquiry {
            id: self.owned.id,
            party: Arc::clone(&self.caller.party),
            policy: row.policy.clone(),
            purpose: row.purpose.clone(),
            nonce: row.nonce.clone(),
            asked_at: Some(row.created_at),
            disclose: row.disclose.clone(),
            req_digest: row.req_digest,
        }
    }

    async fn answered(&self, evaluated: &Evaluated) -> Result<StoredVerification, Refusal> {
        let (now, row) = (self.app.clock.second(), &self.owned.row);
        let kept_until = now.saturating_add(evaluated.keep_seconds);
        let until = row.expires_at.max(now).saturating_add(NONCE_MEMORY);
        self.end(Ending {
            outcome: Outcome::Completed(evaluated.completed.clone()),
            kept_until,
            nonce: Some((nonce_key(&row.nonce), until, evaluated.nonce_use.clone())),
            idempotency: self
                .key
                .as_ref()
                .map(|key| key.record(self.owned.id, None, kept_until, now)),
        })
        .await
    }

    async fn broke(&self) -> Result<StoredVerification, Refusal> {
        // Not what the panic said: it may quote data.
        tracing::error!(verification = %self.owned.id, "an evaluation ended by a defect");
        self.end(Ending {
            outcome: Outcome::Failed {
                code: request::VERIFICATION_FAILED.code.to_owned(),
            },
            kept_until: self.owned.row.kept_until,
            nonce: None,
            idempotency: None,
        })
        .await
    }

    async fn end(&self, ending: Ending) -> Result<StoredVerification, Refusal> {
        let ended = self.app.store.end_verification(self.owned.id, ending);
        let row = ended.await?.map_err(|conflict| match conflict {
            Conflict::KeyUsed => in_use(),
            _ => Refusal::from(&request::STATE_CONFLICT).about(self.owned.path()),
        })?;
        self.app.open.leave(self.owned.id, &row);
        Ok(row)
    }
}
