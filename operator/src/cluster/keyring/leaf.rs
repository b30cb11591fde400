//! A certificate with its key, as it is kept.

use pavilion_bundle::HostName;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{trust_root::secret_text, validate::ServerCertificate};

/// Both PEM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Leaf {
    pub chain: String,
    #[serde(with = "secret_text")]
    pub key: Zeroizing<String>,
}

impl Leaf {
    /// Checked for these names.
    pub fn read(&self, names: &[HostName]) -> Option<ServerCertificate> {
        ServerCertificate::read(&self.chain, &self.key, names).ok()
    }
}

impl From<&ServerCertificate> for Leaf {
    fn from(certificate: &ServerCertificate) -> Self {
        Self {
            chain: certificate.chain.clone(),
            key: certificate.key.clone(),
        }
    }
}
