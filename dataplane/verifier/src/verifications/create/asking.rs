//! A question without its evidence: a verification that awaits it.

use axum::response::Response;
use pavilion_catalogue::request;

use super::super::idempotency::IdempotencyKey;
use super::super::model::Verification;
use super::super::presentations::nonce_key;
use super::response::{body_of, created};
use super::{refused, row};
use crate::app::App;
use crate::evaluate::Inquiry;
use crate::problems::Refusal;
use crate::state::{Event, State};
use crate::store::{NonceUse, Opening};
use crate::tenant::{NONCE_MEMORY, Tenant};

/// Opens a verification that awaits evidence.
pub(super) async fn ask(
    app: &App,
    tenant: &Tenant,
    inquiry: &Inquiry,
    key: Option<IdempotencyKey>,
) -> Result<Response, Refusal> {
    let state = State::Created.on(Event::Asked);
    let state = state.ok_or_else(|| Refusal::from(&request::INTERNAL))?;
    let now = app.clock.second();
    let verification = row(tenant, inquiry, now);
    let body = body_of(&Verification::of(inquiry.id, &verification, state, tenant))?;
    let kept_until = verification.kept_until;
    let opening = Opening {
        id: inquiry.id,
        nonce: nonce_key(&inquiry.nonce),
        nonce_use: NonceUse::default(),
        nonce_until: verification.expires_at.saturating_add(NONCE_MEMORY),
        verification,
        idempotency: key
            .as_ref()
            .map(|key| key.record(inquiry.id, Some(body.clone()), kept_until, now)),
    };
    match app.store.open_verification(opening).await? {
        Ok(()) => Ok(created(inquiry.id, body)),
        Err(conflict) => Err(refused(&conflict)),
    }
}
