//! Server certificates: a trust root per tenant that this host makes and keeps, or the tenant's own.

use std::io;

use jiff::Timestamp;
use pavilion_bundle::{HostName, TenantName};
use pavilion_json::Digest;
use zeroize::Zeroizing;

use super::StateDir;
use crate::{
    desired::CertificateSource,
    trust_root::{Side, TrustRoot, is_fresh},
    validate::ServerCertificate,
};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFailure {
    /// The state directory.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The maker.
    #[error("{0}")]
    Made(#[from] rcgen::Error),
    /// What was written for the tenant's own certificate is gone or unfit.
    #[error("the tenant's own certificate is no longer there")]
    Gone,
}

/// Brings `tls/{ca,chain,key}.pem` of a tenant up to date; its fingerprint changes when the router
/// has something new to read.
pub(super) fn ensure(
    state: &StateDir,
    tenant: &TenantName,
    hosts: &[HostName],
    source: &CertificateSource,
    now: Timestamp,
) -> Result<ServerCertificate, CertificateFailure> {
    let folder = format!("tenants/{tenant}/tls");
    state.make_dir(&folder)?;
    let written = written(state, &folder, hosts)?;
    let certificate = match (source, written) {
        (CertificateSource::Given(given), _) => given.clone(),
        (CertificateSource::AsWritten, Some(written)) => return Ok(written),
        // There are no Secrets on one host, and none is accepted here.
        (CertificateSource::AsWritten, None) | (CertificateSource::InSecret, _) => {
            return Err(CertificateFailure::Gone);
        }
        (CertificateSource::Made, Some(written))
            if is_fresh(&written, now) && is_ours(state, &folder, &written)? =>
        {
            return Ok(written);
        }
        (CertificateSource::Made, _) => make(state, &folder, tenant, hosts, now)?,
    };
    // The key first: a reader that sees the new chain finds its key.
    state.write_if_changed(format!("{folder}/key.pem"), certificate.key.as_bytes())?;
    state.write_if_changed(format!("{folder}/chain.pem"), certificate.chain.as_bytes())?;
    Ok(certificate)
}

/// What is there, if it fits these hosts. Its time may be over: an expired certificate of the tenant's
/// own is still what the tenant wants shown.
fn written(
    state: &StateDir,
    folder: &str,
    hosts: &[HostName],
) -> io::Result<Option<ServerCertificate>> {
    let chain = state.read(format!("{folder}/chain.pem"))?;
    let key = state.read(format!("{folder}/key.pem"))?.map(Zeroizing::new);
    let (Some(chain), Some(key)) = (chain, key) else {
        return Ok(None);
    };
    let (chain, key) = (
        String::from_utf8_lossy(&chain),
        String::from_utf8_lossy(&key),
    );
    Ok(ServerCertificate::read(&chain, &key, hosts).ok())
}

/// Whether the chain ends in the root that is there, not in one that a tenant gave before.
fn is_ours(state: &StateDir, folder: &str, certificate: &ServerCertificate) -> io::Result<bool> {
    let made = state.read(format!("{folder}/made"))?;
    Ok(made.as_deref() == Some(fingerprint(certificate).as_bytes()))
}

fn fingerprint(certificate: &ServerCertificate) -> String {
    Digest::of(certificate.chain.as_bytes()).to_string()
}

fn make(
    state: &StateDir,
    folder: &str,
    tenant: &TenantName,
    hosts: &[HostName],
    now: Timestamp,
) -> Result<ServerCertificate, CertificateFailure> {
    let root = root(state, folder, tenant, now)?;
    let certificate = root.sign(Side::Server, hosts, now)?;
    state.write(
        format!("{folder}/made"),
        fingerprint(&certificate).as_bytes(),
    )?;
    tracing::info!(until = %certificate.not_after, "{tenant}: made a server certificate");
    Ok(certificate)
}

/// The tenant's root, made when there is none.
fn root(
    state: &StateDir,
    folder: &str,
    tenant: &TenantName,
    now: Timestamp,
) -> Result<TrustRoot, CertificateFailure> {
    let (certificate_file, key_file) = (format!("{folder}/ca.pem"), format!("{folder}/ca-key.pem"));
    let kept = (state.read(&certificate_file)?, state.read(&key_file)?);
    if let (Some(certificate), Some(key)) = kept {
        let key = Zeroizing::new(key);
        let key = Zeroizing::new(String::from_utf8_lossy(&key).into_owned());
        let certificate = String::from_utf8_lossy(&certificate).into_owned();
        return Ok(TrustRoot::from_pem(tenant.as_str(), certificate, key));
    }
    let root = TrustRoot::make(tenant.as_str(), now)?;
    state.write(key_file, root.key().as_bytes())?;
    state.write(certificate_file, root.certificate().as_bytes())?;
    Ok(root)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Room {
        state: StateDir,
        _folder: tempfile::TempDir,
    }

    impl Room {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let state = StateDir::open(folder.path()).unwrap();
            Self {
                state,
                _folder: folder,
            }
        }

        fn ensure(
            &self,
            hosts: &[&str],
            source: &CertificateSource,
            day: i64,
        ) -> Result<ServerCertificate, CertificateFailure> {
            let hosts: Vec<HostName> = hosts.iter().map(|host| host.parse().unwrap()).collect();
            let now = Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap();
            ensure(&self.state, &"acme".parse().unwrap(), &hosts, source, now)
        }

        fn root(&self) -> Vec<u8> {
            self.state.read("tenants/acme/tls/ca.pem").unwrap().unwrap()
        }
    }

    #[test]
    fn a_certificate_is_kept_until_two_thirds_of_its_life_and_its_root_for_good() {
        let room = Room::new();
        let made = |day| {
            room.ensure(&["a.example"], &CertificateSource::Made, day)
                .unwrap()
        };
        let first = made(0);
        let authority = room.root();
        assert_eq!(made(1).fingerprint(), first.fingerprint());
        assert_eq!(made(59).fingerprint(), first.fingerprint());
        let second = made(61);
        assert_ne!(second.fingerprint(), first.fingerprint());
        assert!(second.not_after > first.not_after);
        assert_eq!(made(200).not_before, made(201).not_before);
        assert_eq!(room.root(), authority);
    }

    #[test]
    fn a_new_host_makes_a_new_certificate() {
        let room = Room::new();
        let one = room
            .ensure(&["a.example"], &CertificateSource::Made, 0)
            .unwrap();
        let two = room
            .ensure(&["a.example", "b.example"], &CertificateSource::Made, 0)
            .unwrap();
        assert_ne!(one.fingerprint(), two.fingerprint());
    }

    #[test]
    fn a_tenants_own_certificate_takes_the_place_of_the_made_one_and_gives_it_back() {
        let (room, other) = (Room::new(), Room::new());
        room.ensure(&["a.example"], &CertificateSource::Made, 0)
            .unwrap();
        let own = other
            .ensure(&["a.example"], &CertificateSource::Made, 0)
            .unwrap();
        let given = CertificateSource::Given(own.clone());
        let used = room.ensure(&["a.example"], &given, 0).unwrap();
        assert_eq!(used.fingerprint(), own.fingerprint());
        let kept = room
            .ensure(&["a.example"], &CertificateSource::AsWritten, 1)
            .unwrap();
        assert_eq!(kept.fingerprint(), own.fingerprint());
        // Its end is no reason to take the tenant off the air.
        let ended = room
            .ensure(&["a.example"], &CertificateSource::AsWritten, 200)
            .unwrap();
        assert_eq!(ended.fingerprint(), own.fingerprint());
        let back = room
            .ensure(&["a.example"], &CertificateSource::Made, 1)
            .unwrap();
        assert_ne!(back.fingerprint(), own.fingerprint());
        let gone = Room::new().ensure(&["a.example"], &CertificateSource::AsWritten, 0);
        assert!(matches!(gone, Err(CertificateFailure::Gone)));
    }
}
