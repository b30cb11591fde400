//! A question with its evidence: a verification that is answered at once.

use std::sync::Arc;

use axum::response::Response;
use pavilion_catalogue::{Problem, presentation};
use pavilion_json::Digest;

use super::super::idempotency::IdempotencyKey;
use super::super::model::PresentedEvidence;
use super::super::presentations::nonce_key;
use super::response::finished;
use super::{nonce_reused, refused, row};
use crate::app::App;
use crate::evaluate::{Inquiry, Presented, evaluate};
use crate::problems::Refusal;
use crate::store::{NonceUse, Opening, Outcome};
use crate::tenant::{NONCE_MEMORY, Tenant};

/// A verification that is answered at once.
pub(super) struct Answering {
    pub(super) app: Arc<App>,
    pub(super) tenant: Arc<Tenant>,
    pub(super) inquiry: Arc<Inquiry>,
    pub(super) key: Option<IdempotencyKey>,
}

impl Answering {
    pub(super) async fn run(
        self,
        presented: Vec<PresentedEvidence>,
        request_id: Arc<str>,
    ) -> Result<Response, Refusal> {
        let Self {
            app,
            tenant,
            inquiry,
            key,
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
        let kept_until = now.saturating_add(evaluated.keep_seconds);
        verification.end(Outcome::Completed(evaluated.completed.clone()), kept_until);
        let opening = Opening {
            id: inquiry.id,
            nonce,
            nonce_use: evaluated.nonce_use.clone(),
            nonce_until: now.saturating_add(NONCE_MEMORY),
            verification: verification.clone(),
            idempotency: key
                .as_ref()
                .map(|key| key.record(inquiry.id, None, kept_until, now)),
        };
        match app.store.open_verification(opening).await? {
            Ok(()) => {
                evaluated.stored(app, inquiry);
                finished(tenant, inquiry.id, &verification)
            }
            Err(conflict) => Err(refused(&conflict)),
        }
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
