//! Refusals in the router's own name (RFC 9457).

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;
use pavilion_bundle::Closed;
use pavilion_catalogue::{Entry, MEDIA_TYPE, Problem, edge, request};

use crate::http1::Refusal;

/// The methods that anything behind the edge takes.
const METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, HEAD, POST");

/// A refusal that is on its way to becoming an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    entry: &'static Entry,
    detail: Option<&'static str>,
    is_wanted: bool,
}

impl From<&'static Entry> for Refused {
    fn from(entry: &'static Entry) -> Self {
        Self {
            entry,
            detail: None,
            is_wanted: false,
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            detail: Some(refusal.detail),
            ..refusal.entry.into()
        }
    }
}

impl From<Closed> for Refused {
    fn from(closed: Closed) -> Self {
        let entry = match closed {
            Closed::Suspended => &edge::TENANT_SUSPENDED,
            Closed::Hibernated => &edge::TENANT_HIBERNATED,
            Closed::Terminating => &edge::TENANT_TERMINATING,
            Closed::Starting => &edge::TENANT_STARTING,
        };
        Self {
            is_wanted: closed.is_wanted(),
            ..entry.into()
        }
    }
}

impl Refused {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.entry.code
    }

    /// Whether the tenant's owner asked for this refusal, so that nothing is amiss.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// The entry, with what is wrong this time.
    pub(crate) fn because(entry: &'static Entry, detail: &'static str) -> Self {
        Self {
            detail: Some(detail),
            ..entry.into()
        }
    }

    /// True when the same HTTP/1 connection is of no more use: nothing else on it can be trusted
    /// either, or the rest of a body that nobody wants would have to be read first.
    pub(crate) fn ends_connection(&self) -> bool {
        [
            edge::REQUEST_MALFORMED,
            request::BODY_TOO_LARGE,
            request::BODY_TOO_SLOW,
        ]
        .contains(self.entry)
    }

    fn problem(&self) -> Problem {
        let problem = Problem::new(self.entry);
        match self.detail {
            Some(detail) => problem.detail(detail),
            None => problem,
        }
    }

    /// The answer that carries it.
    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        let problem = self.problem();
        let mut response = Response::new(Full::new(problem.to_json().into()));
        *response.status_mut() =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if *self.entry == request::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, METHODS);
        }
        if let Some(seconds) = problem.retry_after_seconds {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    /// The same as the bytes of an HTTP/1.1 message that closes the connection.
    pub(crate) fn message(&self, request_id: &str) -> Vec<u8> {
        let problem = self.problem();
        let body = problem.to_json();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut message = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nstrict-transport-security: max-age=63072000\r\n\
             x-request-id: {request_id}\r\nconnection: close\r\n\r\n",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default(),
            body.len(),
        )
        .into_bytes();
        message.extend_from_slice(&body);
        message
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_closed_host_is_refused_with_the_code_that_its_route_says() {
        for closed in Closed::ALL {
            let refused = Refused::from(closed);
            let code = serde_json::to_value(closed).unwrap();
            assert_eq!(refused.code(), code.as_str().unwrap());
            let response = refused.response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            let says_when = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(says_when, closed == Closed::Starting, "{closed:?}");
        }
    }
}
