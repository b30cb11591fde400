//! The metadata every call carries.
//!
//! `x-request-id` ties the log lines of all programs to one outward request; `pavilion-code` brings
//! the catalogue's stable code back when a call fails.

use pavilion_process::traces;
use tonic::metadata::{AsciiMetadataKey, MetadataMap, MetadataValue};
use tonic::{Code, Request, Status};
use tracing::Span;

/// Metadata key of the request id.
pub const REQUEST_ID: &str = "x-request-id";

/// Metadata key of the stable error code.
pub const CODE: &str = "pavilion-code";

/// The longest request id that is passed on, in bytes; the router makes 26 (a ULID).
const MAX_REQUEST_ID: usize = 64;

/// A gRPC request that carries `request_id` and, where traces are on, the current span's context.
/// An id that is not short visible ASCII is left out.
pub fn request<T>(message: T, request_id: &str) -> Request<T> {
    let mut request = Request::new(message);
    if is_request_id(request_id)
        && let Ok(value) = MetadataValue::try_from(request_id)
    {
        request.metadata_mut().insert(REQUEST_ID, value);
    }
    traces::inject(&Span::current(), &mut |key, value| {
        if let (Ok(key), Ok(value)) = (key.parse::<AsciiMetadataKey>(), value.parse()) {
            request.metadata_mut().insert(key, value);
        }
    });
    request
}

/// The request id a call carries, if it is a plain one.
pub fn request_id_of<T>(request: &Request<T>) -> Option<&str> {
    request
        .metadata()
        .get(REQUEST_ID)?
        .to_str()
        .ok()
        .filter(|id| is_request_id(id))
}

/// A failure with the catalogue's stable `code`. The message is for logs: no subject data.
pub fn status_with_code(grpc: Code, code: &str, message: impl Into<String>) -> Status {
    let mut metadata = MetadataMap::new();
    if let Ok(value) = MetadataValue::try_from(code) {
        metadata.insert(CODE, value);
    }
    Status::with_metadata(grpc, message, metadata)
}

/// The stable code a failure carries; `None` when the other side never answered.
pub fn code_of(status: &Status) -> Option<&str> {
    status.metadata().get(CODE)?.to_str().ok()
}

pub(crate) fn is_request_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_request_id_travels_with_the_call() {
        let call = request((), "01JZZZZZZZZZZZZZZZZZZZZZZZ");
        assert_eq!(request_id_of(&call), Some("01JZZZZZZZZZZZZZZZZZZZZZZZ"));
    }

    #[test]
    fn an_id_that_could_forge_a_log_line_is_left_out() {
        for bad in ["", "a b", "a\nb", "ä", &"x".repeat(65)] {
            assert_eq!(request_id_of(&request((), bad)), None, "{bad:?}");
        }
    }

    #[test]
    fn an_id_set_by_a_foreign_client_is_checked_on_arrival() {
        let mut call = Request::new(());
        let long = MetadataValue::try_from("x".repeat(65)).unwrap();
        call.metadata_mut().insert(REQUEST_ID, long);
        assert_eq!(request_id_of(&call), None);
    }

    #[test]
    fn a_failure_carries_its_stable_code() {
        let status = status_with_code(Code::ResourceExhausted, "signer_queue_full", "32 waiting");
        assert_eq!(code_of(&status), Some("signer_queue_full"));
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(code_of(&Status::unavailable("gone")), None);
    }
}
