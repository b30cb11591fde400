//! What one side shows and whom it trusts, and the TLS configurations made of it.

use std::path::Path;
use std::sync::Arc;

use pavilion_json::Digest;
use rustls::client::Resumption;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use serde_json::{Value, json};

use super::client::OnlyThisClient;
use crate::crypto;
use crate::pem::PemFile;

/// What is spoken once both sides have proven who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, and on it gRPC.
    Http2,
}

impl Protocol {
    /// Its name in ALPN (RFC 7301 section 6, RFC 9113 section 3.1).
    fn alpn(self) -> Vec<u8> {
        match self {
            Self::Http1 => b"http/1.1".to_vec(),
            Self::Http2 => b"h2".to_vec(),
        }
    }
}

/// The three files of one side, as they were when they were read.
pub struct Credentials {
    ca: PemFile,
    certificate: PemFile,
    key: PemFile,
    protocol: Protocol,
}

impl Credentials {
    /// Reads the certificates that vouch for the other side, and the own chain and key.
    ///
    /// # Errors
    /// Which file cannot be read, and why.
    pub fn read(ca: &Path, certificate: &Path, key: &Path) -> Result<Self, String> {
        Ok(Self {
            ca: PemFile::read(ca)?,
            certificate: PemFile::read(certificate)?,
            key: PemFile::read(key)?,
            protocol: Protocol::default(),
        })
    }

    /// The same three in PEM that came another way than by file.
    ///
    /// # Errors
    /// Which of them is too large.
    pub fn given(ca: &[u8], certificate: &[u8], key: &[u8]) -> Result<Self, String> {
        Ok(Self {
            ca: PemFile::given("ca.crt", ca)?,
            certificate: PemFile::given("tls.crt", certificate)?,
            key: PemFile::given("tls.key", key)?,
            protocol: Protocol::default(),
        })
    }

    /// For connections on which this is spoken; HTTP/1.1 unless said.
    #[must_use]
    pub fn speaking(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// Tells one content of the files from another.
    pub fn digest(&self) -> [Digest; 3] {
        [&self.ca, &self.certificate, &self.key].map(PemFile::digest)
    }

    /// What a program tells its operator about a set in force: whoever changes roots must know which
    /// programs trust the new one before it shows certificates of it. The key is left out.
    pub(super) fn told(&self) -> Value {
        json!({
            "clientCaFile": self.ca.digest().to_string(),
            "certificateFile": self.certificate.digest().to_string(),
        })
    }
}

/// How a client proves itself and checks the server: its chain against the own roots alone.
///
/// # Errors
/// Which file is of no use, and why.
pub fn client_config(credentials: &Credentials) -> Result<Arc<ClientConfig>, String> {
    let own = credentials.certificate.certify(&credentials.key)?;
    let mut config = ClientConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_root_certificates(credentials.ca.roots()?)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols = vec![credentials.protocol.alpn()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// How a server proves itself, and checks that its client is `client_name`.
///
/// # Errors
/// Which file is of no use, and why.
pub fn server_config(
    credentials: &Credentials,
    client_name: &str,
) -> Result<Arc<ServerConfig>, String> {
    let own = credentials.certificate.certify(&credentials.key)?;
    let client = OnlyThisClient::new(credentials.ca.roots()?, client_name);
    let mut config = ServerConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(Arc::new(client))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols = vec![credentials.protocol.alpn()];
    // A resumed session would keep a client in whose certificate is no longer good.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
