//! Trust roots, certificates of them, and a folder that holds them as a mounted volume does. Other
//! crates' tests use this file too.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The name of the one client that may come in.
pub const CLIENT: &str = "router.pavilion.internal";

/// The name of the server.
pub const SERVER: &str = "acme.pavilion.internal";

/// The trust root of one tenant.
pub struct Root {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, both PEM.
#[derive(Clone)]
pub struct Leaf {
    pub certificate: String,
    pub key: String,
}

impl Root {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "Pavilion trust root");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for the server.
    pub fn server(&self) -> Leaf {
        self.leaf(SERVER, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    /// A certificate for the client.
    pub fn client(&self) -> Leaf {
        self.leaf(CLIENT, |_| {})
    }

    /// A certificate for `name`, for clients unless `change` says otherwise.
    pub fn leaf(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Leaf {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A folder whose files are replaced all at once, as the kubelet replaces those of a Secret: each is a
/// link through `..data`, and `..data` is swapped.
pub struct Mount {
    folder: PathBuf,
    generation: AtomicUsize,
}

impl Mount {
    /// A mounted folder with `ca.crt`, `tls.crt` and `tls.key`.
    pub fn new(folder: &Path, ca: &str, leaf: &Leaf) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mount = Self {
            folder: folder.to_path_buf(),
            generation: AtomicUsize::new(0),
        };
        mount.replace(ca, leaf);
        for name in ["ca.crt", "tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
        mount
    }

    /// Replaces all three.
    pub fn replace(&self, ca: &str, leaf: &Leaf) {
        let generation = self.generation.fetch_add(1, Ordering::SeqCst);
        let name = format!("..{generation}");
        let fresh = self.folder.join(&name);
        fs::create_dir(&fresh).unwrap();
        fs::write(fresh.join("ca.crt"), ca).unwrap();
        fs::write(fresh.join("tls.crt"), &leaf.certificate).unwrap();
        fs::write(fresh.join("tls.key"), &leaf.key).unwrap();
        symlink(&name, self.folder.join("..data_tmp")).unwrap();
        fs::rename(self.folder.join("..data_tmp"), self.folder.join("..data")).unwrap();
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.join("tls.crt")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.join("tls.key")
    }
}
