//! An issuer of SD-JWT VCs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use pavilion_jose::{Jwk, SigningKey};
use serde_json::{Map, Value, json};

use super::conceal::Concealer;
use super::{ClaimPath, ListDraft, WalletError};
use crate::sd_jwt::payload::SD_ALG;
use crate::sd_jwt::{CREDENTIAL_TYPE_HEADER, HashAlgorithm, StatusReference};
use crate::status::TYPE_HEADER;
use crate::trust::did_jwk;

/// Who issues, and how verifiers find the key.
#[derive(Debug)]
pub struct Issuer {
    name: Option<String>,
    key: SigningKey,
    kid: Option<String>,
    chain: Vec<Vec<u8>>,
}

/// A credential to be issued.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its `vct`.
    pub credential_type: String,
    /// What it says about its subject.
    pub claims: Map<String, Value>,
    /// Which of the claims the holder may keep back. A path and one below it make a recursive
    /// disclosure.
    pub disclosable: Vec<ClaimPath>,
    /// Digests of nothing, added wherever something is disclosable, to hide how much.
    pub decoys: usize,
    /// The hash function of the digests.
    pub hash: HashAlgorithm,
    /// The key that the holder must prove to have.
    pub holder: Option<Jwk>,
    /// Its `iat`.
    pub issued_at: Timestamp,
    /// Its `nbf`.
    pub not_before: Option<Timestamp>,
    /// Its `exp`.
    pub expires_at: Option<Timestamp>,
    /// Where its status is found.
    pub status: Option<StatusReference>,
}

impl Draft {
    /// A credential with these claims, all of them always disclosed, without holder, expiry or
    /// status; set the fields that should differ.
    pub fn new(
        credential_type: impl Into<String>,
        claims: Map<String, Value>,
        issued_at: Timestamp,
    ) -> Self {
        Self {
            credential_type: credential_type.into(),
            claims,
            disclosable: Vec::new(),
            decoys: 0,
            hash: HashAlgorithm::Sha256,
            holder: None,
            issued_at,
            not_before: None,
            expires_at: None,
            status: None,
        }
    }

    fn payload(
        &self,
        issuer: Option<&str>,
    ) -> Result<(Map<String, Value>, Vec<String>), WalletError> {
        let concealer = Concealer::new(&self.disclosable, self.decoys, self.hash)?;
        let (mut payload, disclosures) = concealer.conceal(self.claims.clone())?;
        let mut set = |name: &str, value: Value| match payload.insert(name.to_owned(), value) {
            Some(_) => Err(WalletError::ReservedName(name.to_owned())),
            None => Ok(()),
        };
        set("vct", json!(self.credential_type))?;
        set("iat", json!(self.issued_at.as_second()))?;
        set(SD_ALG, json!(self.hash.name()))?;
        if let Some(issuer) = issuer {
            set("iss", json!(issuer))?;
        }
        if let Some(start) = self.not_before {
            set("nbf", json!(start.as_second()))?;
        }
        if let Some(end) = self.expires_at {
            set("exp", json!(end.as_second()))?;
        }
        if let Some(holder) = &self.holder {
            set("cnf", json!({ "jwk": holder }))?;
        }
        if let Some(StatusReference { uri, index }) = &self.status {
            set(
                "status",
                json!({ "status_list": { "idx": index, "uri": uri } }),
            )?;
        }
        Ok((payload, disclosures))
    }
}

impl Issuer {
    /// An issuer known by its `iss` and a key with this key's `kid`.
    pub fn new(name: impl Into<String>, key: SigningKey) -> Self {
        Self {
            name: Some(name.into()),
            kid: key.public().kid().map(str::to_owned),
            key,
            chain: Vec::new(),
        }
    }

    /// An issuer that is its key.
    pub fn did_jwk(key: SigningKey) -> Result<Self, WalletError> {
        let mut members = key.public().members().clone();
        members.remove("kid");
        let did = did_jwk::encode(&Jwk::from_members(members)?)?;
        Ok(Self {
            kid: Some(format!("{did}#0")),
            name: Some(did),
            key,
            chain: Vec::new(),
        })
    }

    /// An issuer known by a certificate chain, leaf first, without the trusted authority; with or
    /// without an `iss`.
    pub fn with_certificates(name: Option<String>, key: SigningKey, chain: Vec<Vec<u8>>) -> Self {
        Self {
            name,
            kid: None,
            key,
            chain,
        }
    }

    /// Its `iss`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its public key.
    pub fn public(&self) -> Jwk {
        self.key.public()
    }

    /// Issues a credential: the signed JWT and all disclosures, each followed by `~`.
    pub fn issue(&self, draft: &Draft) -> Result<String, WalletError> {
        let (payload, disclosures) = draft.payload(self.name())?;
        let mut credential = self.sign(CREDENTIAL_TYPE_HEADER, &Value::Object(payload))?;
        for disclosure in disclosures {
            credential.push('~');
            credential.push_str(&disclosure);
        }
        credential.push('~');
        Ok(credential)
    }

    /// Makes a status list token.
    pub fn status_list(&self, draft: &ListDraft) -> Result<String, WalletError> {
        self.sign(TYPE_HEADER, &draft.payload()?)
    }

    fn sign(&self, typ: &str, payload: &Value) -> Result<String, WalletError> {
        let mut header = json!({ "alg": self.key.algorithm(), "typ": typ });
        if let Some(kid) = &self.kid {
            header["kid"] = json!(kid);
        }
        if !self.chain.is_empty() {
            let chain: Vec<String> = self.chain.iter().map(|der| STANDARD.encode(der)).collect();
            header["x5c"] = json!(chain);
        }
        Ok(self
            .key
            .sign_compact(&header, payload.to_string().as_bytes())?)
    }
}
