//! `POST /v1/verifications/{id}/evidence`.

use std::sync::Arc;

use axum::extract::State as FromApp;
use axum::response::Response;
use pavilion_catalogue::request;
use tracing::Instrument;

use super::create::{check_presentations, nonce_key};
use super::model::{EvidenceRequest, PresentedEvidence, Verification};
use super::owned::{Owned, PathId};
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
use crate::store::{Ending, Outcome, StoredVerification};
use crate::tenant::NONCE_MEMORY;

/// Sends the evidence of a verification.
///
/// It is judged once: the response is the finished verification. If a presentation does not belong
/// to it (422), or something needed is away (503), it keeps awaiting evidence.
#[utoipa::path(
    post, path = "/v1/verifications/{id}/evidence", operation_id = "submitEvidence", tag = "verifications",
    params(openapi::VerificationId),
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
    Json { value, .. }: Json<EvidenceRequest>,
) -> Result<Response, Refusal> {
    check_presentations(&value.presentations)?;
    let (owned, reservation) = Owned::reserve(&app, &caller, &id, Event::Submitted)?;
    let submission = Submission {
        app,
        caller,
        owned,
        _reservation: reservation,
    };
    // On its own task, so that a caller that goes away does not stop it half-way.
    let task = submission
        .run(value.presentations, request_id)
        .in_current_span();
    let outcome = tokio::spawn(task).await;
    outcome.unwrap_or_else(|_| Err((&request::INTERNAL).into()))
}

/// Evidence that is being judged. The verification is reserved meanwhile; however this ends, if no
/// answer was stored it awaits evidence again.
struct Submission {
    app: Arc<App>,
    caller: Caller,
    owned: Owned,
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
        let tenant = &self.caller.tenant;
        // In a task of its own, so that a defect ends the verification and not only the request.
        let judged = {
            let (app, tenant) = (Arc::clone(&self.app), Arc::clone(tenant));
            let task =
                async move { evaluate(&app, &tenant, &inquiry, presented, &request_id).await };
            tokio::spawn(task.in_current_span()).await
        };
        let row = match judged {
            Ok(evaluated) => {
                self.answered(evaluated.map_err(|refusal| refusal.about(self.owned.path()))?)
                    .await?
            }
            Err(_) => self.broke().await?,
        };
        let state = row.state(self.app.clock.second());
        let verification = Verification::of(self.owned.id, &row, state, tenant);
        match &row.outcome {
            Some(Outcome::Completed(completed)) => shown(&verification.with_result(completed)),
            _ => Err((&request::INTERNAL).into()),
        }
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

    async fn answered(&self, evaluated: Evaluated) -> Result<StoredVerification, Refusal> {
        let now = self.app.clock.second();
        let until = self
            .owned
            .row
            .expires_at
            .max(now)
            .saturating_add(NONCE_MEMORY);
        let ending = Ending {
            outcome: Outcome::Completed(evaluated.completed),
            kept_until: now.saturating_add(evaluated.keep_seconds),
            nonce: Some((nonce_key(&self.owned.row.nonce), until, evaluated.nonce_use)),
        };
        self.end(ending).await
    }

    async fn broke(&self) -> Result<StoredVerification, Refusal> {
        let ending = Ending {
            outcome: Outcome::Failed {
                code: request::INTERNAL.code.to_owned(),
            },
            kept_until: self.owned.row.kept_until,
            nonce: None,
        };
        self.end(ending).await
    }

    async fn end(&self, ending: Ending) -> Result<StoredVerification, Refusal> {
        match self
            .app
            .store
            .end_verification(self.owned.id, ending)
            .await?
        {
            Ok(row) => Ok(row),
            Err(_) => Err(Refusal::from(&request::STATE_CONFLICT).about(self.owned.path())),
        }
    }
}
