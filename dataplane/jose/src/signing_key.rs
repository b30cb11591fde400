//! A private key in memory: for tools, wallets and relying parties, never for answers.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::jwk::{algorithm, coordinate, point};
use crate::{Algorithm, JoseError, Jwk, base64url, signing_input};

/// A private key held in memory, cleared when it is dropped; it never prints itself.
pub struct SigningKey {
    pair: Pair,
    public: Jwk,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`JoseError::Key`] if the system has no randomness to give.
    pub fn generate(algorithm: Algorithm) -> Result<Self, JoseError> {
        let failed = |_| JoseError::Key("no key could be made");
        let pair = match algorithm.ecdsa_signing() {
            Some(signing) => Pair::Ecdsa(EcdsaKeyPair::generate(signing).map_err(failed)?),
            None => Pair::Ed25519(Ed25519KeyPair::generate().map_err(failed)?),
        };
        Self::new(algorithm, pair)
    }

    /// Reads a private JWK; public and private part must belong together.
    ///
    /// # Errors
    /// [`JoseError::Key`] with the reason.
    pub fn from_jwk(jwk: &Value) -> Result<Self, JoseError> {
        let members = jwk.as_object().ok_or(JoseError::Key("not an object"))?;
        let mut public = members.clone();
        public.remove("d");
        let public = Jwk::from_members(public)?;
        let algorithm = algorithm(members)?;
        let secret = Zeroizing::new(coordinate(members, "d", algorithm)?);
        let wrong = |_| JoseError::Key("the private part does not belong to the public one");
        let pair = match algorithm.ecdsa_signing() {
            Some(signing) => Pair::Ecdsa(
                EcdsaKeyPair::from_private_key_and_public_key(
                    signing,
                    &secret,
                    &point(public.members(), algorithm)?,
                )
                .map_err(wrong)?,
            ),
            None => Pair::Ed25519(
                Ed25519KeyPair::from_seed_and_public_key(
                    &secret,
                    &point(public.members(), algorithm)?,
                )
                .map_err(wrong)?,
            ),
        };
        Ok(Self { pair, public })
    }

    fn new(algorithm: Algorithm, pair: Pair) -> Result<Self, JoseError> {
        let public = match &pair {
            Pair::Ecdsa(pair) => Jwk::from_point(algorithm, pair.public_key().as_ref())?,
            Pair::Ed25519(pair) => Jwk::from_point(algorithm, pair.public_key().as_ref())?,
        };
        let kid = public.thumbprint();
        let public = public.with_kid(kid);
        Ok(Self { pair, public })
    }

    /// The private JWK. Whoever holds it holds the key: write it with mode 0600 and drop it.
    ///
    /// # Errors
    /// [`JoseError::Key`] if the library does not give the key out.
    pub fn to_jwk(&self) -> Result<Value, JoseError> {
        let failed = |_| JoseError::Key("the key cannot be written");
        let secret = match &self.pair {
            Pair::Ecdsa(pair) => {
                let secret: EcPrivateKeyBin<'_> =
                    pair.private_key().as_be_bytes().map_err(failed)?;
                Zeroizing::new(base64url(secret.as_ref()))
            }
            Pair::Ed25519(pair) => {
                let secret: Curve25519SeedBin<'_> = pair
                    .seed()
                    .and_then(|seed| seed.as_be_bytes())
                    .map_err(failed)?;
                Zeroizing::new(base64url(secret.as_ref()))
            }
        };
        let mut members: Map<String, Value> = self.public.members().clone();
        members.insert("d".into(), secret.as_str().into());
        Ok(Value::Object(members))
    }

    /// The public part; its `kid` is the RFC 7638 thumbprint unless it was read with another.
    pub fn public(&self) -> Jwk {
        self.public.clone()
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// Signs; ECDSA signatures are `r || s` of fixed width.
    ///
    /// # Errors
    /// [`JoseError::Key`] if the system has no randomness to give.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let failed = |_| JoseError::Key("the key cannot sign");
        match &self.pair {
            Pair::Ecdsa(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(failed),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// A compact JWS with this header and payload.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_compact(&self, header: &Value, payload: &[u8]) -> Result<String, JoseError> {
        let input = signing_input(header, payload);
        let signature = self.sign(input.as_bytes())?;
        Ok(crate::attach(&input, &signature))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_written_and_read_is_the_same_key() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let back = SigningKey::from_jwk(&key.to_jwk().unwrap()).unwrap();
            assert_eq!(back.public(), key.public());
            let signature = back.sign(b"m").unwrap();
            key.public()
                .key()
                .verify(algorithm, b"m", &signature)
                .unwrap();
            assert_eq!(format!("{key:?}"), format!("SigningKey({algorithm})"));
        }
    }

    #[test]
    fn parts_of_two_keys_do_not_make_one() {
        for algorithm in Algorithm::ALL {
            let mut mixed = SigningKey::generate(algorithm).unwrap().to_jwk().unwrap();
            let other = SigningKey::generate(algorithm).unwrap().to_jwk().unwrap();
            mixed["d"] = other["d"].clone();
            assert!(SigningKey::from_jwk(&mixed).is_err());
            mixed["d"] = "AA".into();
            assert!(SigningKey::from_jwk(&mixed).is_err());
        }
        assert!(SigningKey::from_jwk(&Value::Null).is_err());
    }
}
