//! The signer's client: has checkpoints signed with the tenant's checkpoint key.
//!
//! The key is asked for before the first signature and again after every failure, so a signer that
//! was restarted, or whose token was replaced, is noticed without a restart of the auditor.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pavilion_jose::from_base64url;
use pavilion_json::Limits;
use pavilion_rpc::signer::signed::Outcome;
use pavilion_rpc::signer::signer_client::SignerClient;
use pavilion_rpc::signer::{PublicKeysRequest, Purpose, SignRequest, Unsigned};
use pavilion_rpc::{code_of, socket};
use pavilion_tlog::VerifierKey;
use tonic::Status;
use tonic::transport::Channel;

use crate::engine::Signed;

/// How long one call to the signer may take.
const TIME_OUT: Duration = Duration::from_secs(2);

/// The client. Clones share the connection and the key.
#[derive(Clone, Debug)]
pub struct Signer {
    client: SignerClient<Channel>,
    origin: Arc<str>,
    key: Arc<Mutex<Option<Key>>>,
}

#[derive(Clone, Debug)]
struct Key {
    id: String,
    verifier: VerifierKey,
}

impl Signer {
    /// A client of the signer at `socket` for the log with this origin. Connects when first used.
    pub fn new(socket: &Path, origin: &str) -> Self {
        let client = SignerClient::new(socket::channel(socket, TIME_OUT));
        Self {
            client,
            origin: origin.into(),
            key: Arc::default(),
        }
    }

    /// Has a checkpoint's text signed; the error is for operators.
    pub async fn sign(&self, text: String) -> Result<Signed, String> {
        let key = match self.known() {
            Some(key) => key,
            None => self.fetch().await?,
        };
        let request = SignRequest {
            messages: vec![Unsigned {
                key_id: key.id,
                message: text.into(),
                origin: None,
            }],
        };
        let answer = self.client.clone().sign(request).await;
        let mut answer = answer.map_err(|status| self.forget(&status))?.into_inner();
        let signature = match answer.outcomes.pop().and_then(|signed| signed.outcome) {
            Some(Outcome::Signature(signature)) => signature,
            Some(Outcome::Failure(failure)) => return Err(self.forget(&failure.into())),
            None => return Err("the signer does not say what it did".to_owned()),
        };
        let signature = signature[..].try_into();
        let signature =
            signature.map_err(|_| "the signer's signature is not Ed25519".to_owned())?;
        Ok(Signed {
            key: key.verifier,
            signature,
        })
    }

    /// The log's verifier key, once the signer has told it.
    pub fn verifier_key(&self) -> Option<VerifierKey> {
        self.known().map(|key| key.verifier)
    }

    async fn fetch(&self) -> Result<Key, String> {
        let answer = self.client.clone().public_keys(PublicKeysRequest {}).await;
        let keys = answer
            .map_err(|status| self.forget(&status))?
            .into_inner()
            .keys;
        let wanted = |purpose| purpose == i32::from(Purpose::Checkpoint);
        let found = keys
            .into_iter()
            .find(|key| key.current && wanted(key.purpose));
        let found = found.ok_or("the signer has no checkpoint key")?;
        let public = ed25519(found.jwk.as_bytes()).ok_or("the checkpoint key is not Ed25519")?;
        let verifier = VerifierKey::new(&self.origin, public).map_err(|error| error.to_string())?;
        let key = Key {
            id: found.key_id,
            verifier,
        };
        self.set(Some(key.clone()));
        Ok(key)
    }

    /// The failure in words; the key is asked for again next time.
    fn forget(&self, status: &Status) -> String {
        self.set(None);
        let code = code_of(status).unwrap_or("signer_unavailable");
        format!(
            "the signer does not sign checkpoints ({code}): {}",
            status.message()
        )
    }

    fn known(&self) -> Option<Key> {
        self.key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, key: Option<Key>) {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }
}

/// The public key of an Ed25519 JWK (RFC 8037 section 2).
fn ed25519(jwk: &[u8]) -> Option<[u8; 32]> {
    let jwk = pavilion_json::parse(jwk, Limits::CREDENTIAL).ok()?;
    let is = |member: &str, value: &str| jwk.get(member).and_then(|v| v.as_str()) == Some(value);
    if !is("kty", "OKP") || !is("crv", "Ed25519") {
        return None;
    }
    from_base64url(jwk.get("x")?.as_str()?)
        .ok()?
        .try_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ed25519_key_is_taken() {
        // RFC 8037 appendix A.2.
        let good =
            br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(ed25519(good).map(|key| key[0]), Some(0xd7));
        let bad: [&[u8]; 4] = [
            br#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            br#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            br#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
            b"{",
        ];
        for jwk in bad {
            assert_eq!(ed25519(jwk), None);
        }
    }
}
