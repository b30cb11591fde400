//! `DELETE /v1/verifications/{id}`.

use std::sync::Arc;

use axum::extract::State as FromApp;
use http::StatusCode;
use pavilion_catalogue::request;

use super::owned::{Owned, PathId};
use crate::app::App;
use crate::oauth::Caller;
use crate::openapi;
use crate::problems::Refusal;
use crate::state::Event;
use crate::store::{Ending, Outcome};

/// Calls a verification off, or deletes one that has ended.
///
/// One that awaits evidence becomes `cancelled` and can still be read. One that has ended is
/// deleted before its time; the log keeps its content-free entry.
#[utoipa::path(
    delete, path = "/v1/verifications/{id}", operation_id = "deleteVerification", tag = "verifications",
    params(openapi::VerificationId),
    responses(
        (status = 204, description = "It is cancelled, or deleted."),
        openapi::DeleteProblems,
    ),
)]
pub(crate) async fn cancel(
    FromApp(app): FromApp<Arc<App>>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<StatusCode, Refusal> {
    let (owned, _reservation) = Owned::reserve(&app, &caller, &id)?;
    if owned.state.is_final() {
        app.store.remove_verification(owned.id).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    owned.allows(Event::CalledOff)?;
    let ending = Ending {
        outcome: Outcome::Cancelled,
        kept_until: owned.row.kept_until,
        nonce: None,
        idempotency: None,
    };
    match app.store.end_verification(owned.id, ending).await? {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(_) => Err(Refusal::from(&request::STATE_CONFLICT).about(owned.path())),
    }
}
