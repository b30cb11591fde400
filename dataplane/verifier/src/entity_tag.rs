//! Entity tags and `If-None-Match` (RFC 9110 sections 8.8.3 and 13.1.2).

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use pavilion_json::Digest;

/// The strong tag of a document: it changes when a byte of the document does.
pub(crate) struct EntityTag(String);

impl EntityTag {
    /// The tag of the document with this digest.
    pub(crate) fn of(digest: &Digest) -> Self {
        Self(digest.to_string())
    }

    /// Whether `If-None-Match` names it. The comparison is weak: `W/` says nothing here.
    fn is_known(&self, asked: &HeaderMap) -> bool {
        let mut fields = asked.get_all(IF_NONE_MATCH).iter();
        fields.any(|field| names(field.as_bytes(), self.0.as_bytes()))
    }
}

/// Whether a field is `*` or a list with this tag. Of a malformed one, what stands before the fault
/// counts.
fn names(field: &[u8], tag: &[u8]) -> bool {
    let mut rest = field.trim_ascii();
    if rest == b"*" {
        return true;
    }
    while let Some((opaque, after)) = first(rest) {
        if opaque == tag {
            return true;
        }
        let Some(next) = after.trim_ascii_start().strip_prefix(b",") else {
            return false;
        };
        rest = next;
    }
    false
}

/// The text of the first tag of a list, without its quotes, and what follows it. Empty elements are
/// skipped (RFC 9110 section 5.6.1.2).
fn first(mut list: &[u8]) -> Option<(&[u8], &[u8])> {
    list = list.trim_ascii_start();
    while let Some(next) = list.strip_prefix(b",") {
        list = next.trim_ascii_start();
    }
    let quoted = list.strip_prefix(b"W/").unwrap_or(list);
    let opened = quoted.strip_prefix(b"\"")?;
    let end = opened.iter().position(|byte| *byte == b'"')?;
    let (opaque, closing) = opened.split_at(end);
    Some((opaque, closing.strip_prefix(b"\"")?))
}

/// A document that may be kept: itself, or 304 where the one that the asker has is still good.
pub(crate) fn unless_known(
    asked: &HeaderMap,
    tag: &EntityTag,
    media_type: &'static str,
    caching: &'static str,
    document: Bytes,
) -> Response {
    let mut response = if tag.is_known(asked) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(document));
        let media_type = HeaderValue::from_static(media_type);
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", tag.0)) {
        headers.insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tag_is_found_alone_in_a_list_weak_or_by_a_star() {
        for field in [
            "*",
            " * ",
            "\"a\"",
            "W/\"a\"",
            "\"b\", \"a\"",
            "\"b\",W/\"a\"",
            ", ,\t\"b\" , \"a\",",
            "\"b,\", \"a\"",
            "W/\"\", \"a\" rubbish",
        ] {
            assert!(names(field.as_bytes(), b"a"), "{field}");
        }
    }

    #[test]
    fn what_is_no_tag_or_another_one_is_not_found() {
        for field in [
            "",
            ",",
            "a",
            "\"a",
            "a\"",
            "\"A\"",
            "\"aa\"",
            "w/\"a\"",
            "W/ \"a\"",
            "W/a",
            "*, \"b\"",
            "\"b\", *",
            "\"b\" \"a\"",
            "\"b, \"a\"",
            "'a'",
        ] {
            assert!(!names(field.as_bytes(), b"a"), "{field}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_asked_with(field in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = names(&field, b"a");
        }

        #[test]
        fn a_tag_is_found_wherever_it_stands_in_a_list(
            before in prop::collection::vec("(W/)?\"[!#-~]{0,8}\"", 0..4),
            after in prop::collection::vec("(W/)?\"[!#-~]{0,8}\"", 0..4),
            weak in any::<bool>(),
        ) {
            let own = if weak { "W/\"own tag\"" } else { "\"own tag\"" };
            let list = [before, vec![own.to_owned()], after].concat().join(" , ");
            prop_assert!(names(list.as_bytes(), b"own tag"));
            prop_assert!(!names(list.as_bytes(), b"no such tag"));
        }
    }
}
