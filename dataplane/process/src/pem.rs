//! Certificates and keys in PEM, mostly in files. What is read is bounded, and wiped when dropped.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pavilion_json::Digest;
use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::crypto;

/// The largest file, in bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// What is said of a larger one.
const TOO_LARGE: &str = "larger than 256 KiB";

/// What a PEM file held when it was read. Errors begin with its path and repeat nothing of it.
pub struct PemFile {
    path: PathBuf,
    bytes: Zeroizing<Vec<u8>>,
}

impl PemFile {
    /// Reads it.
    ///
    /// # Errors
    /// What the system said, or that it is too large.
    pub fn read(path: impl Into<PathBuf>) -> Result<Self, String> {
        let path = path.into();
        let bytes = read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, bytes })
    }

    /// The same for what came another way; `name` stands where the path would in errors.
    ///
    /// # Errors
    /// That it is too large.
    pub fn given(name: impl Into<PathBuf>, bytes: &[u8]) -> Result<Self, String> {
        let path = name.into();
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(format!("{}: {TOO_LARGE}", path.display()));
        }
        let bytes = Zeroizing::new(bytes.to_vec());
        Ok(Self { path, bytes })
    }

    /// Tells one content from another.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Its certificates; at least one.
    ///
    /// # Errors
    /// When there is none, or one that is not PEM.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&self.bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| self.says(&error))?;
        if certificates.is_empty() {
            return Err(self.says(&"holds no certificate"));
        }
        Ok(certificates)
    }

    /// Its certificates as those that vouch for others.
    ///
    /// # Errors
    /// As [`PemFile::certificates`], or when one of them cannot be read.
    pub fn roots(&self) -> Result<Arc<RootCertStore>, String> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.says(&error))?;
        }
        Ok(Arc::new(roots))
    }

    /// Its certificates, leaf first, with the private key in `key`.
    ///
    /// # Errors
    /// When one of the two cannot be read, or they do not go together.
    pub fn certify(&self, key: &Self) -> Result<Arc<CertifiedKey>, String> {
        let private =
            PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|error| key.says(&error))?;
        CertifiedKey::from_der(self.certificates()?, private, &crypto::provider())
            .map(Arc::new)
            .map_err(|error| {
                let certificate = self.path.display();
                key.says(&format!("does not go with {certificate}: {error}"))
            })
    }

    fn says(&self, what: &dyn std::fmt::Display) -> String {
        format!("{}: {what}", self.path.display())
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // As large as it can get, so that no copy of a key is left behind by growing.
    let file = File::open(path)?;
    let room = file.metadata()?.len().min(MAX_FILE_BYTES) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(room).unwrap_or_default(),
    ));
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(TOO_LARGE));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn what_cannot_be_used_is_named_by_its_file_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        fs::write(at("a.crt"), made.cert.pem()).unwrap();
        fs::write(at("a.key"), made.signing_key.serialize_pem()).unwrap();
        fs::write(at("b.key"), other.signing_key.serialize_pem()).unwrap();
        fs::write(at("empty"), "nothing of the kind").unwrap();
        fs::write(at("large"), vec![b'x'; 300 * 1024]).unwrap();
        let file = |name: &str| PemFile::read(at(name)).unwrap();
        file("a.crt").certify(&file("a.key")).unwrap();
        assert_eq!(file("a.crt").roots().unwrap().len(), 1);
        let foreign = file("a.crt").certify(&file("b.key")).unwrap_err();
        assert!(foreign.contains("b.key: does not go with"), "{foreign}");
        let none = file("empty").roots().unwrap_err();
        assert!(none.ends_with("empty: holds no certificate"), "{none}");
        let no_key = file("a.crt").certify(&file("a.crt")).unwrap_err();
        assert!(no_key.contains("a.crt: ") && !no_key.contains("BEGIN"));
        let given = PemFile::given("tls.crt", made.cert.pem().as_bytes()).unwrap();
        given.certify(&file("a.key")).unwrap();
        let large = PemFile::given("tls.crt", &vec![b'x'; 300 * 1024])
            .map(drop)
            .unwrap_err();
        assert_eq!(large, "tls.crt: larger than 256 KiB");
        let large = PemFile::read(at("large")).map(drop).unwrap_err();
        assert!(large.ends_with("large: larger than 256 KiB"), "{large}");
        let missing = PemFile::read(at("missing")).map(drop).unwrap_err();
        assert!(missing.contains("missing: No such file"), "{missing}");
    }
}
