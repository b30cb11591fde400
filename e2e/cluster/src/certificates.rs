//! The certificates of a cluster: one authority, and from it whoever serves or calls.

use std::fs::{self, File};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::directory::{private_folder, write};

/// A cluster lives for hours; a month covers the one that somebody keeps.
const LIFE: Duration = Duration::from_hours(30 * 24);
/// Clocks of nodes are one clock, but a second is cut off when it is written.
const BEFORE: Duration = Duration::from_mins(5);

/// Whom a certificate is for.
pub struct Subject<'a> {
    /// The user, as Kubernetes reads it from a client's certificate.
    pub user: &'a str,
    /// The group, likewise.
    pub group: Option<&'a str>,
    /// What a server is called; empty for one that only calls.
    pub served: Vec<SanType>,
}

/// The authority of a cluster, and the folder that its certificates are in.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes the authority of a new cluster.
    pub fn make(folder: &Path) -> Result<Self> {
        private_folder(folder)?;
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = authority().self_signed(&key).context("cannot sign")?;
        write(&folder.join("ca.crt"), certificate.pem())?;
        write_key(&folder.join("ca.key"), &key)?;
        Ok(Self::of(folder, key))
    }

    /// The authority that was made before.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("ca.key");
        let missing = || format!("{} cannot be read: take the cluster down", path.display());
        let key = KeyPair::from_pem(&fs::read_to_string(&path).with_context(missing)?);
        Ok(Self::of(folder, key.with_context(missing)?))
    }

    fn of(folder: &Path, key: KeyPair) -> Self {
        Self {
            folder: folder.to_owned(),
            issuer: Issuer::new(authority(), key),
        }
    }

    /// Its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// Makes `<name>.crt` and `<name>.key` in a folder.
    pub fn issue(&self, folder: &Path, name: &str, subject: &Subject) -> Result<()> {
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = subject.certificate().signed_by(&key, &self.issuer);
        let certificate = certificate.with_context(|| format!("cannot sign {name}"))?;
        write(&folder.join(format!("{name}.crt")), certificate.pem())?;
        write_key(&folder.join(format!("{name}.key")), &key)
    }

    /// Makes the pair of keys that tokens of service accounts are signed and checked with.
    pub fn make_token_key(&self) -> Result<()> {
        let key = KeyPair::generate().context("cannot make a key")?;
        write(&self.folder.join("tokens.pub"), key.public_key_pem())?;
        write_key(&self.folder.join("tokens.key"), &key)
    }
}

impl Subject<'_> {
    fn certificate(&self) -> CertificateParams {
        let mut params = named(self.user);
        if let Some(group) = self.group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !self.served.is_empty() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        params.subject_alt_names.clone_from(&self.served);
        params
    }
}

/// The names of a server.
pub fn served(addresses: &[IpAddr], hosts: &[&str]) -> Result<Vec<SanType>> {
    let hosts = hosts.iter().map(|host| {
        let name = (*host).try_into();
        Ok(SanType::DnsName(
            name.with_context(|| format!("{host} is no host name"))?,
        ))
    });
    let addresses = addresses
        .iter()
        .map(|address| Ok(SanType::IpAddress(*address)));
    addresses.chain(hosts).collect()
}

/// The same every time: with its key, it is the authority again.
fn authority() -> CertificateParams {
    let mut params = named("pavilion-e2e");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    params.not_before = (now - BEFORE).into();
    params.not_after = (now + LIFE).into();
    params
}

fn write_key(path: &Path, key: &KeyPair) -> Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path);
    let written = file.and_then(|mut file| file.write_all(key.serialize_pem().as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_for_root_alone_and_the_authority_is_the_same_when_read_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let pki = folder.path().join("pki");
        let made = Authority::make(&pki).unwrap();
        let read = Authority::read(&pki).unwrap();
        let public = |authority: &Authority| authority.issuer.key().public_key_pem();
        assert_eq!(public(&made), public(&read));
        let served = served(&[IpAddr::from([127, 0, 0, 1])], &["localhost"]).unwrap();
        let subject = Subject {
            user: "etcd",
            group: None,
            served,
        };
        read.issue(&pki, "etcd", &subject).unwrap();
        read.make_token_key().unwrap();
        for name in ["ca.key", "etcd.key", "tokens.key"] {
            let rights = fs::metadata(pki.join(name)).unwrap().permissions().mode();
            assert_eq!(rights & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn only_a_server_may_serve() {
        let caller = Subject {
            user: "admin",
            group: Some("system:masters"),
            served: Vec::new(),
        };
        let usages = caller.certificate().extended_key_usages;
        assert_eq!(usages, [ExtendedKeyUsagePurpose::ClientAuth]);
    }

    #[test]
    fn a_cluster_without_its_authority_says_what_to_do() {
        let error = Authority::read(Path::new("/nowhere")).err().unwrap();
        assert!(error.to_string().contains("take the cluster down"));
    }
}
