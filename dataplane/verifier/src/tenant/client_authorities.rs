//! Which client certificates prove a relying party (RFC 8705 section 2.1).

use std::collections::BTreeSet;

use jiff::Timestamp;
use pavilion_bundle::MutualTls;
use pavilion_json::Digest;
use pavilion_proofs::Authorities;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};

/// id-kp-clientAuth (RFC 5280 section 4.2.1.12).
const CLIENT_AUTHENTICATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// The authorities and names that count for one relying party.
pub struct ClientAuthorities {
    authorities: Authorities,
    /// Of each authority, by which a token remembers the one that its certificate led to.
    digests: BTreeSet<Digest>,
    names: Vec<String>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientCertificateError {
    /// It cannot be read.
    #[error("The client certificate cannot be read.")]
    Unreadable,
    /// No path to an authority, outside its time, or not for client authentication.
    #[error(
        "The client certificate does not lead to an authority of the relying party, is outside its validity, or is not for client authentication."
    )]
    Untrusted,
    /// It carries none of the registered names.
    #[error(
        "The client certificate carries none of the DNS names registered for the relying party."
    )]
    WrongName,
}

impl ClientAuthorities {
    /// Reads the authorities.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the PEM bundle.
    pub fn prepare(mutual_tls: &MutualTls) -> Result<Self, String> {
        let authorities = Authorities::from_pem(&mutual_tls.ca_bundle)?;
        Ok(Self {
            digests: authorities.anchors().iter().map(digest).collect(),
            authorities,
            names: mutual_tls.san_dns.clone(),
        })
    }

    /// Judges a certificate that the edge passed on; gives the digest of the authority it leads to.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn judge(
        &self,
        certificate: &[u8],
        intermediates: &[Vec<u8>],
        now: Timestamp,
    ) -> Result<Digest, ClientCertificateError> {
        let certificate = CertificateDer::from(certificate);
        let leaf = EndEntityCert::try_from(&certificate)
            .map_err(|_| ClientCertificateError::Unreadable)?;
        let between: Vec<CertificateDer<'_>> = intermediates
            .iter()
            .map(|der| CertificateDer::from(der.as_slice()))
            .collect();
        let since = u64::try_from(now.as_second()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(since));
        let path = leaf
            .verify_for_usage(
                ALL_VERIFICATION_ALGS,
                self.authorities.anchors(),
                &between,
                time,
                KeyUsage::required(CLIENT_AUTHENTICATION),
                None,
                None,
            )
            .map_err(|_| ClientCertificateError::Untrusted)?;
        let authority = digest(path.anchor());
        let named = self.names(&leaf);
        named
            .then_some(authority)
            .ok_or(ClientCertificateError::WrongName)
    }

    /// Whether a certificate that was judged before, and led to `authority` then, has its authority
    /// and a name among these. Cheap, for every request: no signature is verified again.
    pub fn still_take(&self, certificate: &[u8], authority: Option<&Digest>) -> bool {
        let certificate = CertificateDer::from(certificate);
        let led_here = authority.is_none_or(|authority| self.digests.contains(authority));
        led_here && EndEntityCert::try_from(&certificate).is_ok_and(|leaf| self.names(&leaf))
    }

    fn names(&self, leaf: &EndEntityCert<'_>) -> bool {
        leaf.valid_dns_names()
            .any(|name| self.names.iter().any(|own| own.eq_ignore_ascii_case(name)))
    }
}

/// The digest of everything about an authority that a path is verified against.
fn digest(authority: &TrustAnchor<'_>) -> Digest {
    let parts = [
        Some(authority.subject.as_ref()),
        Some(authority.subject_public_key_info.as_ref()),
        authority.name_constraints.as_deref(),
    ];
    let mut text = Vec::new();
    for part in parts.into_iter().flatten() {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    Digest::of(&text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa,
        KeyPair, date_time_ymd,
    };

    use super::*;

    struct Authority(CertifiedIssuer<'static, KeyPair>);

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::new(vec![]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2040, 1, 1);
            Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
        }

        fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Vec<u8> {
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.extended_key_usages = vec![usage];
            params.not_before = date_time_ymd(2026, 1, 1);
            params.not_after = date_time_ymd(2027, 1, 1);
            let key = KeyPair::generate().unwrap();
            params.signed_by(&key, &self.0).unwrap().der().to_vec()
        }

        fn trusted_for(&self, name: &str) -> ClientAuthorities {
            ClientAuthorities::prepare(&MutualTls {
                ca_bundle: self.0.pem(),
                san_dns: vec![name.to_owned()],
            })
            .unwrap()
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_fresh_client_certificate_of_the_right_authority_and_name_counts() {
        let authority = Authority::new();
        let trusted = authority.trusted_for("client.shop.example");
        let now = at("2026-06-01T00:00:00Z");
        let client = ExtendedKeyUsagePurpose::ClientAuth;
        let good = authority.issue("client.shop.example", client.clone());
        let led_to = trusted.judge(&good, &[], now).unwrap();
        assert!(trusted.still_take(&good, Some(&led_to)));
        let untrusted = Err(ClientCertificateError::Untrusted);
        assert_eq!(
            trusted.judge(&good, &[], at("2027-06-01T00:00:00Z")),
            untrusted
        );
        assert_eq!(
            trusted.judge(&good, &[], at("2025-06-01T00:00:00Z")),
            untrusted
        );
        let server = authority.issue("client.shop.example", ExtendedKeyUsagePurpose::ServerAuth);
        assert_eq!(trusted.judge(&server, &[], now), untrusted);
        let foreign = Authority::new().issue("client.shop.example", client.clone());
        assert_eq!(trusted.judge(&foreign, &[], now), untrusted);
        let other = authority.issue("other.example", client);
        assert_eq!(
            trusted.judge(&other, &[], now),
            Err(ClientCertificateError::WrongName)
        );
        assert_eq!(
            trusted.judge(b"rubbish", &[], now),
            Err(ClientCertificateError::Unreadable)
        );
    }

    #[test]
    fn a_judged_certificate_counts_as_long_as_its_authority_and_a_name_of_it_do() {
        let authority = Authority::new();
        let trusted = authority.trusted_for("client.shop.example");
        let client = ExtendedKeyUsagePurpose::ClientAuth;
        let good = authority.issue("client.shop.example", client);
        let led_to = trusted.judge(&good, &[], at("2026-06-01T00:00:00Z"));
        let led_to = led_to.unwrap();
        let beside = |other: &Authority, name: &str| {
            let mutual_tls = MutualTls {
                ca_bundle: other.0.pem() + &authority.0.pem(),
                san_dns: vec!["new.example".to_owned(), name.to_owned()],
            };
            ClientAuthorities::prepare(&mutual_tls).unwrap()
        };
        let other = Authority::new();
        let more = beside(&other, "CLIENT.shop.example");
        assert!(more.still_take(&good, Some(&led_to)));
        assert!(!beside(&other, "gone.example").still_take(&good, Some(&led_to)));
        let without = other.trusted_for("client.shop.example");
        assert!(!without.still_take(&good, Some(&led_to)));
        // A token of before does not say where its certificate led.
        assert!(without.still_take(&good, None));
        assert!(!without.still_take(b"rubbish", None));
    }

    #[test]
    fn a_bundle_without_a_certificate_is_refused() {
        for pem in [
            "",
            "nothing",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            let mutual_tls = MutualTls {
                ca_bundle: pem.to_owned(),
                san_dns: vec![],
            };
            assert!(ClientAuthorities::prepare(&mutual_tls).is_err(), "{pem}");
        }
    }
}
