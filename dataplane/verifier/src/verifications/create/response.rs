//! The response to a question, the first time and again.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use pavilion_catalogue::request;
use ulid::Ulid;

use super::super::model::Verification;
use super::super::owned::path;
use crate::app::App;
use crate::problems::Refusal;
use crate::state::State;
use crate::store::{IdempotencyRecord, Outcome, StoredVerification};
use crate::tenant::Tenant;

/// The response to a request that was answered before.
pub(super) fn again(
    app: &App,
    tenant: &Tenant,
    earlier: &IdempotencyRecord,
) -> Result<Response, Refusal> {
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

/// The response that carries an answer.
pub(super) fn finished(
    tenant: &Tenant,
    id: Ulid,
    row: &StoredVerification,
) -> Result<Response, Refusal> {
    let verification = Verification::of(id, row, State::Completed, tenant);
    let verification = match &row.outcome {
        Some(Outcome::Completed(completed)) => verification.with_result(completed),
        _ => verification,
    };
    Ok(created(id, body_of(&verification)?))
}

/// A verification as the body of a response.
pub(super) fn body_of(verification: &Verification<'_>) -> Result<String, Refusal> {
    serde_json::to_string(verification).map_err(|_| (&request::INTERNAL).into())
}

/// The response that creates a verification.
pub(super) fn created(id: Ulid, body: String) -> Response {
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
