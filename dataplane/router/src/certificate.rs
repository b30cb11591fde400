//! A host's certificate and key, from their files.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use pavilion_bundle::{Certificate, HostName};
use pavilion_json::Digest;
use pavilion_process::crypto;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use zeroize::Zeroizing;

/// The largest certificate or key file, in bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// The bytes of both files; the key's are wiped when dropped.
pub(crate) struct Files {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

/// What tells one state of the two files from another without reading them.
pub(crate) type Stamp = [Option<(u64, i64, i64)>; 2];

/// The state of the files at this moment.
pub(crate) fn stamp(certificate: &Certificate) -> Stamp {
    [&certificate.chain_file, &certificate.key_file].map(|path| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.ino(), file.ctime(), file.ctime_nsec()))
    })
}

impl Files {
    /// Reads both.
    pub(crate) fn read(certificate: &Certificate) -> Result<Self, String> {
        Ok(Self {
            chain: read(&certificate.chain_file)?,
            key: read(&certificate.key_file)?.into(),
        })
    }

    /// Tells one content of the files from another.
    pub(crate) fn digest(&self) -> [Digest; 2] {
        [Digest::of(&self.chain), Digest::of(&self.key)]
    }

    /// The certificate with its key: it must parse, match the key and be made out for `host`.
    pub(crate) fn certify(&self, host: &HostName) -> Result<Arc<CertifiedKey>, String> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("chainFile: {error}"))?;
        let leaf = chain.first().ok_or("chainFile: holds no certificate")?;
        check_host(leaf, host)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| format!("keyFile: {error}"))?;
        CertifiedKey::from_der(chain, key, &crypto::provider())
            .map(Arc::new)
            .map_err(|error| format!("keyFile: does not go with chainFile: {error}"))
    }
}

fn check_host(leaf: &CertificateDer<'_>, host: &HostName) -> Result<(), String> {
    let name = ServerName::try_from(host.as_str()).map_err(|error| format!("host: {error}"))?;
    let leaf = webpki::EndEntityCert::try_from(leaf)
        .map_err(|error| format!("chainFile: the first certificate cannot be read: {error}"))?;
    leaf.verify_is_valid_for_subject_name(&name)
        .map_err(|_| format!("chainFile: the certificate is not made out for {host}"))
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(Path::new(path))
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .and_then(|length| {
            if length as u64 > MAX_FILE_BYTES {
                return Err(io::Error::other("larger than 256 KiB"));
            }
            Ok(())
        })
        .map_err(|error| format!("{path}: {error}"))?;
    Ok(bytes)
}
