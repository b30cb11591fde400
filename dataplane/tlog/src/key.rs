//! Verifier keys of signed notes ([C2SP signed-note], "Verifier keys"), Ed25519 only.
//!
//! [C2SP signed-note]: https://c2sp.org/signed-note

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hash::sha256;
use crate::note::{Note, NoteError, NoteSignature};
use crate::text::is_key_name;

/// The signature type of Ed25519 in signed-note.
const TYPE_ED25519: u8 = 0x01;
/// Bytes in an Ed25519 public key.
const PUBLIC_KEY_BYTES: usize = 32;
/// Bytes in an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;
/// The longest verifier key that is read; names are short in practice.
const MAX_KEY_CHARACTERS: usize = 1024;

/// The public half of a key that signs notes: a name and an Ed25519 key.
///
/// Its text form (`Display`, `FromStr`) is the *vkey*: `<name>+<key id in hex>+<base64 of type and key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: u32,
    public: [u8; PUBLIC_KEY_BYTES],
}

/// Why a text is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `<name>+<8 hex digits>+<base64>`, or longer than 1,024 characters.
    #[error("not a verifier key of the form <name>+<key id>+<key>")]
    Malformed,
    /// The name is empty or has a space, a plus or a control character.
    #[error("the key's name is empty or has a space, a plus sign or a control character")]
    Name,
    /// A signature type other than Ed25519 (0x01).
    #[error("the key's signature type is not Ed25519 (0x01)")]
    Type,
    /// The key id is not the one that name and key give.
    #[error("the key id does not belong to the name and the key")]
    Id,
}

impl VerifierKey {
    /// The verifier key for an Ed25519 public key (RFC 8032, 32 bytes) under a name.
    pub fn new(name: &str, public: [u8; PUBLIC_KEY_BYTES]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let hash = sha256(&[name.as_bytes(), b"\n", &[TYPE_ED25519], &public]);
        let id = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        Ok(Self {
            name: name.to_owned(),
            id,
            public,
        })
    }

    /// The key's name; for a log it is the origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id: the first four bytes of SHA-256(name || 0x0A || type || key).
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The Ed25519 public key, 32 bytes.
    pub fn public_key(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        &self.public
    }

    /// The signature line for an Ed25519 signature that somebody else made over a note's text.
    pub fn signature(&self, signature: [u8; SIGNATURE_BYTES]) -> NoteSignature {
        NoteSignature::from_key(&self.name, self.id, signature.to_vec())
    }

    /// Verifies the note's signatures by this key: at least one, and every one, must be right.
    pub fn verify(&self, note: &Note) -> Result<(), NoteError> {
        let mut found = false;
        for signature in note.signatures() {
            if signature.name() != self.name || signature.key_id() != self.id {
                continue;
            }
            found = true;
            UnparsedPublicKey::new(&ED25519, &self.public)
                .verify(note.text().as_bytes(), signature.bytes())
                .map_err(|_| NoteError::BadSignature)?;
        }
        if found {
            Ok(())
        } else {
            Err(NoteError::NotSigned)
        }
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() > MAX_KEY_CHARACTERS {
            return Err(KeyError::Malformed);
        }
        // The base64 part may hold plus signs itself, so the text is cut from the left.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed);
        };
        if id.len() != 8 || !id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(KeyError::Malformed);
        }
        let id = u32::from_str_radix(id, 16).map_err(|_| KeyError::Malformed)?;
        let key = STANDARD.decode(key).map_err(|_| KeyError::Malformed)?;
        let public = match key.split_first() {
            Some((&TYPE_ED25519, public)) => public.try_into().map_err(|_| KeyError::Malformed)?,
            Some(_) => return Err(KeyError::Type),
            None => return Err(KeyError::Malformed),
        };
        let parsed = Self::new(name, public)?;
        if parsed.id == id {
            Ok(parsed)
        } else {
            Err(KeyError::Id)
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = [TYPE_ED25519; 1 + PUBLIC_KEY_BYTES];
        key[1..].copy_from_slice(&self.public);
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The example of the signed-note specification.
    const EXAMPLE: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    #[test]
    fn the_example_of_the_specification_goes_round() {
        let key: VerifierKey = EXAMPLE.parse().unwrap();
        assert_eq!((key.name(), key.id()), ("example.com/foo", 0x530d_903a));
        assert_eq!(key.to_string(), EXAMPLE);
        assert_eq!(
            VerifierKey::new(key.name(), *key.public_key()).unwrap(),
            key
        );
    }

    #[test]
    fn a_key_that_is_not_exactly_right_is_refused() {
        let cases = [
            (EXAMPLE.replace("530d903a", "530d903b"), KeyError::Id),
            (EXAMPLE.replace("530d903a", "530D903A"), KeyError::Malformed),
            (EXAMPLE.replace("/foo", "/bar"), KeyError::Id),
            (EXAMPLE.replace("+Ae", "+Be"), KeyError::Type),
            (EXAMPLE.replace("/foo", " foo"), KeyError::Name),
            (EXAMPLE.replace("U2k", ""), KeyError::Malformed),
            ("a+00000000+".into(), KeyError::Malformed),
            ("a".into(), KeyError::Malformed),
            (
                format!("{}{EXAMPLE}", "a".repeat(1024)),
                KeyError::Malformed,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<VerifierKey>(), Err(error), "{text}");
        }
    }
}
