//! The client certificate that the edge passes on (RFC 9440).
//!
//! The edge takes these headers off every incoming request and sets them from its own TLS
//! connection, and nobody but the edge can connect to this program's socket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use pavilion_json::Digest;

const CERTIFICATE: &str = "client-cert";
const CHAIN: &str = "client-cert-chain";

/// The most certificates between a client's and its authority.
const MAX_CHAIN: usize = 4;

/// A client certificate in DER, and what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    pub(crate) der: Vec<u8>,
    pub(crate) chain: Vec<Vec<u8>>,
}

impl ClientCertificate {
    /// The certificate of this request's connection. `None` without one, or if the header is not
    /// of the standard's form: then it proves nothing.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let der = byte_sequence(headers.get(CERTIFICATE)?.to_str().ok()?)?;
        let chain = match headers.get(CHAIN) {
            None => Vec::new(),
            Some(list) => {
                let items = list.to_str().ok()?.split(',');
                items.map(byte_sequence).collect::<Option<Vec<_>>>()?
            }
        };
        (chain.len() <= MAX_CHAIN).then_some(Self { der, chain })
    }

    /// Its thumbprint, `x5t#S256` (RFC 8705 section 3.1).
    pub(super) fn thumbprint(&self) -> Digest {
        Digest::of(&self.der)
    }
}

/// A byte sequence (RFC 9651 section 3.3.5): `:`, base64, `:`.
fn byte_sequence(text: &str) -> Option<Vec<u8>> {
    let inner = text.trim().strip_prefix(':')?.strip_suffix(':')?;
    STANDARD.decode(inner).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(certificate: &str, chain: Option<&str>) -> Option<ClientCertificate> {
        let mut headers = HeaderMap::new();
        headers.insert(CERTIFICATE, certificate.parse().unwrap());
        if let Some(chain) = chain {
            headers.insert(CHAIN, chain.parse().unwrap());
        }
        ClientCertificate::of(&headers)
    }

    #[test]
    fn a_certificate_and_its_chain_are_read_as_rfc_9440_writes_them() {
        let read = of(":AQI=:", Some(":AwQ=:, :BQY=:")).unwrap();
        assert_eq!(read.der, [1, 2]);
        assert_eq!(read.chain, [[3, 4], [5, 6]]);
        assert_eq!(read.thumbprint(), Digest::of(&[1, 2]));
    }

    #[test]
    fn any_other_form_proves_nothing() {
        assert_eq!(ClientCertificate::of(&HeaderMap::new()), None);
        for bad in ["AQI=", ":AQI:", ":AQI=", ""] {
            assert_eq!(of(bad, None), None, "{bad}");
        }
        assert_eq!(of(":AQI=:", Some("x")), None);
        assert_eq!(
            of(":AQI=:", Some(":AQ==:,:AQ==:,:AQ==:,:AQ==:,:AQ==:")),
            None
        );
    }
}
