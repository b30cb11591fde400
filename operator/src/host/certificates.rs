//! Server certificates: a trust root per tenant that this host makes and keeps, or the tenant's own.

use std::{
    io,
    time::{Duration, SystemTime},
};

use jiff::{SignedDuration, Timestamp};
use pavilion_bundle::{HostName, TenantName};
use pavilion_json::Digest;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use zeroize::Zeroizing;

use super::StateDir;
use crate::{desired::CertificateSource, validate::ServerCertificate};

/// A root is made once.
const ROOT_DAYS: u64 = 3_653;
/// A leaf is renewed when a third of this is left.
const LEAF_DAYS: u64 = 90;
/// Clocks of clients may be behind.
const BACKDATED: Duration = Duration::from_mins(5);

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
        (CertificateSource::AsWritten, None) => return Err(CertificateFailure::Gone),
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

fn is_fresh(certificate: &ServerCertificate, now: Timestamp) -> bool {
    let life = certificate.not_after.duration_since(certificate.not_before);
    certificate.in_force(now).is_ok() && certificate.not_after.duration_since(now) > life / 3
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
    let key = KeyPair::generate()?;
    let names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(host) = hosts.first().filter(|host| host.as_str().len() <= 64) {
        params
            .distinguished_name
            .push(DnType::CommonName, host.as_str());
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let (not_before, not_after) = validity(&mut params, now, LEAF_DAYS);
    let chain = params.signed_by(&key, &root)?.pem();
    let certificate = ServerCertificate {
        chain,
        key: Zeroizing::new(key.serialize_pem()),
        not_after,
        not_before,
    };
    state.write(
        format!("{folder}/made"),
        fingerprint(&certificate).as_bytes(),
    )?;
    tracing::info!(until = %not_after, "{tenant}: made a server certificate");
    Ok(certificate)
}

/// The tenant's root, made when there is none.
fn root(
    state: &StateDir,
    folder: &str,
    tenant: &TenantName,
    now: Timestamp,
) -> Result<Issuer<'static, KeyPair>, CertificateFailure> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Pavilion trust root");
    params
        .distinguished_name
        .push(DnType::OrganizationName, tenant.as_str());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, now, ROOT_DAYS);
    let (certificate_file, key_file) = (format!("{folder}/ca.pem"), format!("{folder}/ca-key.pem"));
    if let (Some(_), Some(key)) = (state.read(&certificate_file)?, state.read(&key_file)?) {
        let key = Zeroizing::new(key);
        let key = KeyPair::from_pem(&String::from_utf8_lossy(&key))?;
        return Ok(Issuer::new(params, key));
    }
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    state.write(key_file, Zeroizing::new(key.serialize_pem()).as_bytes())?;
    state.write(certificate_file, certificate.pem().as_bytes())?;
    Ok(Issuer::new(params, key))
}

fn validity(params: &mut CertificateParams, now: Timestamp, days: u64) -> (Timestamp, Timestamp) {
    let begin = SystemTime::from(now) - BACKDATED;
    let end = begin + Duration::from_secs(days * 86_400);
    params.not_before = begin.into();
    params.not_after = end.into();
    let days = SignedDuration::from_secs(i64::try_from(days * 86_400).unwrap_or(0));
    let begin = now - SignedDuration::try_from(BACKDATED).unwrap_or_default();
    (begin, begin + days)
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
