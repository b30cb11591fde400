//! Authorities that others vouch for, as they give them.

use std::time::Duration;

use jiff::Timestamp;
use pavilion_bundle::HostName;
use pavilion_process::crypto;
use rcgen::{KeyPair, PublicKeyData};
use rustls::{
    RootCertStore, client::verify_server_cert_signed_by_trust_anchor, server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::{Side, TrustRoot, Voucher};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The largest chain that is read, in bytes. Relying parties get it behind a leaf, in a file of at most
/// [`pavilion_rpc::routes::MAX_FILE_BYTES`].
const MAX_CHAIN: usize = 16 * 1024;

/// The most that is read of those that relying parties trust, in bytes.
const MAX_AUTHORITIES: usize = 64 * 1024;

/// Why an authority cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    /// No PEM certificate, one that does not parse, or too many.
    #[error("tls.crt is not a PEM chain of X.509 certificates of at most 16 KiB, its own first")]
    Unreadable,
    /// The same of those that relying parties trust.
    #[error("ca.crt is not PEM of X.509 certificates of at most 64 KiB")]
    AuthoritiesUnreadable,
    /// It is nobody who may sign.
    #[error("its certificate is not one of an authority: its issuer did not allow isCA")]
    NoAuthority,
    /// It may sign for some names only.
    #[error("its certificate has name constraints, and the names inside are ours to choose")]
    Constrained,
    /// Another key, or none.
    #[error("tls.key is not the private key of its certificate")]
    KeyMismatch,
    /// Not in force.
    #[error("its certificate is in force from {0} to {1}, not now")]
    NotInForce(Timestamp, Timestamp),
    /// Nobody who trusts the one that vouches for it would believe what it signs.
    #[error("what it signs is not believed by who trusts ca.crt: {0}")]
    NotVouchedFor(String),
}

impl TrustRoot {
    /// One that others vouch for: its chain (its own certificate first), its key, and what relying parties trust, all
    /// PEM. Without the last they trust the end of the chain. It is to be believed in what it signs for `hosts`.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn given(
        owner: &str,
        chain: &str,
        key: Zeroizing<String>,
        authority: Option<&str>,
        hosts: &[HostName],
        now: Timestamp,
    ) -> Result<Self, GivenError> {
        let chain = blocks(chain, MAX_CHAIN).ok_or(GivenError::Unreadable)?;
        let (certificate, der) = chain.first().ok_or(GivenError::Unreadable)?;
        check(der, &key, now)?;
        let authorities = blocks(authority.unwrap_or_default(), MAX_AUTHORITIES);
        let authorities = authorities.ok_or(GivenError::AuthoritiesUnreadable)?;
        let top = chain.last().into_iter().cloned().collect();
        let authorities = Some(authorities)
            .filter(|all| !all.is_empty())
            .unwrap_or(top);
        let is_trusted = |der: &CertificateDer<'_>| authorities.iter().any(|(_, one)| one == der);
        let shown: Vec<_> = chain.iter().filter(|(_, der)| !is_trusted(der)).collect();
        let text = |blocks: &[&(String, CertificateDer<'static>)]| {
            blocks.iter().map(|(text, _)| text.as_str()).collect()
        };
        let root = Self {
            owner: owner.to_owned(),
            certificate: certificate.clone(),
            key,
            voucher: Some(Voucher {
                chain: text(&shown),
                authority: text(&authorities.iter().collect::<Vec<_>>()),
            }),
        };
        let above: Vec<_> = shown.iter().map(|(_, der)| der.clone()).collect();
        let anchors = authorities.into_iter().map(|(_, der)| der);
        let anchors: Vec<_> = anchors.filter(|der| allows(der, above.len())).collect();
        if anchors.is_empty() {
            let why = "it allows no authority below it (path length)";
            return Err(GivenError::NotVouchedFor(why.to_owned()));
        }
        try_out(&root, hosts, anchors, &above, now).map_err(GivenError::NotVouchedFor)?;
        Ok(root)
    }
}

/// Every certificate of a text of at most so many bytes, as it stands there and read.
fn blocks(text: &str, most: usize) -> Option<Vec<(String, CertificateDer<'static>)>> {
    if text.len() > most {
        return None;
    }
    let blocks = text.split_inclusive(END);
    let blocks = blocks.filter_map(|block| Some(&block[block.find(BEGIN)?..]));
    let read = |block: &str| {
        let der = CertificateDer::from_pem_slice(block.as_bytes()).ok()?;
        Some((format!("{block}\n"), der))
    };
    blocks.map(read).collect()
}

fn check(der: &CertificateDer<'_>, key: &str, now: Timestamp) -> Result<(), GivenError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| GivenError::Unreadable)?;
    let usage = certificate
        .key_usage()
        .map_err(|_| GivenError::Unreadable)?;
    let signs = usage.is_none_or(|usage| usage.value.key_cert_sign());
    if !(certificate.is_ca() && signs) {
        return Err(GivenError::NoAuthority);
    }
    let constraints = certificate.name_constraints();
    if constraints.map_err(|_| GivenError::Unreadable)?.is_some() {
        return Err(GivenError::Constrained);
    }
    let key = KeyPair::from_pem(key).map_err(|_| GivenError::KeyMismatch)?;
    if certificate.public_key().raw != key.subject_public_key_info() {
        return Err(GivenError::KeyMismatch);
    }
    let time = |seconds| Timestamp::from_second(seconds).map_err(|_| GivenError::Unreadable);
    let from = time(certificate.validity().not_before.timestamp())?;
    let until = time(certificate.validity().not_after.timestamp())?;
    if now < from || now >= until {
        return Err(GivenError::NotInForce(from, until));
    }
    Ok(())
}

/// Whether an authority at the end of a path allows so many below it. Not every client asks one that it trusts.
fn allows(der: &CertificateDer<'_>, below: usize) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return false;
    };
    let constraints = certificate.basic_constraints().ok().flatten();
    let most = constraints.and_then(|found| found.value.path_len_constraint);
    most.is_none_or(|most| usize::try_from(most).is_ok_and(|most| below <= most))
}

/// Whether a leaf of `root` for `hosts` is believed by who trusts `anchors` and is shown `above`. Name constraints of
/// whoever stands above bear on the names of a leaf (RFC 5280 section 4.2.1.10).
fn try_out(
    root: &TrustRoot,
    hosts: &[HostName],
    anchors: Vec<CertificateDer<'static>>,
    above: &[CertificateDer<'_>],
    now: Timestamp,
) -> Result<(), String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let leaf = root
        .sign(Side::Server, hosts, now)
        .map_err(|error| told(&error))?;
    let leaf = CertificateDer::from_pem_slice(leaf.chain.as_bytes());
    let leaf = leaf.map_err(|error| told(&error))?;
    let leaf = ParsedCertificate::try_from(&leaf).map_err(|error| told(&error))?;
    let mut roots = RootCertStore::empty();
    for anchor in anchors {
        roots.add(anchor).map_err(|error| told(&error))?;
    }
    let since = Duration::try_from(now.as_duration()).unwrap_or_default();
    verify_server_cert_signed_by_trust_anchor(
        &leaf,
        &roots,
        above,
        UnixTime::since_unix_epoch(since),
        crypto::provider().signature_verification_algorithms.all,
    )
    .map_err(|error| told(&error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::SystemTime;

    use jiff::SignedDuration;
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
        Issuer, KeyUsagePurpose, NameConstraints,
    };

    use super::*;
    use crate::validate::ServerCertificate;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + number * 86_400).unwrap()
    }

    /// An authority of an organisation, which may have so many below it.
    fn organisation(below: u8) -> (String, Issuer<'static, KeyPair>) {
        organisation_with(below, |_| {})
    }

    fn organisation_with(
        below: u8,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, Issuer<'static, KeyPair>) {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Organisation");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        (certificate, Issuer::new(params, key))
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "acme");
        params
            .distinguished_name
            .push(DnType::CommonName, "Root of acme");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = SystemTime::from(day(0)).into();
        params.not_after = SystemTime::from(day(365)).into();
        params
    }

    struct Given {
        chain: String,
        key: Zeroizing<String>,
        authority: String,
    }

    impl Given {
        fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
            Self::under(&organisation(1), &KeyPair::generate().unwrap(), change)
        }

        fn under(
            (authority, issuer): &(String, Issuer<'static, KeyPair>),
            key: &KeyPair,
            change: impl FnOnce(&mut CertificateParams),
        ) -> Self {
            let mut params = params();
            change(&mut params);
            Self {
                chain: params.signed_by(key, issuer).unwrap().pem(),
                key: Zeroizing::new(key.serialize_pem()),
                authority: authority.clone(),
            }
        }

        fn root(&self, now: i64) -> Result<TrustRoot, GivenError> {
            let authority = Some(self.authority.as_str());
            let hosts = ["a.example".parse().unwrap()];
            let key = self.key.clone();
            TrustRoot::given("acme", &self.chain, key, authority, &hosts, day(now))
        }
    }

    fn refusal(change: impl FnOnce(&mut CertificateParams)) -> GivenError {
        Given::new(change).root(1).err().unwrap()
    }

    #[test]
    fn relying_parties_are_led_from_a_leaf_to_the_organisation_and_the_inside_trusts_the_tenant_alone()
     {
        let given = Given::new(|_| {});
        let root = given.root(1).unwrap();
        assert_eq!(root.authority().trim(), given.authority.trim());
        assert_eq!(root.certificate().trim(), given.chain.trim());
        let hosts = ["a.example".parse().unwrap()];
        let leaf = root.sign(Side::Server, &hosts, day(1)).unwrap();
        let shown = root.chain(&leaf.chain);
        assert_eq!(blocks(&shown, MAX_CHAIN).unwrap().len(), 2);
        let read = ServerCertificate::read(&shown, &leaf.key, &hosts).unwrap();
        read.fits_the_edge(&hosts).unwrap();
    }

    #[test]
    fn a_leaf_ends_with_its_root_at_the_latest() {
        let root = Given::new(|_| {}).root(1).unwrap();
        let end = |now| root.sign(Side::Server, &[], day(now)).unwrap().not_after;
        assert_eq!(end(300), day(365));
        assert_eq!(Some(end(300)), root.not_after());
        assert!(end(1) < day(100));
    }

    #[test]
    fn a_leaf_that_ends_with_its_root_is_not_made_again_until_then() {
        let root = Given::new(|_| {}).root(1).unwrap();
        let end = root.not_after().unwrap();
        for left in [1, 149, 3_600, 30 * 86_400] {
            let made = end - SignedDuration::from_secs(left);
            let leaf = root.sign(Side::Server, &[], made).unwrap();
            let last = end - SignedDuration::from_secs(1);
            assert!(root.keeps(&leaf, made) && root.keeps(&leaf, last));
            assert!(root.renewal(&leaf) == end && !root.keeps(&leaf, end));
        }
        let after = root.sign(Side::Server, &[], end).unwrap();
        assert!(root.keeps(&after, end) && root.renewal(&after) > end);
    }

    #[test]
    fn relying_parties_are_led_to_the_organisation_until_the_first_certificate_on_the_way_ends() {
        let until = |number| SystemTime::from(day(number)).into();
        let given = |top: i64, middle: i64| {
            let (authority, issuer) = organisation_with(2, |params| params.not_after = until(top));
            let key = KeyPair::generate().unwrap();
            let mut params = params();
            params.distinguished_name.push(DnType::CommonName, "Middle");
            params.not_after = until(middle);
            let above = params.signed_by(&key, &issuer).unwrap().pem();
            let middle = (authority, Issuer::new(params, key));
            let mut given = Given::under(&middle, &KeyPair::generate().unwrap(), |_| {});
            given.chain.push_str(&above);
            // An authority that others are vouched for by says nothing of this tenant.
            let (other, _) = organisation_with(1, |params| {
                params.distinguished_name.push(DnType::CommonName, "Other");
                params.not_after = until(2);
            });
            given.authority.push_str(&other);
            given.root(1).unwrap()
        };
        let root = given(300, 20);
        assert_eq!(root.vouched_until(), Some(day(20)));
        // What is inside goes by the tenant's own authority alone.
        assert_eq!(root.not_after(), Some(day(365)));
        assert_eq!(given(15, 20).vouched_until(), Some(day(15)));
        assert_eq!(given(900, 800).vouched_until(), Some(day(365)));
    }

    #[test]
    fn an_authority_that_may_not_vouch_for_the_tenants_hosts_is_refused_wherever_that_is_said() {
        let only = |name: &str| {
            let name = name.to_owned();
            move |params: &mut CertificateParams| {
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName(name)],
                    excluded_subtrees: Vec::new(),
                });
            }
        };
        let root = |name: &str| {
            let above = organisation_with(1, only(name));
            Given::under(&above, &KeyPair::generate().unwrap(), |_| {}).root(1)
        };
        assert!(root("example").is_ok());
        let refused = root("elsewhere.test").err().unwrap();
        assert!(matches!(refused, GivenError::NotVouchedFor(_)), "{refused}");
    }

    #[test]
    fn a_renewed_certificate_of_the_same_key_is_the_same_root_and_another_key_another() {
        let (above, key) = (organisation(1), KeyPair::generate().unwrap());
        let first = Given::under(&above, &key, |_| {}).root(1).unwrap();
        let later = |params: &mut CertificateParams| {
            params.not_after = SystemTime::from(day(700)).into();
        };
        let renewed = Given::under(&organisation(1), &key, later).root(1).unwrap();
        assert!(first.is(&renewed) && first.certificate() != renewed.certificate());
        let other = Given::under(&above, &KeyPair::generate().unwrap(), |_| {});
        assert!(!first.is(&other.root(1).unwrap()));
    }

    #[test]
    fn one_that_signs_itself_needs_nobody_above_it() {
        let key = KeyPair::generate().unwrap();
        let chain = params().self_signed(&key).unwrap().pem();
        let key = Zeroizing::new(key.serialize_pem());
        for authority in [Some(chain.as_str()), Some(""), None] {
            let root = TrustRoot::given("acme", &chain, key.clone(), authority, &[], day(1));
            let root = root.unwrap();
            assert_eq!(root.authority().trim(), chain.trim());
            assert_eq!(root.chain("leaf"), "leaf");
            assert!(!root.is_own());
        }
    }

    #[test]
    fn what_cannot_vouch_for_leaves_is_refused() {
        assert_eq!(
            refusal(|params| params.is_ca = IsCa::NoCa),
            GivenError::NoAuthority
        );
        let no_signing = |params: &mut CertificateParams| {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        };
        assert_eq!(refusal(no_signing), GivenError::NoAuthority);
        let constrained = |params: &mut CertificateParams| {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: vec![GeneralSubtree::DnsName("example".to_owned())],
                excluded_subtrees: Vec::new(),
            });
        };
        assert_eq!(refusal(constrained), GivenError::Constrained);
        let clients_only = |params: &mut CertificateParams| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        };
        assert!(matches!(
            refusal(clients_only),
            GivenError::NotVouchedFor(_)
        ));
        let late = Given::new(|_| {}).root(366).err().unwrap();
        assert!(matches!(late, GivenError::NotInForce(..)));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let (given, other) = (Given::new(|_| {}), Given::new(|_| {}));
        let root = |chain: &str, key: &str, authority: &str| {
            let key = Zeroizing::new(key.to_owned());
            TrustRoot::given("acme", chain, key, Some(authority), &[], day(1)).err()
        };
        let Given {
            chain,
            key,
            authority,
        } = &given;
        assert_eq!(
            root(chain, &other.key, authority),
            Some(GivenError::KeyMismatch)
        );
        assert_eq!(root("", key, authority), Some(GivenError::Unreadable));
        let elsewhere = root(chain, key, &other.authority);
        assert!(matches!(elsewhere, Some(GivenError::NotVouchedFor(_))));
        let alone = Given::under(&organisation(0), &KeyPair::generate().unwrap(), |_| {});
        let too_deep = alone.root(1).err();
        assert!(matches!(too_deep, Some(GivenError::NotVouchedFor(_))));
    }
}
