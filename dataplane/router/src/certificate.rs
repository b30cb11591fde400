//! A host's certificate and key, from their files.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use pavilion_bundle::{Certificate, HostName};
use pavilion_json::Digest;
use pavilion_process::pem::PemFile;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::config::Config;

/// What both files hold.
pub(crate) struct Files {
    chain: PemFile,
    key: PemFile,
}

/// What tells one state of a file from another without reading it.
pub(crate) type Stamp = Option<(u64, i64, i64)>;

/// The state of the file at this moment.
pub(crate) fn stamp(path: &str) -> Stamp {
    let file = std::fs::metadata(path).ok()?;
    Some((file.ino(), file.ctime(), file.ctime_nsec()))
}

impl Files {
    /// Reads both.
    pub(crate) fn read(certificate: &Certificate, config: &Config) -> Result<Self, String> {
        Ok(Self {
            chain: PemFile::read(config.file(&certificate.chain_file))?,
            key: PemFile::read(config.file(&certificate.key_file))?,
        })
    }

    /// Tells one content of the files from another.
    pub(crate) fn digest(&self) -> [Digest; 2] {
        [self.chain.digest(), self.key.digest()]
    }

    /// The certificate with its key: it must parse, match the key and be made out for `host`.
    pub(crate) fn certify(&self, host: &HostName) -> Result<Arc<CertifiedKey>, String> {
        let certified = self.chain.certify(&self.key)?;
        if let Some(leaf) = certified.cert.first() {
            check_host(leaf, host)?;
        }
        Ok(certified)
    }
}

fn check_host(leaf: &CertificateDer<'_>, host: &HostName) -> Result<(), String> {
    let name = ServerName::try_from(host.as_str()).map_err(|error| format!("host: {error}"))?;
    let leaf = webpki::EndEntityCert::try_from(leaf)
        .map_err(|error| format!("chainFile: the first certificate cannot be read: {error}"))?;
    leaf.verify_is_valid_for_subject_name(&name)
        .map_err(|_| format!("chainFile: the certificate is not made out for {host}"))
}
