//! One signature, by whatever holds the key.

use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::ring::{Custody, Key};
use super::{Class, Purpose, TokenError, objects};

/// What a key is tried with at start.
const PROBE: &[u8] = b"pavilion signer self-test";

/// Signs with a key whose private half is in the token.
pub(super) fn in_token(
    session: &Session,
    key: &Key,
    handle: ObjectHandle,
    message: &[u8],
) -> Result<Vec<u8>, TokenError> {
    match key.label.purpose() {
        // Not every token hashes (CKM_ECDSA_SHA256), every token signs a digest (CKM_ECDSA).
        Purpose::Result => objects::sign_p256(session, handle, digest(&SHA256, message).as_ref()),
        Purpose::Checkpoint => objects::sign_ed25519(session, handle, message),
        Purpose::Seal => Err(TokenError::new(
            Class::Mechanism,
            "a sealing key does not sign",
        )),
    }
}

/// The private half of a key in the token.
pub(super) fn handle(session: &Session, key: &Key) -> Result<ObjectHandle, TokenError> {
    objects::find(session, &key.label, ObjectClass::PRIVATE_KEY)?.ok_or_else(|| {
        TokenError::new(
            Class::Token,
            format!("the key {} is not in the token", key.label),
        )
    })
}

/// True when the key signs and the signature verifies.
pub(super) fn proves(session: &Session, key: &Key) -> bool {
    let signature = match &key.custody {
        Custody::Wrapped(pair) => Ok(pair.sign(PROBE).as_ref().to_vec()),
        Custody::Token => {
            handle(session, key).and_then(|handle| in_token(session, key, handle, PROBE))
        }
    };
    signature.is_ok_and(|signature| key.verifies(PROBE, &signature))
}
