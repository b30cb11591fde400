//! `GET /v1/verifications/{id}`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as FromApp;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use pavilion_catalogue::request;

use super::model::Verification;
use super::owned::{Owned, PathId};
use crate::app::App;
use crate::oauth::Caller;
use crate::openapi;
use crate::problems::Refusal;

/// Says where a verification stands. Its result is at `…/result`.
#[utoipa::path(
    get, path = "/v1/verifications/{id}", operation_id = "getVerification", tag = "verifications",
    params(openapi::VerificationId),
    responses(
        (status = 200, description = "The verification.", body = Verification),
        openapi::ReadProblems,
    ),
)]
pub(crate) async fn read(
    FromApp(app): FromApp<Arc<App>>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Response, Refusal> {
    let owned = Owned::find(&app, &caller, &id)?;
    let Owned { id, row, state } = &owned;
    shown(&Verification::of(*id, row, *state, &caller.tenant))
}

/// A verification as a response.
pub(super) fn shown(verification: &Verification<'_>) -> Result<Response, Refusal> {
    let body = serde_json::to_vec(verification).map_err(|_| Refusal::from(&request::INTERNAL))?;
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
