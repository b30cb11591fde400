//! Replacing claims by digests (RFC 9901 section 4.2).

use std::collections::BTreeSet;

use pavilion_jose::base64url;
use serde_json::{Map, Value, json};

use super::{ClaimPath, WalletError, random, salt};
use crate::sd_jwt::HashAlgorithm;
use crate::sd_jwt::payload::{ELEMENT, NEVER_DISCLOSED, SD, SD_ALG};

/// Takes claims out of a payload and keeps their disclosures.
pub(super) struct Concealer<'a> {
    disclosable: BTreeSet<&'a ClaimPath>,
    decoys: usize,
    hash: HashAlgorithm,
    disclosures: Vec<String>,
}

impl<'a> Concealer<'a> {
    pub(super) fn new(
        disclosable: &'a [ClaimPath],
        decoys: usize,
        hash: HashAlgorithm,
    ) -> Result<Self, WalletError> {
        let protected = |path: &&ClaimPath| {
            path.steps()
                .first()
                .is_some_and(|name| NEVER_DISCLOSED.contains(&name.as_str()))
        };
        match disclosable.iter().find(protected) {
            Some(path) => Err(WalletError::NotDisclosable(path.clone())),
            None => Ok(Self {
                disclosable: disclosable.iter().collect(),
                decoys,
                hash,
                disclosures: Vec::new(),
            }),
        }
    }

    /// The payload with digests in place of the claims, and the disclosures, inner before outer.
    pub(super) fn conceal(
        mut self,
        claims: Map<String, Value>,
    ) -> Result<(Map<String, Value>, Vec<String>), WalletError> {
        let payload = self.object(claims, &ClaimPath::default())?;
        match self.disclosable.pop_first() {
            Some(path) => Err(WalletError::NoSuchClaim(path.clone())),
            None => Ok((payload, self.disclosures)),
        }
    }

    fn value(&mut self, value: Value, path: &ClaimPath) -> Result<Value, WalletError> {
        match value {
            Value::Object(object) => self.object(object, path).map(Value::Object),
            Value::Array(items) => self.array(items, path).map(Value::Array),
            scalar => Ok(scalar),
        }
    }

    fn object(
        &mut self,
        object: Map<String, Value>,
        path: &ClaimPath,
    ) -> Result<Map<String, Value>, WalletError> {
        let mut kept = Map::new();
        let mut digests = Vec::new();
        for (name, value) in object {
            if [SD, SD_ALG, ELEMENT].contains(&name.as_str()) {
                return Err(WalletError::ReservedName(name));
            }
            let path = path.below(&name);
            let value = self.value(value, &path)?;
            if self.disclosable.remove(&path) {
                digests.push(self.disclosure(&json!([salt()?, name, value])));
            } else {
                kept.insert(name, value);
            }
        }
        if !digests.is_empty() {
            for _ in 0..self.decoys {
                digests.push(self.decoy()?);
            }
            // An order of its own hides the order of the claims (RFC 9901 section 4.2.4.1).
            digests.sort_unstable();
            kept.insert(SD.to_owned(), json!(digests));
        }
        Ok(kept)
    }

    fn array(&mut self, items: Vec<Value>, path: &ClaimPath) -> Result<Vec<Value>, WalletError> {
        let before = self.disclosures.len();
        let mut kept = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = path.below(index.to_string());
            let item = self.value(item, &path)?;
            if self.disclosable.remove(&path) {
                let digest = self.disclosure(&json!([salt()?, item]));
                kept.push(json!({ ELEMENT: digest }));
            } else {
                kept.push(item);
            }
        }
        if self.disclosures.len() > before {
            for _ in 0..self.decoys {
                kept.push(json!({ ELEMENT: self.decoy()? }));
            }
        }
        Ok(kept)
    }

    fn disclosure(&mut self, content: &Value) -> String {
        let encoded = base64url(content.to_string().as_bytes());
        let digest = self.hash.digest(&encoded);
        self.disclosures.push(encoded);
        digest
    }

    /// A digest that belongs to no disclosure (RFC 9901 section 4.2.5).
    fn decoy(&self) -> Result<String, WalletError> {
        Ok(self.hash.digest(&random::<32>()?))
    }
}
