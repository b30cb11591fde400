//! A holder that presents credentials.

use jiff::Timestamp;
use pavilion_jose::{Jwk, SigningKey};
use pavilion_json::Limits;
use serde_json::{Map, Value, json};

use super::select::select;
use super::{ClaimPath, WalletError};
use crate::sd_jwt::payload::{SD_ALG, process};
use crate::sd_jwt::{self, HashAlgorithm, KEY_BINDING_TYPE_HEADER};

/// Who holds credentials, with the key they are bound to.
#[derive(Debug)]
pub struct Holder {
    key: SigningKey,
}

/// The request that a presentation answers.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// The verifier's nonce.
    pub nonce: &'a str,
    /// The verifier.
    pub audience: &'a str,
    /// The moment of presenting.
    pub now: Timestamp,
}

impl Holder {
    /// The holder of this key.
    pub fn new(key: SigningKey) -> Self {
        Self { key }
    }

    /// The public key that credentials are bound to.
    pub fn public(&self) -> Jwk {
        self.key.public()
    }

    /// A presentation that reveals the claims at `reveal` and no others, bound to `session`.
    pub fn present(
        &self,
        credential: &str,
        reveal: &[ClaimPath],
        session: Session<'_>,
    ) -> Result<String, WalletError> {
        let (bound, hash) = reveal_only(credential, reveal)?;
        let header = json!({ "alg": self.key.algorithm(), "typ": KEY_BINDING_TYPE_HEADER });
        let payload = json!({
            "nonce": session.nonce,
            "aud": session.audience,
            "iat": session.now.as_second(),
            "sd_hash": hash.digest(&bound),
        });
        let key_binding = self
            .key
            .sign_compact(&header, payload.to_string().as_bytes())?;
        Ok(bound + &key_binding)
    }

    /// A presentation without key binding.
    pub fn present_unbound(credential: &str, reveal: &[ClaimPath]) -> Result<String, WalletError> {
        Ok(reveal_only(credential, reveal)?.0)
    }
}

/// What a credential or presentation says, as its holder reads it (RFC 9901 section 7.2). No
/// signature is checked.
pub fn claims(credential: &str) -> Result<Map<String, Value>, WalletError> {
    let parsed = sd_jwt::parse(credential)?;
    let payload: Map<String, Value> =
        pavilion_json::read(parsed.credential.unverified_payload(), Limits::CREDENTIAL)?;
    let hash = HashAlgorithm::of_claim(payload.get(SD_ALG))?;
    Ok(process(payload, parsed.disclosures, hash)?)
}

/// The credential with the disclosures for `reveal`, each followed by `~`.
fn reveal_only(
    credential: &str,
    reveal: &[ClaimPath],
) -> Result<(String, HashAlgorithm), WalletError> {
    let parsed = sd_jwt::parse(credential)?;
    let payload: Value =
        pavilion_json::parse(parsed.credential.unverified_payload(), Limits::CREDENTIAL)?;
    let disclosures = select(&parsed, &payload, reveal)?;
    let issuer_signed = credential.split('~').next().unwrap_or_default();
    let mut bound = format!("{issuer_signed}~");
    for disclosure in disclosures {
        bound.push_str(disclosure);
        bound.push('~');
    }
    Ok((bound, HashAlgorithm::of_claim(payload.get(SD_ALG))?))
}
