//! What of a message's header is passed on, and what the router says in its own name.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, SERVER,
    STRICT_TRANSPORT_SECURITY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use rustls_pki_types::CertificateDer;

/// The request id, ours towards the tenant and towards the client.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The client's certificate (RFC 9440 section 2.2).
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// The certificates that led to it (RFC 9440 section 2.3).
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// Two years, as preload lists ask for.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Fields that are about one connection only (RFC 9110 section 7.6.1), and old friends of theirs.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    TE,
    TRAILER,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
];

/// Fields by which a client could pretend to be the router.
const OURS: [HeaderName; 8] = [
    REQUEST_ID,
    CLIENT_CERT,
    CLIENT_CERT_CHAIN,
    FORWARDED,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];

/// What a connection proved about its client, ready for the header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    leaf: Option<HeaderValue>,
    chain: Option<HeaderValue>,
}

impl ClientCertificate {
    /// Structured-field byte sequences (RFC 9440 section 2.1, RFC 8941 section 3.3.5).
    pub(crate) fn new(certificates: &[CertificateDer<'_>]) -> Self {
        let item = |der: &CertificateDer<'_>| format!(":{}:", STANDARD.encode(der));
        let value = |text: String| HeaderValue::try_from(text).ok();
        let Some((leaf, rest)) = certificates.split_first() else {
            return Self::default();
        };
        let chain: Vec<_> = rest.iter().map(item).collect();
        Self {
            leaf: value(item(leaf)),
            chain: (!chain.is_empty())
                .then(|| value(chain.join(", ")))
                .flatten(),
        }
    }
}

/// Removes what is not for the tenant and says what the router vouches for.
pub(crate) fn prepare_request(
    headers: &mut HeaderMap,
    authority: &Authority,
    peer: SocketAddr,
    request_id: &HeaderValue,
    certificate: &ClientCertificate,
) {
    remove_hop_by_hop(headers);
    // Whether to go on was decided here, between the client and the router.
    headers.remove(EXPECT);
    remove_forged(headers);
    headers.insert(REQUEST_ID, request_id.clone());
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        headers.insert(HOST, host);
    }
    if let Ok(forwarded) = HeaderValue::try_from(forwarded(peer, authority)) {
        headers.insert(FORWARDED, forwarded);
    }
    if let Some(leaf) = &certificate.leaf {
        headers.insert(CLIENT_CERT, leaf.clone());
    }
    if let Some(chain) = &certificate.chain {
        headers.insert(CLIENT_CERT_CHAIN, chain.clone());
    }
}

/// Removes what is not for the client and says what holds for every answer of the edge.
pub(crate) fn prepare_response(headers: &mut HeaderMap, request_id: &HeaderValue) {
    remove_hop_by_hop(headers);
    headers.remove(SERVER);
    headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    headers.insert(REQUEST_ID, request_id.clone());
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().filter(|&name| *name != HOST) {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn remove_forged(headers: &mut HeaderMap) {
    for name in &OURS {
        headers.remove(name);
    }
    let forwarded: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-forwarded-"))
        .cloned()
        .collect();
    for name in &forwarded {
        headers.remove(name);
    }
}

/// RFC 7239 section 4.
fn forwarded(peer: SocketAddr, authority: &Authority) -> String {
    let mut text = match peer.ip().to_canonical() {
        IpAddr::V4(address) => format!("for={address}"),
        IpAddr::V6(address) => format!("for=\"[{address}]\""),
    };
    // Writing to a string does not fail.
    let _ = write!(text, ";host=\"{authority}\";proto=https");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn prepared(fields: &[(&str, &str)], certificate: &ClientCertificate) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let id = HeaderValue::from_static("01JX");
        let authority = Authority::from_static("a.example:8443");
        let peer = "[::ffff:192.0.2.7]:1234".parse().unwrap();
        prepare_request(&mut headers, &authority, peer, &id, certificate);
        headers
    }

    #[test]
    fn a_client_cannot_say_what_only_the_router_may_say() {
        let forged = [
            ("Client-Cert", ":Zm9yZ2Vk:"),
            ("Client-Cert-Chain", ":Zm9yZ2Vk:"),
            ("Forwarded", "for=10.0.0.1"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("X-Forwarded-Anything", "x"),
            ("X-Real-IP", "10.0.0.1"),
            ("X-Request-Id", "forged"),
            ("Traceparent", "00-1-1-01"),
        ];
        let headers = prepared(&forged, &ClientCertificate::default());
        assert_eq!(headers["x-request-id"], "01JX");
        assert_eq!(
            headers["forwarded"],
            "for=192.0.2.7;host=\"a.example:8443\";proto=https"
        );
        assert_eq!(headers["host"], "a.example:8443");
        assert_eq!(headers.len(), 3, "{headers:?}");
    }

    #[test]
    fn what_is_about_one_connection_stays_on_it() {
        let fields = [
            ("Connection", "close, X-Mine"),
            ("X-Mine", "1"),
            ("Keep-Alive", "5"),
            ("TE", "trailers"),
            ("Upgrade", "h2c"),
            ("Expect", "100-continue"),
            ("Accept", "application/json"),
            ("Content-Length", "3"),
        ];
        let headers = prepared(&fields, &ClientCertificate::default());
        assert_eq!(headers["accept"], "application/json");
        assert_eq!(headers["content-length"], "3");
        assert_eq!(headers.len(), 5, "{headers:?}");
    }

    #[test]
    fn a_connection_field_cannot_remove_the_host() {
        let fields = [("Host", "a.example"), ("Connection", "Host")];
        let headers = prepared(&fields, &ClientCertificate::default());
        assert_eq!(headers["host"], "a.example:8443");
    }

    #[test]
    fn a_certificate_is_written_as_rfc_9440_says() {
        let ders = [b"leaf".as_slice(), b"one", b"two"].map(CertificateDer::from_slice);
        let headers = prepared(&[], &ClientCertificate::new(&ders));
        assert_eq!(headers["client-cert"], ":bGVhZg==:");
        assert_eq!(headers["client-cert-chain"], ":b25l:, :dHdv:");
        assert_eq!(ClientCertificate::new(&[]), ClientCertificate::default());
    }

    #[test]
    fn an_answer_does_not_name_its_server() {
        let mut headers = HeaderMap::new();
        headers.insert(SERVER, HeaderValue::from_static("tenant/1.0"));
        headers.insert(REQUEST_ID, HeaderValue::from_static("theirs"));
        prepare_response(&mut headers, &HeaderValue::from_static("01JX"));
        assert!(!headers.contains_key(SERVER));
        assert_eq!(headers["x-request-id"], "01JX");
        assert_eq!(headers["strict-transport-security"], "max-age=63072000");
    }

    #[test]
    fn an_ipv6_client_is_quoted() {
        let text = forwarded(
            "[2001:db8::1]:5".parse().unwrap(),
            &Authority::from_static("a"),
        );
        assert_eq!(text, "for=\"[2001:db8::1]\";host=\"a\";proto=https");
    }
}
