//! Who vouches for an authority, and how long.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use x509_parser::{pem::Pem, prelude::X509Certificate};

/// Who vouches for an authority.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Voucher {
    /// PEM, from the authority's own certificate up to the one below `authority`; empty where the two are the same.
    pub chain: String,
    /// PEM: what relying parties trust.
    pub authority: String,
}

impl Voucher {
    /// When the first certificate of the chain ends, or the last of the authorities that stand above it: not every client
    /// takes one that it trusts after its end. `None` where nothing stands above.
    pub fn not_after(&self) -> Option<Timestamp> {
        let (chain, authorities) = (blocks(&self.chain), blocks(&self.authority));
        let chain: Vec<_> = read(&chain).collect();
        let top = chain.last()?;
        let authority = read(&authorities)
            .filter(|one| one.subject().as_raw() == top.issuer().as_raw())
            .filter_map(|one| end(&one))
            .max();
        chain.iter().filter_map(end).chain(authority).min()
    }
}

fn blocks(text: &str) -> Vec<Pem> {
    Pem::iter_from_buffer(text.as_bytes())
        .filter_map(Result::ok)
        .collect()
}

fn read(blocks: &[Pem]) -> impl Iterator<Item = X509Certificate<'_>> {
    blocks.iter().filter_map(|block| block.parse_x509().ok())
}

fn end(certificate: &X509Certificate<'_>) -> Option<Timestamp> {
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}
