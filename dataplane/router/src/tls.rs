//! TLS towards clients.
//!
//! Each host has a configuration of its own, with its own certificate and its own ticket keys, so
//! that nothing of one tenant's sessions is worth anything at another's. A client certificate is
//! only ever proven to be in the client's possession here; whom to trust is the tenant's decision.

use std::sync::Arc;

use pavilion_process::crypto;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};

use crate::config::TlsMinVersion;

/// HTTP/2 in ALPN (RFC 9113 section 3.1).
pub(crate) const H2: &[u8] = b"h2";

/// HTTP/1.1 in ALPN (RFC 7301 section 6).
const HTTP11: &[u8] = b"http/1.1";

/// The most certificates a client may send, its own included.
const MAX_CLIENT_CHAIN: usize = 5;

/// The most bytes they may have together; they travel on in a header.
const MAX_CLIENT_CHAIN_BYTES: usize = 12 * 1024;

/// A fatal `unrecognized_name` alert (RFC 6066 section 3) before any key is agreed.
pub(crate) const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// A fatal `missing_extension` alert (RFC 8446 section 6.2).
pub(crate) const MISSING_EXTENSION: [u8; 7] = [21, 3, 3, 0, 2, 2, 109];

/// The configuration for one host.
pub(crate) fn server_config(
    certificate: Arc<CertifiedKey>,
    request_client_certificate: bool,
    oldest: TlsMinVersion,
) -> Result<Arc<ServerConfig>, Error> {
    let builder = ServerConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(versions(oldest))?;
    let builder = if request_client_certificate {
        builder.with_client_cert_verifier(Arc::new(PossessionOnly(crypto::provider())))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certificate)));
    config.alpn_protocols = vec![H2.to_vec(), HTTP11.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    config.require_ems = true;
    Ok(Arc::new(config))
}

fn versions(oldest: TlsMinVersion) -> &'static [&'static SupportedProtocolVersion] {
    static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match oldest {
        TlsMinVersion::Tls13 => &NEW,
        TlsMinVersion::Tls12 => &BOTH,
    }
}

/// Lets any certificate pass whose key the client holds; the handshake's signature proves that.
#[derive(Debug)]
struct PossessionOnly(Arc<CryptoProvider>);

impl ClientCertVerifier for PossessionOnly {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let bytes = end_entity.len() + intermediates.iter().map(|der| der.len()).sum::<usize>();
        if intermediates.len() >= MAX_CLIENT_CHAIN || bytes > MAX_CLIENT_CHAIN_BYTES {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
