//! Refusals, as they leave: RFC 9457 problems with a stable code.
//!
//! Everything that refuses a request goes through [`Refusal`]: handlers, extractors, unknown paths
//! and methods, and a panic. No refusal carries a value out of a credential.

use std::any::Any;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use pavilion_catalogue::{Area, Entry, MEDIA_TYPE, Problem, find, request, token};
use serde_json::Value;

use crate::store::StoreError;

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Box<Refused>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    problem: Problem,
    /// The `error` of RFC 6749 section 5.2, at the token endpoint only.
    oauth: Option<&'static str>,
}

/// The code of a refusal, for the layer that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code(pub(crate) &'static str);

impl Refusal {
    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Its code.
    pub fn code(&self) -> &'static str {
        self.0.problem.code
    }

    /// The same about the thing at this path, unless it names one.
    #[must_use]
    pub fn about(mut self, path: impl Into<String>) -> Self {
        self.0.problem.instance.get_or_insert_with(|| path.into());
        self
    }

    /// The same as the token endpoint says it (RFC 6749 section 5.2).
    #[must_use]
    pub fn of_the_token_endpoint(mut self) -> Self {
        self.0.oauth = Some(oauth_error(self.code()));
        self
    }

    /// The refusal of a code that another room chose, with its words.
    pub fn of_code(code: &str, detail: impl Into<String>) -> Self {
        let Some(entry) = find(code).filter(|entry| entry.status != 0) else {
            tracing::error!(code, "a refusal has a code that cannot be told outward");
            return Problem::new(&request::INTERNAL).into();
        };
        Problem::new(entry).detail(detail).into()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(Refused {
            problem,
            oauth: None,
        }))
    }
}

impl From<&'static Entry> for Refusal {
    fn from(entry: &'static Entry) -> Self {
        Problem::new(entry).into()
    }
}

impl From<StoreError> for Refusal {
    fn from(_: StoreError) -> Self {
        Self::from(&request::STATE_UNAVAILABLE)
    }
}

fn oauth_error(code: &str) -> &'static str {
    match code {
        "client_invalid" | "assertion_replayed" => "invalid_client",
        "grant_unsupported" => "unsupported_grant_type",
        "internal_error" => "server_error",
        "not_configured" | "state_unavailable" | "overloaded" | "token_limit_reached" => {
            "temporarily_unavailable"
        }
        _ => "invalid_request",
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refused { problem, oauth } = *self.0;
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::from(body(&problem, oauth)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = problem.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, challenge(problem.code, oauth));
        }
        response.extensions_mut().insert(Code(problem.code));
        response
    }
}

fn body(problem: &Problem, oauth: Option<&'static str>) -> Vec<u8> {
    let Some(error) = oauth else {
        return problem.to_json();
    };
    let mut document = serde_json::to_value(problem).unwrap_or_default();
    if let Value::Object(members) = &mut document {
        members.insert("error".into(), error.into());
        members.insert("error_description".into(), problem.detail.clone().into());
    }
    document.to_string().into_bytes()
}

/// RFC 6750 section 3: a request without a token is told no error. Nor is one to the token endpoint:
/// no token was wrong there, and what was stands in the body (RFC 6749 section 5.2).
fn challenge(code: &str, oauth: Option<&str>) -> HeaderValue {
    let known = find(code).is_some_and(|entry| entry.area == Area::Token);
    if known && oauth.is_none() && code != token::MISSING.code {
        HeaderValue::from_static("Bearer error=\"invalid_token\"")
    } else {
        HeaderValue::from_static("Bearer")
    }
}

/// The answer to a path that does not exist.
pub(crate) async fn unknown_path() -> Refusal {
    Problem::new(&request::NOT_FOUND)
        .detail("There is no such path.")
        .into()
}

/// The answer to a method that a path does not take; the framework adds `Allow`.
pub(crate) async fn unknown_method() -> Refusal {
    Refusal::from(&request::METHOD_NOT_ALLOWED)
}

/// The answer to a request whose handler panicked. The panic's message is dropped: it may quote data.
pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Refusal::from(&request::INTERNAL).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::body::to_bytes;

    use super::*;

    async fn sent(refusal: Refusal) -> (http::response::Parts, Value) {
        let (parts, body) = refusal.into_response().into_parts();
        let body = to_bytes(body, 65_536).await.unwrap();
        (parts, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_refusal_is_a_problem_that_nobody_may_cache() {
        let refusal = Refusal::from(&request::OVERLOADED).about("/v1/verifications/1");
        let (parts, body) = sent(refusal.about("/other")).await;
        assert_eq!(parts.status, 503);
        assert_eq!(parts.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(parts.headers[CACHE_CONTROL], "no-store");
        assert_eq!(parts.headers[RETRY_AFTER], "1");
        assert_eq!(body["code"], "overloaded");
        assert_eq!(body["instance"], "/v1/verifications/1");
        assert!(body.get("error").is_none());
    }

    #[tokio::test]
    async fn a_refused_token_is_challenged_as_rfc_6750_says() {
        let (parts, _) = sent(Refusal::from(&token::MISSING)).await;
        assert_eq!(parts.headers[WWW_AUTHENTICATE], "Bearer");
        let (parts, _) = sent(Refusal::from(&token::INVALID)).await;
        assert_eq!(
            parts.headers[WWW_AUTHENTICATE],
            "Bearer error=\"invalid_token\""
        );
    }

    #[tokio::test]
    async fn the_token_endpoint_also_speaks_rfc_6749() {
        for (entry, error) in [
            (&token::CLIENT_INVALID, "invalid_client"),
            (&token::GRANT_UNSUPPORTED, "unsupported_grant_type"),
            (&token::REQUEST_INVALID, "invalid_request"),
            (&request::INTERNAL, "server_error"),
            (&request::STATE_UNAVAILABLE, "temporarily_unavailable"),
        ] {
            let (parts, body) = sent(Refusal::from(entry).of_the_token_endpoint()).await;
            let challenge = parts.headers.get(WWW_AUTHENTICATE);
            assert!(challenge.is_none_or(|challenge| challenge == "Bearer"));
            assert_eq!(body["error"], error);
            assert_eq!(body["error_description"], body["detail"]);
        }
    }

    #[test]
    fn a_code_that_is_no_problem_of_its_own_is_a_defect() {
        assert_eq!(
            Refusal::of_code("clause_not_met", "x").code(),
            "internal_error"
        );
        assert_eq!(
            Refusal::of_code("no such code", "x").code(),
            "internal_error"
        );
        assert_eq!(Refusal::of_code("over_asking", "x").problem().detail, "x");
        assert_eq!(Refusal::from(StoreError).code(), "state_unavailable");
        assert_eq!(panicked(Box::new("secret")).status(), 500);
    }
}
