//! A file as routers get it: called by its content.

use bytes::Bytes;
use pavilion_json::Digest;
use pavilion_rpc::routes::MAX_FILE_BYTES;

/// What a digest is written with elsewhere.
const PREFIX: &str = "sha-256:";

/// One file. Clones share the content.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Of its content.
    pub digest: Digest,
    /// PEM.
    pub content: Bytes,
}

impl File {
    /// A file of that content.
    ///
    /// # Errors
    /// That it is empty, or larger than routers take.
    pub fn new(content: String) -> Result<Self, String> {
        if content.is_empty() || content.len() > MAX_FILE_BYTES {
            let size = content.len();
            return Err(format!("has {size} bytes, not 1 to {MAX_FILE_BYTES}"));
        }
        let content = Bytes::from(content);
        Ok(Self {
            digest: Digest::of(&content),
            content,
        })
    }

    /// Its name in the table: 64 lower-case hexadecimal digits.
    pub fn name(&self) -> String {
        self.digest.to_string().replace(PREFIX, "")
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The content may be a key.
        write!(f, "{}", self.digest)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;
    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        trust_root::{Side, TrustRoot},
        validate::{CertificateError, ServerCertificate},
    };

    /// So many bytes of it, the last ones empty lines.
    fn padded(text: &str, bytes: usize) -> String {
        let rest = "\n".repeat(bytes.saturating_sub(text.len()));
        format!("{text}{rest}")
    }

    #[test]
    fn a_certificate_is_refused_before_it_gets_here_where_routers_would_not_take_its_files() {
        let now = Timestamp::now();
        let hosts = ["a.example".parse().unwrap()];
        let root = TrustRoot::make("acme", now).unwrap();
        let made = root.sign(Side::Server, &hosts, now).unwrap();
        let checked = |chain: usize, key: usize| {
            let (chain, key) = (padded(&made.chain, chain), padded(&made.key, key));
            let read = ServerCertificate::read(&chain, &key, &hosts).unwrap();
            let taken = [chain, key].into_iter().all(|text| File::new(text).is_ok());
            let fits = read.fits_the_edge(&hosts);
            assert_eq!(fits.is_ok(), taken);
            fits
        };
        let most = MAX_FILE_BYTES;
        checked(most, most).unwrap();
        let (large, larger) = (100 * 1024, MAX_FILE_BYTES + 1);
        let chain = checked(large, 0).unwrap_err();
        assert_eq!(chain, CertificateError::ChainTooLarge(large));
        let key = checked(0, larger).unwrap_err();
        assert_eq!(key, CertificateError::KeyTooLarge(larger));
        assert_eq!((chain.field(), key.field()), ("certificateFile", "keyFile"));
    }

    #[test]
    fn the_chain_of_the_largest_authority_that_is_taken_has_room_for_a_leaf() {
        let now = Timestamp::now();
        let made = TrustRoot::make("elsewhere", now).unwrap();
        let key = Zeroizing::new(made.key().to_owned());
        let given = |certificates: usize| {
            let chain = made.certificate().repeat(certificates);
            TrustRoot::given("acme", &chain, key.clone(), None, &[], now)
        };
        let count = (1..1000).take_while(|count| given(*count).is_ok()).count();
        assert!(count > 1 && made.certificate().len() * count < MAX_FILE_BYTES / 2);
    }
}
