//! Server certificates: a chain that parses, is in force, names the hosts and fits its key.

use jiff::Timestamp;
use pavilion_bundle::HostName;
use pavilion_json::Digest;
use pavilion_process::pem::PemFile;
use pavilion_rpc::routes::MAX_FILE_BYTES;
use rcgen::{KeyPair, PublicKeyData};
use rustls::{client::verify_server_name, server::ParsedCertificate};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
};
use zeroize::Zeroizing;

/// The largest RSA key, in bits, that the edge signs with. A larger one takes the time of many handshakes of other tenants
/// for each of its own; the keys of other kinds that TLS knows are all quicker.
const MAX_RSA_BITS: usize = 4096;

/// A certificate with its key, checked.
#[derive(Clone)]
pub struct ServerCertificate {
    /// PEM chain, leaf first.
    pub chain: String,
    /// PEM private key.
    pub key: Zeroizing<String>,
    /// When the leaf ends.
    pub not_after: Timestamp,
    /// When the leaf begins.
    pub not_before: Timestamp,
}

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No PEM certificate, or one that does not parse.
    #[error("is not a PEM chain of X.509 certificates, leaf first")]
    Unreadable,
    /// No private key of a kind that can be used.
    #[error("is not a PEM private key (PKCS#8, ECDSA, Ed25519 or RSA)")]
    KeyUnreadable,
    /// The leaf is for another key.
    #[error("is not the private key of the certificate")]
    KeyMismatch,
    /// The leaf is not in force.
    #[error("the certificate is in force from {from} to {until}, not now")]
    NotInForce {
        /// Its beginning.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
    },
    /// The leaf does not name a host.
    #[error("the certificate does not name the host {0}")]
    HostMissing(HostName),
    /// More than routers take.
    #[error("the chain has {0} bytes, and the edge takes at most {MAX_FILE_BYTES}")]
    ChainTooLarge(usize),
    /// More than routers take.
    #[error("has {0} bytes, and the edge takes at most {MAX_FILE_BYTES}")]
    KeyTooLarge(usize),
    /// An RSA key that is too dear to sign with.
    #[error("is an RSA key of {0} bits, and the edge takes at most {MAX_RSA_BITS}")]
    KeyTooSlow(usize),
    /// The edge would not take it.
    #[error("cannot be shown: {0}")]
    Unshowable(String),
}

impl CertificateError {
    /// The field of the manifest that is at fault.
    pub fn field(&self) -> &'static str {
        match self {
            Self::KeyUnreadable
            | Self::KeyMismatch
            | Self::KeyTooLarge(_)
            | Self::KeyTooSlow(_) => "keyFile",
            _ => "certificateFile",
        }
    }
}

impl ServerCertificate {
    /// Reads and checks a chain and its key, both PEM.
    ///
    /// # Errors
    /// The first thing that keeps it from being used for `hosts` at any time; see
    /// [`ServerCertificate::in_force`] for the time.
    pub fn read(chain: &str, key: &str, hosts: &[HostName]) -> Result<Self, CertificateError> {
        let unreadable = |_| CertificateError::Unreadable;
        let certificates: Vec<CertificateDer<'_>> =
            CertificateDer::pem_slice_iter(chain.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(unreadable)?;
        let leaf = certificates.first().ok_or(CertificateError::Unreadable)?;
        let (_, leaf) =
            X509Certificate::from_der(leaf).map_err(|_| CertificateError::Unreadable)?;
        let key_pair = KeyPair::from_pem(key).map_err(|_| CertificateError::KeyUnreadable)?;
        if leaf.public_key().raw != key_pair.subject_public_key_info() {
            return Err(CertificateError::KeyMismatch);
        }
        let time = |seconds: i64| {
            Timestamp::from_second(seconds).map_err(|_| CertificateError::Unreadable)
        };
        let not_before = time(leaf.validity().not_before.timestamp())?;
        let not_after = time(leaf.validity().not_after.timestamp())?;
        let names = dns_names(&leaf);
        match hosts.iter().find(|host| !covers(&names, host.as_str())) {
            Some(host) => Err(CertificateError::HostMissing(host.clone())),
            None => Ok(Self {
                chain: chain.to_owned(),
                key: Zeroizing::new(key.to_owned()),
                not_after,
                not_before,
            }),
        }
    }

    /// Whether the edge takes it for `hosts`. It takes all routes or none, so what it would refuse must not get there.
    ///
    /// # Errors
    /// What it would say.
    pub fn fits_the_edge(&self, hosts: &[HostName]) -> Result<(), CertificateError> {
        if self.chain.len() > MAX_FILE_BYTES {
            return Err(CertificateError::ChainTooLarge(self.chain.len()));
        }
        if self.key.len() > MAX_FILE_BYTES {
            return Err(CertificateError::KeyTooLarge(self.key.len()));
        }
        self.is_quick()?;
        let part = |name: &str, text: &str| PemFile::given(name, text.as_bytes());
        let certified = part("tls.crt", &self.chain)
            .and_then(|chain| chain.certify(&part("tls.key", &self.key)?))
            .map_err(CertificateError::Unshowable)?;
        let leaf = certified.end_entity_cert();
        let leaf = leaf.and_then(ParsedCertificate::try_from);
        let leaf = leaf.map_err(|error| CertificateError::Unshowable(error.to_string()))?;
        let is_named = |host: &HostName| {
            ServerName::try_from(host.as_str())
                .is_ok_and(|name| verify_server_name(&leaf, &name).is_ok())
        };
        match hosts.iter().find(|host| !is_named(host)) {
            Some(host) => Err(CertificateError::HostMissing(host.clone())),
            None => Ok(()),
        }
    }

    fn is_quick(&self) -> Result<(), CertificateError> {
        let leaf = CertificateDer::from_pem_slice(self.chain.as_bytes());
        let leaf = leaf.map_err(|_| CertificateError::Unreadable)?;
        let (_, leaf) =
            X509Certificate::from_der(&leaf).map_err(|_| CertificateError::Unreadable)?;
        match leaf.public_key().parsed() {
            Ok(PublicKey::RSA(key)) if key.key_size() > MAX_RSA_BITS => {
                Err(CertificateError::KeyTooSlow(key.key_size()))
            }
            _ => Ok(()),
        }
    }

    /// Whether clients would take it now.
    ///
    /// # Errors
    /// From when to when they would.
    pub fn in_force(&self, now: Timestamp) -> Result<(), CertificateError> {
        if now < self.not_before || self.ended(now) {
            return Err(CertificateError::NotInForce {
                from: self.not_before,
                until: self.not_after,
            });
        }
        Ok(())
    }

    /// Whether its time is over.
    pub fn ended(&self, now: Timestamp) -> bool {
        now >= self.not_after
    }

    /// Changes when the certificate or its key does.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(
            [self.chain.as_bytes(), b"\0", self.key.as_bytes()]
                .concat()
                .as_slice(),
        )
    }
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerCertificate")
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

fn dns_names<'a>(leaf: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(*name),
            _ => None,
        })
        .collect()
}

/// RFC 6125 section 6.4.3: `*` stands for the whole left-most label.
fn covers(names: &[&str], host: &str) -> bool {
    names.iter().any(|name| {
        name.eq_ignore_ascii_case(host)
            || name.strip_prefix("*.").is_some_and(|parent| {
                host.split_once('.')
                    .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
            })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::{Duration, SystemTime};

    use rcgen::{CertificateParams, Issuer, SubjectPublicKeyInfo};

    use super::*;

    fn made(name: &str, days: u64) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = SystemTime::UNIX_EPOCH.into();
        params.not_after = (SystemTime::UNIX_EPOCH + Duration::from_hours(24 * days)).into();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn read(
        chain: &str,
        key: &str,
        host: &str,
        day: i64,
    ) -> Result<ServerCertificate, CertificateError> {
        let now = Timestamp::from_second(day * 86_400).unwrap();
        let certificate = ServerCertificate::read(chain, key, &[host.parse().unwrap()])?;
        certificate.in_force(now).map(|()| certificate)
    }

    #[test]
    fn a_certificate_must_name_the_host_and_be_in_force() {
        let (chain, key) = made("*.acme.example", 90);
        let certificate = read(&chain, &key, "verify.acme.example", 1).unwrap();
        assert_eq!(certificate.not_after.as_second(), 90 * 86_400);
        assert!(!format!("{certificate:?}").contains("PRIVATE"));
        for host in ["acme.example", "a.verify.acme.example", "verify.acme.test"] {
            let error = read(&chain, &key, host, 1).unwrap_err();
            assert_eq!(error, CertificateError::HostMissing(host.parse().unwrap()));
        }
        let error = read(&chain, &key, "verify.acme.example", 91).unwrap_err();
        assert!(matches!(error, CertificateError::NotInForce { .. }));
        assert_eq!(error.field(), "certificateFile");
    }

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, high, low], content].concat()
    }

    /// A certificate for an RSA key of so many bits, whose private part nobody has.
    fn of_rsa(bits: usize) -> ServerCertificate {
        let modulus = [&[0][..], &vec![0xff; bits / 8]].concat();
        let numbers = [der(0x02, &modulus), vec![0x02, 3, 1, 0, 1]].concat();
        let key = [&[0][..], &der(0x30, &numbers)].concat();
        // rsaEncryption (RFC 8017, appendix C).
        let algorithm = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        let key = der(0x30, &[&algorithm[..], &der(0x03, &key)].concat());
        let key = SubjectPublicKeyInfo::from_der(&key).unwrap();
        let (issuer, names) = (KeyPair::generate().unwrap(), ["a.example".to_owned()]);
        let params = CertificateParams::new(names).unwrap();
        let chain = params.signed_by(&key, &Issuer::new(CertificateParams::default(), &issuer));
        ServerCertificate {
            chain: chain.unwrap().pem(),
            key: Zeroizing::new(issuer.serialize_pem()),
            not_after: Timestamp::MAX,
            not_before: Timestamp::MIN,
        }
    }

    #[test]
    fn an_rsa_key_that_would_cost_every_other_tenant_its_handshakes_is_refused() {
        let hosts = ["a.example".parse().unwrap()];
        let refused = of_rsa(8192).fits_the_edge(&hosts).unwrap_err();
        assert_eq!(refused, CertificateError::KeyTooSlow(8192));
        assert_eq!(refused.field(), "keyFile");
        // It goes on to the private key, which is another one's.
        let other = of_rsa(4096).fits_the_edge(&hosts).unwrap_err();
        assert!(matches!(other, CertificateError::Unshowable(_)));
    }

    #[test]
    fn a_key_must_be_the_certificates() {
        let (chain, key) = made("a.example", 9);
        let (_, other) = made("a.example", 9);
        let failed = |chain, key| read(chain, key, "a.example", 1).unwrap_err();
        assert_eq!(failed(&chain, &other), CertificateError::KeyMismatch);
        assert_eq!(failed(&chain, &chain), CertificateError::KeyUnreadable);
        assert_eq!(failed(&key, &key), CertificateError::Unreadable);
        assert_eq!(failed("", &key), CertificateError::Unreadable);
        assert_eq!(CertificateError::KeyMismatch.field(), "keyFile");
    }
}
