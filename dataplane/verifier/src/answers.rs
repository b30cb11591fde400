//! `…/result` and `…/receipt`: the answer in the form that is asked for, and its proof.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as FromApp;
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use pavilion_catalogue::{Problem, request};
use pavilion_results::Projection;

use crate::app::App;
use crate::oauth::Caller;
use crate::openapi;
use crate::problems::Refusal;
use crate::state::State;
use crate::store::{Completed, Outcome};
use crate::verifications::{Owned, PathId};

/// The media type of the signed form that general JWT tools ask for.
const JWT: &str = "application/jwt";

/// The answer of a completed verification, signed or plain as `Accept` says; signed if it is silent.
#[utoipa::path(
    get,
    path = "/v1/verifications/{id}/result",
    operation_id = "getResult",
    tag = "verifications",
    params(openapi::VerificationId),
    responses(openapi::ResultForms, openapi::ResultProblems)
)]
pub(crate) async fn result(
    FromApp(app): FromApp<Arc<App>>,
    caller: Caller,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let accept = accept(&headers);
    let form = Projection::negotiate(accept.as_deref())
        .ok_or_else(|| Refusal::from(&request::NOT_ACCEPTABLE))?;
    let completed = completed(&app, &caller, &id)?;
    let mut response = match form {
        Projection::Jwt => sent(completed.jws, signed_type(accept.as_deref())),
        Projection::Json => {
            let answer = completed
                .answer()
                .ok_or_else(|| Refusal::from(&request::INTERNAL))?;
            sent(answer, Projection::Json.media_type())
        }
    };
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// The log's receipt of a completed verification: a C2SP `tlog-proof`.
#[utoipa::path(
    get, path = "/v1/verifications/{id}/receipt", operation_id = "getReceipt", tag = "verifications",
    params(openapi::VerificationId),
    responses(
        (status = 200, description = "The receipt.", body = String, content_type = "text/plain"),
        openapi::ReceiptProblems,
    ),
)]
pub(crate) async fn receipt(
    FromApp(app): FromApp<Arc<App>>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Response, Refusal> {
    let completed = completed(&app, &caller, &id)?;
    Ok(sent(completed.receipt, "text/plain; charset=utf-8"))
}

/// Several `Accept` fields are one list (RFC 9110 section 5.3); one that is not text accepts nothing.
pub(crate) fn accept(headers: &HeaderMap) -> Option<String> {
    let fields: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .map(|value| value.to_str().unwrap_or("unreadable/unreadable"))
        .collect();
    (!fields.is_empty()).then(|| fields.join(","))
}

/// The name that the asker used for the signed form.
pub(crate) fn signed_type(accept: Option<&str>) -> &'static str {
    let own = Projection::Jwt.media_type();
    let asked = accept.is_some_and(|accept| accept.to_ascii_lowercase().contains(own));
    if asked { own } else { JWT }
}

fn completed(app: &App, caller: &Caller, id: &str) -> Result<Completed, Refusal> {
    let owned = Owned::find(app, caller, id)?;
    let path = owned.path();
    match (owned.state, owned.row.outcome) {
        (_, Some(Outcome::Completed(completed))) => Ok(completed),
        (_, Some(Outcome::Failed { .. })) => {
            Err(ended("It failed; there is no result.").about(path))
        }
        (_, Some(Outcome::Cancelled)) => {
            Err(ended("It was cancelled; there is no result.").about(path))
        }
        (State::Expired, None) => Err(Refusal::from(&request::VERIFICATION_EXPIRED).about(path)),
        (_, None) => Err(Refusal::from(&request::RESULT_NOT_READY).about(path)),
    }
}

fn ended(detail: &str) -> Refusal {
    Problem::new(&request::STATE_CONFLICT).detail(detail).into()
}

fn sent(body: String, media_type: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
