//! Certificate chains from an `x5c` header to a trusted authority (RFC 5280 section 6).

use jiff::Timestamp;
use pavilion_jose::PublicKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    anchor_from_trusted_cert,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names::Names;

/// The longest chain that is looked at: a leaf and three authorities between it and the trusted one.
const MAX_CHAIN: usize = 4;

/// Authorities that chains may end in.
pub struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    anchors: Vec<TrustAnchor<'static>>,
}

/// The leaf of a chain that ends in a trusted authority.
pub(crate) struct Leaf {
    pub(crate) key: PublicKey,
    pub(super) names: Names,
}

impl Authorities {
    /// Reads a PEM bundle.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| "it is not PEM".to_owned())?;
        if certificates.is_empty() {
            return Err("it holds no certificate".to_owned());
        }
        let anchors = certificates
            .iter()
            .map(|certificate| {
                anchor_from_trusted_cert(certificate).map(|anchor| anchor.to_owned())
            })
            .collect::<Result<_, _>>()
            .map_err(|_| "a certificate in it cannot be read".to_owned())?;
        Ok(Self {
            certificates,
            anchors,
        })
    }

    /// What a path is verified against.
    pub fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// The leaf of `x5c`, if a path leads from it to one of these authorities at `now`. The
    /// message says what is wrong otherwise. The authority itself must not be in the header
    /// (HAIP 1.0, "x5c"), so a chain proves something.
    pub(crate) fn leaf(&self, x5c: &[Vec<u8>], now: Timestamp) -> Result<Leaf, &'static str> {
        let chain: Vec<CertificateDer<'_>> = x5c
            .iter()
            .map(|der| CertificateDer::from(der.as_slice()))
            .collect();
        if chain.len() > MAX_CHAIN {
            return Err("The x5c header holds too many certificates.");
        }
        if chain
            .iter()
            .any(|certificate| self.certificates.contains(certificate))
        {
            return Err("The x5c header holds the trusted authority itself.");
        }
        let Some((leaf, between)) = chain.split_first() else {
            return Err("The x5c header is empty.");
        };
        let end_entity =
            EndEntityCert::try_from(leaf).map_err(|_| "The leaf certificate cannot be read.")?;
        self.verify_path(&end_entity, between, now)?;
        may_sign(leaf)?;
        Ok(Leaf {
            key: PublicKey::from_spki_der(&end_entity.subject_public_key_info())
                .map_err(|_| "The leaf's key is of a kind that is not supported.")?,
            names: Names {
                dns: end_entity.valid_dns_names().map(str::to_owned).collect(),
                uris: end_entity.valid_uri_names().map(str::to_owned).collect(),
            },
        })
    }

    fn verify_path(
        &self,
        leaf: &EndEntityCert<'_>,
        between: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &self.anchors,
            between,
            time,
            AnyUsage,
            None,
            None,
        )
        .map(drop)
        .map_err(|error| match error {
            Error::CertExpired { .. } => "A certificate of the chain has expired.",
            Error::CertNotValidYet { .. } => "A certificate of the chain is not valid yet.",
            _ => "No path leads from the leaf certificate to a trusted authority.",
        })
    }
}

/// Credential formats name no extended key usage of their own, so none is demanded; what the
/// certificate may be used for is bounded by the authority and the names of the trust anchor.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, mut usages: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        usages.try_for_each(|usage| usage.map(drop))
    }
}

/// A leaf that states its key usage must state `digitalSignature` (RFC 5280 section 4.2.1.3).
fn may_sign(leaf: &CertificateDer<'_>) -> Result<(), &'static str> {
    let unreadable = "The leaf certificate cannot be read.";
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| unreadable)?;
    match certificate.key_usage() {
        Ok(None) => Ok(()),
        Ok(Some(usage)) if usage.value.digital_signature() => Ok(()),
        Ok(Some(_)) => Err("The leaf certificate's key must not be used for signatures."),
        Err(_) => Err(unreadable),
    }
}
