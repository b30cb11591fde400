//! The signer: its published keys, and signatures by the current one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use pavilion_catalogue::{request, signer};
use pavilion_jose::{Algorithm, Jwk, Jwks};
use pavilion_json::{Digest, Limits};
use pavilion_results::{Answer, Unsigned};
use pavilion_rpc::signer::signer_client::SignerClient;
use pavilion_rpc::signer::{
    PublicKey, PublicKeysRequest, PublicKeysResponse, Purpose, SignRequest, Unsigned as Message,
};
use pavilion_rpc::{Manner, Origin, Together, outcomes, socket};
use tonic::Status;
use tonic::transport::Channel;

use super::refusal_of;
use crate::problems::Refusal;

/// How long a call may take.
const TIME_OUT: Duration = Duration::from_secs(3);

/// While one call is signed, the next is on its way.
const SIGNATURES: Manner = Manner {
    calls: 2,
    weight: 512 * 1024,
    time_out: TIME_OUT,
};

/// A client of the signer.
pub struct Signer {
    client: SignerClient<Channel>,
    signatures: Together<Message, Bytes>,
    keys: ArcSwapOption<PublishedKeys>,
}

/// The keys that answers verify under.
#[derive(Clone, Debug)]
pub struct PublishedKeys {
    /// The id of the key that new answers are signed with.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// All keys as a JWK set, in JSON.
    pub jwks: Bytes,
    /// Changes when the set does.
    pub digest: Digest,
}

/// Why a signature was not made.
enum Unsignable {
    /// The key was rotated out, or is not there: read the keys again.
    KeyGone,
    Refused(Refusal),
}

impl Signer {
    pub(super) fn new(path: &Path) -> Self {
        let client = SignerClient::new(socket::channel(path, TIME_OUT));
        let signing = client.clone();
        Self {
            client,
            signatures: Together::new(SIGNATURES, move |messages| sign(signing.clone(), messages)),
            keys: ArcSwapOption::empty(),
        }
    }

    /// The keys as last read; asks the signer if they never were.
    ///
    /// # Errors
    /// `signer_unavailable`.
    pub async fn keys(&self) -> Result<Arc<PublishedKeys>, Refusal> {
        match self.keys.load_full() {
            Some(keys) => Ok(keys),
            None => self.refresh().await,
        }
    }

    /// Signs an answer with the current key. If that was rotated out since the keys were read,
    /// they are read again and it is tried once more.
    ///
    /// # Errors
    /// `signer_unavailable` and its like; `internal_error` if the answer has no canonical form.
    pub async fn sign(&self, answer: &Answer, request_id: &str) -> Result<String, Refusal> {
        let keys = self.keys().await?;
        match self.sign_with(&keys, answer, request_id).await {
            Ok(jws) => return Ok(jws),
            Err(Unsignable::Refused(refusal)) => return Err(refusal),
            Err(Unsignable::KeyGone) => {}
        }
        let keys = self.refresh().await?;
        let signed = self.sign_with(&keys, answer, request_id).await;
        signed.map_err(|unsignable| match unsignable {
            Unsignable::Refused(refusal) => refusal,
            Unsignable::KeyGone => (&signer::UNAVAILABLE).into(),
        })
    }

    async fn sign_with(
        &self,
        keys: &PublishedKeys,
        answer: &Answer,
        request_id: &str,
    ) -> Result<String, Unsignable> {
        let unsigned = Unsigned::jwt(answer, keys.algorithm, &keys.kid)
            .map_err(|_| Unsignable::Refused((&request::INTERNAL).into()))?;
        let message = Message {
            key_id: keys.kid.clone(),
            message: Bytes::copy_from_slice(unsigned.signing_input().as_bytes()),
            origin: Some(Origin::of(request_id)),
        };
        let weight = message.message.len();
        match self.signatures.call(message, weight).await {
            Ok(signature) => Ok(unsigned.sign(&signature)),
            Err(status) if is_key_gone(&status) => Err(Unsignable::KeyGone),
            Err(status) => {
                let refusal = refusal_of(&status, &signer::UNAVAILABLE);
                Err(Unsignable::Refused(refusal))
            }
        }
    }

    /// Reads the keys again.
    pub(super) async fn refresh(&self) -> Result<Arc<PublishedKeys>, Refusal> {
        let published = self
            .client
            .clone()
            .public_keys(PublicKeysRequest {})
            .await
            .map_err(|status| refusal_of(&status, &signer::UNAVAILABLE))?
            .into_inner();
        let keys = PublishedKeys::of(&published).ok_or_else(|| {
            tracing::error!("the signer publishes no usable result key");
            Refusal::from(&signer::UNAVAILABLE)
        })?;
        let keys = Arc::new(keys);
        self.keys.store(Some(Arc::clone(&keys)));
        Ok(keys)
    }
}

async fn sign(
    mut client: SignerClient<Channel>,
    messages: Vec<Message>,
) -> Result<Vec<Result<Bytes, Status>>, Status> {
    let answer = client.sign(SignRequest { messages }).await?;
    Ok(outcomes(answer.into_inner().outcomes))
}

fn is_key_gone(status: &Status) -> bool {
    let gone = [signer::KEY_RETIRED.code, signer::KEY_UNKNOWN.code];
    pavilion_rpc::code_of(status).is_some_and(|code| gone.contains(&code))
}

impl PublishedKeys {
    /// `None` unless one of the keys is the current result key.
    fn of(published: &PublicKeysResponse) -> Option<Self> {
        let results = || {
            let is_result = |key: &&PublicKey| key.purpose == i32::from(Purpose::Result);
            published.keys.iter().filter(is_result)
        };
        let current = results().find(|key| key.current)?;
        let keys = results().map(jwk).collect::<Option<Vec<_>>>()?;
        let jwks = serde_json::to_vec(&Jwks { keys }).ok()?;
        Some(Self {
            kid: current.key_id.clone(),
            algorithm: jwk(current)?.algorithm(),
            digest: Digest::of(&jwks),
            jwks: jwks.into(),
        })
    }
}

/// A published key; one whose text is no public key, or is another key's, is not used.
fn jwk(key: &PublicKey) -> Option<Jwk> {
    let jwk: Jwk = pavilion_json::read(key.jwk.as_bytes(), Limits::CREDENTIAL).ok()?;
    (jwk.thumbprint() == key.key_id).then_some(jwk)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pavilion_jose::SigningKey;

    use super::*;

    fn published(current: bool, purpose: Purpose) -> PublicKey {
        let jwk = SigningKey::generate(Algorithm::Es256).unwrap().public();
        PublicKey {
            key_id: jwk.thumbprint(),
            purpose: purpose.into(),
            jwk: serde_json::to_string(&jwk).unwrap(),
            current,
            ..PublicKey::default()
        }
    }

    #[test]
    fn the_set_holds_result_keys_and_names_the_current_one() {
        let current = published(true, Purpose::Result);
        let keys = vec![
            published(false, Purpose::Result),
            current.clone(),
            published(true, Purpose::Checkpoint),
        ];
        let keys = PublishedKeys::of(&PublicKeysResponse { keys }).unwrap();
        assert_eq!(keys.kid, current.key_id);
        assert_eq!(keys.algorithm, Algorithm::Es256);
        let jwks: Jwks = serde_json::from_slice(&keys.jwks).unwrap();
        assert_eq!(jwks.keys.len(), 2);
    }

    #[test]
    fn a_set_without_a_current_key_or_with_a_wrong_one_is_not_used() {
        let mut mislabelled = published(true, Purpose::Result);
        mislabelled.key_id = published(true, Purpose::Result).key_id;
        for keys in [
            vec![],
            vec![published(false, Purpose::Result)],
            vec![published(true, Purpose::Checkpoint)],
            vec![mislabelled],
        ] {
            assert!(PublishedKeys::of(&PublicKeysResponse { keys }).is_none());
        }
    }
}
