//! Reading request bodies: type and size first, then strictly.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pavilion_catalogue::{Problem, request};
use pavilion_json::{Digest, JsonError, JsonErrorKind, Limits};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::problems::Refusal;

/// How long a body may take to come whole. The edge bounds each pause; this bounds the sum.
const TIME_OUT: Duration = Duration::from_secs(30);

/// The largest form that is read, in bytes.
const FORM_BYTES: usize = 64 * 1024;

/// How long a form may take to come whole. It is read before anybody has proved anything, and is
/// small: one of that size comes in time at 6.4 KiB/s.
const FORM_TIME_OUT: Duration = Duration::from_secs(10);

/// A JSON body of one type, and the digest of its exact bytes.
pub(crate) struct Json<T> {
    pub(crate) value: T,
    pub(crate) digest: Digest,
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(incoming: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        expect_type(incoming.headers(), "application/json")?;
        let bytes = whole(incoming, app.max_body_bytes, TIME_OUT).await?;
        Ok(Self {
            value: read(&bytes, app.max_body_bytes)?,
            digest: Digest::of(&bytes),
        })
    }
}

/// Reads a JSON body of at most so many bytes.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8], limit: usize) -> Result<T, Refusal> {
    let limits = Limits {
        bytes: limit,
        ..Limits::REQUEST
    };
    pavilion_json::read(body, limits).map_err(|error| refused(&error))
}

/// A form body, not yet taken apart.
pub(crate) struct Form(pub(crate) Bytes);

impl FromRequest<Arc<App>> for Form {
    type Rejection = Refusal;

    async fn from_request(incoming: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        expect_type(incoming.headers(), "application/x-www-form-urlencoded")?;
        let limit = app.max_body_bytes.min(FORM_BYTES);
        whole(incoming, limit, FORM_TIME_OUT).await.map(Self)
    }
}

fn expect_type(headers: &HeaderMap, wanted: &'static str) -> Result<(), Refusal> {
    let named = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted));
    if named {
        return Ok(());
    }
    let detail = format!("This endpoint reads {wanted}.");
    Err(Problem::new(&request::CONTENT_TYPE_UNSUPPORTED)
        .detail(detail)
        .into())
}

async fn whole(incoming: Request, limit: usize, time_out: Duration) -> Result<Bytes, Refusal> {
    let body = Limited::new(incoming.into_body(), limit);
    match tokio::time::timeout(time_out, body.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("A body may have {limit} bytes here.");
            Err(Problem::new(&request::BODY_TOO_LARGE).detail(detail).into())
        }
        Ok(Err(_)) => Err(Problem::new(&request::BODY_MALFORMED)
            .detail("The body broke off.")
            .into()),
        Err(_) => Err((&request::BODY_TOO_SLOW).into()),
    }
}

fn refused(error: &JsonError) -> Refusal {
    let entry = match error.kind() {
        JsonErrorKind::TooLarge => &request::BODY_TOO_LARGE,
        JsonErrorKind::Shape => &request::BODY_INVALID,
        JsonErrorKind::TooDeep
        | JsonErrorKind::TooMany
        | JsonErrorKind::DuplicateKey
        | JsonErrorKind::NotUtf8
        | JsonErrorKind::Syntax => &request::BODY_MALFORMED,
    };
    let problem = Problem::new(entry).detail(format!("The body: {}.", error.message()));
    if error.path().is_empty() {
        problem.into()
    } else {
        problem.field(error.path()).into()
    }
}
