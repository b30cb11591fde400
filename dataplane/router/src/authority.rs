//! Which host a request names.

use http::header::HOST;
use http::uri::Authority;
use http::{Request, Version};

/// Why a request's host cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unclear(pub(crate) &'static str);

/// The host and port a request names, as it wrote them.
///
/// It is named once, or twice in the same words: in `Host` (RFC 9110 section 7.2), in `:authority`
/// (RFC 9113 section 8.3.1) or in an absolute request target (RFC 9112 section 3.2.2).
pub(crate) fn authority<B>(request: &Request<B>) -> Result<Authority, Unclear> {
    let target = request.uri().authority();
    let mut fields = request.headers().get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Unclear("more than one Host field"));
    }
    let field = field
        .map(|value| Authority::try_from(value.as_bytes()))
        .transpose()
        .map_err(|_| Unclear("the Host field is not a host"))?;
    let authority = match (target, field) {
        (Some(target), Some(field)) if *target != field => {
            return Err(Unclear("the request target and the Host field disagree"));
        }
        (Some(target), _) => target.clone(),
        (None, Some(field)) if request.version() < Version::HTTP_2 => field,
        (None, Some(_)) => return Err(Unclear("no :authority")),
        (None, None) => return Err(Unclear("no Host")),
    };
    if authority.as_str().contains('@') {
        return Err(Unclear("the host has user information"));
    }
    Ok(authority)
}

/// The host alone, in the form route tables use.
pub(crate) fn host_name(authority: &Authority) -> String {
    authority.host().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn named(version: Version, target: &str, hosts: &[&str]) -> Result<String, Unclear> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        authority(&request.body(()).unwrap()).map(|authority| host_name(&authority))
    }

    #[test]
    fn the_port_and_the_case_of_a_host_do_not_matter() {
        let named = named(Version::HTTP_11, "/", &["Verify.ACME.example:8443"]);
        assert_eq!(named.unwrap(), "verify.acme.example");
    }

    #[test]
    fn a_host_named_twice_must_be_the_same() {
        let same = named(Version::HTTP_11, "https://a.example/", &["a.example"]);
        assert_eq!(same.unwrap(), "a.example");
        assert!(named(Version::HTTP_11, "https://a.example/", &["b.example"]).is_err());
        assert!(named(Version::HTTP_2, "https://a.example/", &["b.example"]).is_err());
        assert!(named(Version::HTTP_11, "/", &["a.example", "a.example"]).is_err());
    }

    #[test]
    fn a_host_that_is_missing_or_no_host_is_refused() {
        assert!(named(Version::HTTP_11, "/", &[]).is_err());
        assert!(named(Version::HTTP_2, "/", &["a.example"]).is_err());
        assert!(named(Version::HTTP_11, "/", &[""]).is_err());
        assert!(named(Version::HTTP_11, "/", &["a b"]).is_err());
        assert!(named(Version::HTTP_11, "/", &["user@a.example"]).is_err());
    }
}
