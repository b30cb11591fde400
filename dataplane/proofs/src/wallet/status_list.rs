//! Making status lists.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;
use pavilion_jose::base64url;
use serde_json::{Value, json};

use super::WalletError;

/// A status list to be signed.
#[derive(Clone, Debug)]
pub struct ListDraft {
    /// Where it will stand.
    pub uri: String,
    /// Bits of one entry: 1, 2, 4 or 8.
    pub bits: u8,
    /// The entries: 0 valid, 1 revoked, 2 suspended.
    pub values: Vec<u8>,
    /// Its `iat`.
    pub issued_at: Timestamp,
    /// Its `exp`.
    pub expires_at: Option<Timestamp>,
    /// Its `ttl`, in seconds.
    pub ttl_seconds: Option<u64>,
}

impl ListDraft {
    /// A list of `length` valid entries of two bits, without expiry; set what should differ.
    pub fn new(uri: impl Into<String>, length: usize, issued_at: Timestamp) -> Self {
        Self {
            uri: uri.into(),
            bits: 2,
            values: vec![0; length],
            issued_at,
            expires_at: None,
            ttl_seconds: None,
        }
    }

    pub(super) fn payload(&self) -> Result<Value, WalletError> {
        let mut payload = json!({
            "sub": self.uri,
            "iat": self.issued_at.as_second(),
            "status_list": { "bits": self.bits, "lst": self.compressed()? },
        });
        if let Some(end) = self.expires_at {
            payload["exp"] = json!(end.as_second());
        }
        if let Some(ttl) = self.ttl_seconds {
            payload["ttl"] = json!(ttl);
        }
        Ok(payload)
    }

    fn compressed(&self) -> Result<String, WalletError> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder
            .write_all(&self.packed()?)
            .map_err(|_| WalletError::Compression)?;
        let bytes = encoder.finish().map_err(|_| WalletError::Compression)?;
        Ok(base64url(&bytes))
    }

    /// The entries in bytes, the first in the least significant bits.
    fn packed(&self) -> Result<Vec<u8>, WalletError> {
        if ![1, 2, 4, 8].contains(&self.bits) {
            return Err(WalletError::ListWidth);
        }
        let highest = u8::MAX >> (8 - self.bits);
        if self.values.iter().any(|value| *value > highest) {
            return Err(WalletError::ListWidth);
        }
        let per_byte = usize::from(8 / self.bits);
        let join = |entries: &[u8]| {
            entries.iter().rev().fold(0_u8, |byte, entry| {
                byte.checked_shl(u32::from(self.bits)).unwrap_or(0) | entry
            })
        };
        Ok(self.values.chunks(per_byte).map(join).collect())
    }
}
