//! Which client may come in.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::crypto;

/// id-kp-clientAuth (RFC 5280 section 4.2.1.12), the DER of the object identifier's content.
const CLIENT_AUTHENTICATION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// Lets exactly one client in: its certificate chains to the roots, is in force, says that it is for
/// clients, and carries the DNS name.
///
/// rustls' own verifier takes a certificate that does not say what it is for, and looks at no name.
#[derive(Debug)]
pub(super) struct OnlyThisClient {
    roots: Arc<RootCertStore>,
    name: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl OnlyThisClient {
    /// The client `name`, for whom `roots` vouch.
    pub(super) fn new(roots: Arc<RootCertStore>, name: &str) -> Self {
        Self {
            roots,
            name: name.to_owned(),
            algorithms: crypto::provider().signature_verification_algorithms,
        }
    }

    /// The name stands there as it is; a wildcard that covers it is not meant for one client.
    fn is_named(&self, leaf: &EndEntityCert<'_>) -> bool {
        leaf.valid_dns_names()
            .any(|name| name.eq_ignore_ascii_case(&self.name))
    }
}

impl ClientCertVerifier for OnlyThisClient {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Whoever may come has one certificate and needs no hint; nobody else needs to know.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let leaf = EndEntityCert::try_from(end_entity).map_err(refused)?;
        leaf.verify_for_usage(
            self.algorithms.all,
            &self.roots.roots,
            intermediates,
            now,
            KeyUsage::required(CLIENT_AUTHENTICATION),
            None,
            None,
        )
        .map_err(refused)?;
        if self.is_named(&leaf) {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::NotValidForName.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // TLS 1.2 is not spoken.
        Err(PeerIncompatible::SupportedVersionsExtensionRequired.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The kinds that become an alert of their own (RFC 8446 section 6.2).
fn refused(error: webpki::Error) -> Error {
    use webpki::Error as Webpki;
    match error {
        Webpki::CertExpired { .. } => CertificateError::Expired,
        Webpki::CertNotValidYet { .. } => CertificateError::NotValidYet,
        Webpki::UnknownIssuer => CertificateError::UnknownIssuer,
        Webpki::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        Webpki::BadDer | Webpki::BadDerTime => CertificateError::BadEncoding,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    }
    .into()
}
