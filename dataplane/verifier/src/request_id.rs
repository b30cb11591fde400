//! The id that ties the log lines of all programs to one request.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use ulid::Ulid;

/// The header that the edge sets.
pub(crate) const HEADER: &str = "x-request-id";

/// The longest id that is taken over, in bytes.
const LONGEST: usize = 64;

/// The id of a request: the edge's, or one made here for a request that came without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
        let plain = |id: &&str| {
            (1..=LONGEST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        };
        match given.filter(plain) {
            Some(id) => Self(id.into()),
            None => Self(Ulid::generate().to_string().into()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_edges_id_is_taken_over_and_a_strange_one_replaced() {
        let with = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, id.parse().unwrap());
            RequestId::of(&headers).0
        };
        assert_eq!(&*with("01JABC"), "01JABC");
        assert_eq!(with("has space").len(), 26);
        assert_eq!(with(&"x".repeat(65)).len(), 26);
        assert_eq!(RequestId::of(&HeaderMap::new()).0.len(), 26);
    }
}
