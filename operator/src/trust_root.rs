//! Trust roots: an authority of its own for each that needs one, and the leaves that it signs.

mod given;
mod voucher;

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use pavilion_bundle::HostName;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use x509_parser::{
    extensions::{KeyIdentifier, ParsedExtension},
    pem::parse_x509_pem,
    prelude::X509Certificate,
};
use zeroize::Zeroizing;

pub use self::given::GivenError;
use self::voucher::Voucher;
use crate::validate::ServerCertificate;

/// A root is made once.
const ROOT_DAYS: u64 = 3_653;
/// A leaf is renewed when a third of this is left.
const LEAF_DAYS: u64 = 90;
/// Clocks of those who check may be behind.
const BACKDATED: Duration = Duration::from_mins(5);
/// The longest common name (RFC 5280, appendix A.1, `ub-common-name`).
const MAX_COMMON_NAME: usize = 64;

/// An authority (X.509) that signs leaves and nothing else: one that was made here, or one that others vouch for.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustRoot {
    /// Whose it is; stands in its name.
    owner: String,
    /// PEM.
    certificate: String,
    /// PEM, PKCS#8.
    #[serde(with = "secret_text")]
    key: Zeroizing<String>,
    /// Nobody for one that was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voucher: Option<Voucher>,
}

/// Text that is wiped when it is dropped, as a JSON string.
pub(crate) mod secret_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub fn serialize<S: Serializer>(
        text: &Zeroizing<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}

/// Which side of a connection a leaf is shown by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that listens.
    Server,
    /// The one that connects.
    Client,
}

impl TrustRoot {
    /// A new root, in force for ten years.
    ///
    /// # Errors
    /// No randomness.
    pub fn make(owner: &str, now: Timestamp) -> Result<Self, rcgen::Error> {
        let mut params = params_of_root(owner)?;
        validity(&mut params, now, ROOT_DAYS);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            owner: owner.to_owned(),
            certificate,
            key: Zeroizing::new(key.serialize_pem()),
            voucher: None,
        })
    }

    /// A root that was made before, from its PEM.
    pub fn from_pem(owner: &str, certificate: String, key: Zeroizing<String>) -> Self {
        Self {
            owner: owner.to_owned(),
            certificate,
            key,
            voucher: None,
        }
    }

    /// Its certificate, PEM: what those trust who trust it alone.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// PEM: what those trust who trust whoever vouches for it.
    pub fn authority(&self) -> &str {
        let voucher = self.voucher.as_ref();
        voucher.map_or(&self.certificate, |voucher| &voucher.authority)
    }

    /// A leaf that it signed, PEM, with what leads from it to [`TrustRoot::authority`].
    pub fn chain(&self, leaf: &str) -> String {
        let voucher = self.voucher.as_ref();
        let above = voucher.map_or("", |voucher| &voucher.chain);
        format!("{leaf}{above}")
    }

    /// Whether it was made here.
    pub fn is_own(&self) -> bool {
        self.voucher.is_none()
    }

    /// Whether what one of the two signed is as good under the other: they have one name, one key, and one identifier of that
    /// key. By the last of the three what was signed names who signed it, and not every client takes it from another (RFC
    /// 5280 section 4.2.1.1; OpenSSL does not). How an identifier is made of a key is up to whoever makes the certificate.
    pub fn is(&self, other: &Self) -> bool {
        let same = |one: &X509Certificate<'_>, other: &X509Certificate<'_>| {
            one.subject().as_raw() == other.subject().as_raw()
                && one.public_key().raw == other.public_key().raw
                && key_identifier(one) == key_identifier(other)
        };
        self.read(|one| other.read(|other| same(one, other))) == Some(Some(true))
    }

    /// When its certificate ends.
    pub fn not_after(&self) -> Option<Timestamp> {
        let seconds = self.read(|certificate| certificate.validity().not_after.timestamp())?;
        Timestamp::from_second(seconds).ok()
    }

    /// Until when relying parties are led from it to [`TrustRoot::authority`]: when the first certificate on that way ends.
    pub fn vouched_until(&self) -> Option<Timestamp> {
        let above = self.voucher.as_ref().and_then(Voucher::not_after);
        self.not_after().into_iter().chain(above).min()
    }

    /// Whether a leaf that it signed goes on to be shown: it is fresh, or ends with the root, as another one would.
    pub fn keeps(&self, leaf: &ServerCertificate, now: Timestamp) -> bool {
        is_fresh(leaf, now) || (leaf.in_force(now).is_ok() && self.ends_with(leaf))
    }

    /// When a leaf that it signed is due for renewal.
    pub fn renewal(&self, leaf: &ServerCertificate) -> Timestamp {
        if self.ends_with(leaf) {
            return leaf.not_after;
        }
        leaf.not_after - leaf.not_after.duration_since(leaf.not_before) / 3
    }

    fn ends_with(&self, leaf: &ServerCertificate) -> bool {
        self.not_after() == Some(leaf.not_after)
    }

    /// Something of its certificate; `None` for one that cannot be read.
    fn read<T>(&self, what: impl FnOnce(&X509Certificate<'_>) -> T) -> Option<T> {
        let (_, pem) = parse_x509_pem(self.certificate.as_bytes()).ok()?;
        let certificate = pem.parse_x509().ok()?;
        Some(what(&certificate))
    }

    /// Its private key, PEM.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A new leaf that carries `names`, in force for 90 days, or until the root ends.
    ///
    /// # Errors
    /// No randomness, or a key of the root that cannot be read.
    pub fn sign(
        &self,
        side: Side,
        names: &[HostName],
        now: Timestamp,
    ) -> Result<ServerCertificate, rcgen::Error> {
        let root = Issuer::from_ca_cert_pem(&self.certificate, KeyPair::from_pem(&self.key)?)?;
        let key = KeyPair::generate()?;
        let text: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(text)?;
        params.distinguished_name = DistinguishedName::new();
        let first = names.first().map(HostName::as_str);
        if let Some(name) = first.filter(|name| name.len() <= MAX_COMMON_NAME) {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match side {
            Side::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Side::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        let (not_before, mut not_after) = validity(&mut params, now, LEAF_DAYS);
        // Where its own end is no matter, for it is trusted as it is, one that has ended signs on.
        let end = self.not_after().filter(|end| *end > now);
        if let Some(end) = end.filter(|end| *end < not_after) {
            params.not_after = SystemTime::from(end).into();
            not_after = end;
        }
        Ok(ServerCertificate {
            chain: params.signed_by(&key, &root)?.pem(),
            key: Zeroizing::new(key.serialize_pem()),
            not_after,
            not_before,
        })
    }
}

/// The identifier that a certificate gives its key, if it does.
fn key_identifier<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    let mut extensions = certificate.extensions().iter();
    extensions.find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(KeyIdentifier(bytes)) => Some(*bytes),
        _ => None,
    })
}

/// Whether a leaf is in force and more than a third of its time is left.
pub fn is_fresh(leaf: &ServerCertificate, now: Timestamp) -> bool {
    let life = leaf.not_after.duration_since(leaf.not_before);
    leaf.in_force(now).is_ok() && leaf.not_after.duration_since(now) > life / 3
}

fn params_of_root(owner: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "Pavilion trust root");
    name.push(DnType::OrganizationName, owner);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn validity(params: &mut CertificateParams, now: Timestamp, days: u64) -> (Timestamp, Timestamp) {
    let begin = SystemTime::from(now) - BACKDATED;
    params.not_before = begin.into();
    params.not_after = (begin + Duration::from_hours(24 * days)).into();
    let hours = i64::try_from(24 * days).unwrap_or(0);
    let begin = now - SignedDuration::try_from(BACKDATED).unwrap_or_default();
    (begin, begin + SignedDuration::from_hours(hours))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + number * 86_400).unwrap()
    }

    #[test]
    fn a_leaf_carries_its_names_and_is_due_after_two_thirds_of_its_time() {
        let root = TrustRoot::make("acme", day(0)).unwrap();
        let names: [HostName; 2] = ["a.example".parse().unwrap(), "b.example".parse().unwrap()];
        let leaf = root.sign(Side::Server, &names, day(0)).unwrap();
        let read = ServerCertificate::read(&leaf.chain, &leaf.key, &names).unwrap();
        assert_eq!(read.not_after, leaf.not_after);
        assert!(is_fresh(&leaf, day(59)) && !is_fresh(&leaf, day(61)));
        assert!(root.renewal(&leaf) > day(59) && root.renewal(&leaf) < day(61));
    }

    #[test]
    fn a_root_that_was_kept_signs_as_before() {
        let root = TrustRoot::make("acme", day(0)).unwrap();
        let kept = serde_json::to_string(&root).unwrap();
        let again: TrustRoot = serde_json::from_str(&kept).unwrap();
        assert_eq!(again.certificate(), root.certificate());
        let name: HostName = "router.pavilion.internal".parse().unwrap();
        again.sign(Side::Client, &[name], day(1)).unwrap();
    }
}
