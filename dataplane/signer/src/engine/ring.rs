//! The keys as callers see them: which one signs, which are published, and until when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, Ed25519KeyPair, UnparsedPublicKey};
use jiff::Timestamp;
use pavilion_jose::{Jwk, base64url};
use serde_json::{Value, json};

use super::form::KnownHeader;
use super::{KeyLabel, Purpose, SignerError};

/// How long a replaced key may still sign: requests that read the keys just before the rotation.
pub const GRACE: Duration = Duration::from_secs(30);

/// How far behind the clock of whoever checks a signature may be: the offline check's leeway.
pub const LEEWAY: Duration = Duration::from_mins(1);

/// Where a private key lives.
pub(super) enum Custody {
    /// In the token; it cannot leave.
    Token,
    /// Sealed under a token key, and opened in this process's memory.
    Wrapped(Box<Ed25519KeyPair>),
}

impl Custody {
    /// The custody as a word.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Wrapped(_) => "wrapped",
        }
    }
}

impl fmt::Debug for Custody {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// One key that signs.
#[derive(Debug)]
pub(super) struct Key {
    pub label: KeyLabel,
    pub kid: String,
    /// The public key as a JWK with `kid`, `alg` and `use`.
    pub jwk: Value,
    pub custody: Custody,
    /// The header of answers signed with it.
    pub header: KnownHeader,
    point: Vec<u8>,
}

impl Key {
    /// The key `label` with the public key `point`. `None` when that is no public key.
    pub(super) fn new(label: KeyLabel, point: Vec<u8>, custody: Custody) -> Option<Self> {
        let (mut jwk, algorithm) = match (label.purpose(), point.as_slice()) {
            (Purpose::Result, [0x04, xy @ ..]) if xy.len() == 64 => {
                let (x, y) = (base64url(&xy[..32]), base64url(&xy[32..]));
                (
                    json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}),
                    "ES256",
                )
            }
            (Purpose::Checkpoint, x) if x.len() == 32 => (
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(x)}),
                "EdDSA",
            ),
            _ => return None,
        };
        let kid = serde_json::from_value::<Jwk>(jwk.clone())
            .ok()?
            .thumbprint();
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(algorithm);
        jwk["use"] = json!("sig");
        Some(Self {
            label,
            kid,
            jwk,
            custody,
            header: KnownHeader::default(),
            point,
        })
    }

    /// True when `signature` over `message` is this key's.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.label.purpose() {
            Purpose::Result => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.point)
                .verify(message, signature),
            _ => UnparsedPublicKey::new(&ED25519, &self.point).verify(message, signature),
        };
        verified.is_ok()
    }
}

/// One published key.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicKey {
    /// The RFC 7638 SHA-256 thumbprint, base64url.
    pub key_id: String,
    /// What it signs.
    pub purpose: Purpose,
    /// The key as a JWK with `kid`, `alg` and `use`.
    pub jwk: Value,
    /// True for the key that signs now.
    pub current: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it leaves the published set; `None` while it is current.
    pub retires: Option<Timestamp>,
    /// `token` or `wrapped`.
    pub custody: &'static str,
}

/// A key's place in time.
#[derive(Clone, Debug)]
struct Entry {
    key: Arc<Key>,
    /// When it was replaced and when it leaves; `None` while it is current.
    replaced: Option<(Timestamp, Timestamp)>,
}

/// All keys, as they are between two rotations.
#[derive(Debug, Default)]
pub(super) struct Ring(Vec<Entry>);

impl Ring {
    /// The ring of `keys` with the time each is to leave, as far as it is recorded. A replaced key
    /// leaves when it was promised to, or `overlap` after the last moment it may sign at (plus the
    /// leeway of clocks), whichever is later: an answer of that moment is valid for up to `overlap`.
    pub(super) fn new(mut keys: Vec<(Arc<Key>, Option<Timestamp>)>, overlap: Duration) -> Self {
        keys.sort_by_key(|(one, _)| one.label);
        let successors: Vec<_> = keys
            .iter()
            .skip(1)
            .map(|(key, _)| Some(key.label))
            .chain([None])
            .collect();
        let entries = keys
            .into_iter()
            .zip(successors)
            .map(|((key, recorded), next)| {
                // Labels sort by purpose first, so the next one of the same purpose is the successor.
                let next = next.filter(|next| next.purpose() == key.label.purpose());
                let replaced = next.map(|next| {
                    let due = after(next.created(), GRACE + overlap + LEEWAY);
                    (
                        next.created(),
                        recorded.map_or(due, |recorded| recorded.max(due)),
                    )
                });
                Entry { key, replaced }
            });
        Self(entries.collect())
    }

    /// The key with the id, if it may sign at `now`.
    pub(super) fn signing_key(&self, kid: &str, now: Timestamp) -> Result<&Arc<Key>, SignerError> {
        let entry = self
            .0
            .iter()
            .find(|entry| entry.key.kid == kid)
            .ok_or(SignerError::KeyUnknown)?;
        match entry.replaced {
            Some((at, _)) if now >= after(at, GRACE) => Err(SignerError::KeyRetired),
            _ => Ok(&entry.key),
        }
    }

    /// The key of the purpose that signs now.
    pub(super) fn current(&self, purpose: Purpose) -> Option<&Arc<Key>> {
        let mut current = self.0.iter().filter(|entry| entry.replaced.is_none());
        current
            .find(|entry| entry.key.label.purpose() == purpose)
            .map(|entry| &entry.key)
    }

    /// When a result key that is replaced at the age `every` is due to be.
    pub(super) fn rotation_due(&self, every: Option<Duration>) -> Option<Timestamp> {
        let made = self.current(Purpose::Result)?.label.created();
        made.checked_add(every?).ok()
    }

    /// The keys a verifier may need at `now`.
    pub(super) fn published(&self, now: Timestamp) -> Vec<PublicKey> {
        let entries = self
            .0
            .iter()
            .filter(|entry| entry.replaced.is_none_or(|(_, leaves)| leaves > now));
        entries.map(Entry::public).collect()
    }

    /// The keys that have left the published set at `now`.
    pub(super) fn retired(&self, now: Timestamp) -> Vec<KeyLabel> {
        let left = |entry: &&Entry| entry.replaced.is_some_and(|(_, leaves)| leaves <= now);
        self.0
            .iter()
            .filter(left)
            .map(|entry| entry.key.label)
            .collect()
    }

    /// Every key with the time it leaves.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&Arc<Key>, Option<Timestamp>)> {
        self.0
            .iter()
            .map(|entry| (&entry.key, entry.replaced.map(|(_, leaves)| leaves)))
    }
}

impl Entry {
    fn public(&self) -> PublicKey {
        PublicKey {
            key_id: self.key.kid.clone(),
            purpose: self.key.label.purpose(),
            jwk: self.key.jwk.clone(),
            current: self.replaced.is_none(),
            created: self.key.label.created(),
            retires: self.replaced.map(|(_, leaves)| leaves),
            custody: self.key.custody.name(),
        }
    }
}

fn after(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use aws_lc_rs::signature::KeyPair;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn checkpoint_key(second: i64) -> Arc<Key> {
        let pair = Ed25519KeyPair::generate().unwrap();
        let label = KeyLabel::new(Purpose::Checkpoint, at(second), None).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        Arc::new(Key::new(label, point, Custody::Wrapped(Box::new(pair))).unwrap())
    }

    fn ring(overlap: u64) -> (Ring, String, String) {
        let (old, new) = (checkpoint_key(100), checkpoint_key(200));
        let ids = (old.kid.clone(), new.kid.clone());
        (
            Ring::new(vec![(new, None), (old, None)], Duration::from_secs(overlap)),
            ids.0,
            ids.1,
        )
    }

    #[test]
    fn the_newest_key_is_current_and_the_old_one_stays_published_for_the_overlap() {
        let (ring, old, new) = ring(60);
        let published = |second| {
            ring.published(at(second))
                .into_iter()
                .map(|key| key.key_id)
                .collect::<Vec<_>>()
        };
        assert_eq!(published(349), [old.clone(), new.clone()]);
        assert_eq!(published(350), std::slice::from_ref(&new));
        assert_eq!(ring.current(Purpose::Checkpoint).unwrap().kid, new);
        assert!(ring.current(Purpose::Result).is_none());
        assert!(ring.retired(at(349)).is_empty());
        assert_eq!(ring.retired(at(350)).len(), 1);
    }

    #[test]
    fn a_replaced_key_signs_for_a_short_grace_only() {
        let (ring, old, new) = ring(60);
        assert!(ring.signing_key(&old, at(229)).is_ok());
        assert_eq!(
            ring.signing_key(&old, at(230)).unwrap_err(),
            SignerError::KeyRetired
        );
        assert!(ring.signing_key(&new, at(10_000)).is_ok());
        assert_eq!(
            ring.signing_key("other", at(1)).unwrap_err(),
            SignerError::KeyUnknown
        );
    }

    #[test]
    fn a_key_is_published_until_the_answer_it_signed_last_has_expired_everywhere() {
        let overlap = 60;
        let (ring, old, _) = ring(overlap);
        let last = (200..400)
            .rfind(|second| ring.signing_key(&old, at(*second)).is_ok())
            .unwrap();
        // The longest an answer may be valid is the overlap; a clock may be behind by the leeway.
        let expires = last + i64::try_from(overlap).unwrap();
        let leeway = i64::try_from(LEEWAY.as_secs()).unwrap();
        let published = |second| {
            let keys = ring.published(at(second));
            keys.iter().any(|key| key.key_id == old)
        };
        assert!(published(expires + leeway));
    }

    #[test]
    fn a_recorded_promise_outlives_a_shorter_overlap_in_a_new_configuration() {
        let (old, new) = (checkpoint_key(100), checkpoint_key(200));
        let ring = Ring::new(
            vec![(old, Some(at(900))), (new, None)],
            Duration::from_secs(1),
        );
        assert_eq!(ring.published(at(899)).len(), 2);
        assert_eq!(ring.published(at(900)).len(), 1);
    }

    #[test]
    fn a_published_key_says_what_it_is_for_and_no_secret() {
        let (ring, ..) = ring(60);
        let key = &ring.published(at(0))[0];
        assert_eq!(key.jwk["kid"], json!(key.key_id));
        assert_eq!(
            (&key.jwk["alg"], &key.jwk["use"]),
            (&json!("EdDSA"), &json!("sig"))
        );
        assert_eq!(key.jwk.get("d"), None);
        assert_eq!(key.custody, "wrapped");
        assert!(!format!("{ring:?}").contains("KeyPair"));
    }

    #[test]
    fn a_signature_of_another_message_does_not_verify() {
        let key = checkpoint_key(1);
        let Custody::Wrapped(pair) = &key.custody else {
            unreachable!()
        };
        let signature = pair.sign(b"one");
        assert!(key.verifies(b"one", signature.as_ref()));
        assert!(!key.verifies(b"two", signature.as_ref()));
    }

    #[test]
    fn bytes_that_are_no_point_make_no_key() {
        let label = KeyLabel::new(Purpose::Result, at(1), None).unwrap();
        assert!(Key::new(label, vec![0x04; 32], Custody::Token).is_none());
        assert!(Key::new(label, vec![0x02; 65], Custody::Token).is_none());
    }
}
