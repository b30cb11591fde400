//! A public key, parsed once and verified with many times.

use std::fmt;

use aws_lc_rs::signature::ParsedPublicKey;

use crate::{Algorithm, JoseError, Jwk};

/// A parsed public key. The point is on its curve; there is one algorithm it is used with.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl PublicKey {
    /// From a `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1.2.7), as in a certificate.
    ///
    /// # Errors
    /// [`JoseError::Key`] if it is not one of P-256, P-384, P-521 or Ed25519.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, JoseError> {
        const SEQUENCE: u8 = 0x30;
        if der.first() != Some(&SEQUENCE) {
            return Err(JoseError::Key("not a SubjectPublicKeyInfo"));
        }
        Algorithm::ALL
            .into_iter()
            .find_map(|algorithm| Self::parse(algorithm, der).ok())
            .ok_or(JoseError::Key(
                "the certificate's key is none of P-256, P-384, P-521 and Ed25519",
            ))
    }

    /// From a JWK.
    pub fn from_jwk(jwk: &Jwk) -> Self {
        jwk.key().clone()
    }

    /// From an uncompressed point (SEC 1 section 2.3.3), or the 32 bytes of an Ed25519 key.
    pub(crate) fn parse(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, JoseError> {
        let key = ParsedPublicKey::new(algorithm.verification(), bytes)
            .map_err(|_| JoseError::Key("not a point of its curve"))?;
        Ok(Self { algorithm, key })
    }

    /// The algorithm this key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Verifies a signature; ECDSA ones are `r || s` of fixed width (RFC 7518 section 3.4).
    ///
    /// # Errors
    /// [`JoseError::KeyMismatch`] if the key is of another algorithm, [`JoseError::Signature`] if
    /// the signature does not verify.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JoseError> {
        if algorithm != self.algorithm {
            return Err(JoseError::KeyMismatch);
        }
        self.key
            .verify_sig(message, signature)
            .map_err(|_| JoseError::Signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.algorithm)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_lc_rs::encoding::AsDer;

    use super::*;
    use crate::SigningKey;

    #[test]
    fn a_key_from_a_certificate_verifies_with_its_own_algorithm_only() {
        for algorithm in Algorithm::ALL {
            let signing = SigningKey::generate(algorithm).unwrap();
            let der = signing.public().key().key.as_der().unwrap();
            let key = PublicKey::from_spki_der(der.as_ref()).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            let signature = signing.sign(b"message").unwrap();
            assert_eq!(key.verify(algorithm, b"message", &signature), Ok(()));
            assert_eq!(
                key.verify(algorithm, b"Message", &signature),
                Err(JoseError::Signature)
            );
            for other in Algorithm::ALL.into_iter().filter(|a| *a != algorithm) {
                assert_eq!(
                    key.verify(other, b"message", &signature),
                    Err(JoseError::KeyMismatch)
                );
            }
            assert_eq!(format!("{key:?}"), format!("PublicKey({algorithm})"));
        }
    }

    #[test]
    fn a_bare_point_or_rubbish_is_no_certificate_key() {
        for bad in [&[4_u8; 65][..], &[0x30, 1, 2], &[]] {
            assert!(PublicKey::from_spki_der(bad).is_err());
        }
    }
}
