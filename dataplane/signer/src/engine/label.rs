//! Names inside the token: the label of a key, the label of the token.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rand;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// ES256 over answers.
    Result,
    /// Ed25519 over checkpoints of the log.
    Checkpoint,
    /// AES-256 that seals the checkpoint key where the token cannot hold it. Never published.
    Seal,
}

impl Purpose {
    /// The purposes whose keys are published.
    pub const PUBLISHED: [Self; 2] = [Self::Result, Self::Checkpoint];

    /// The purpose as a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Checkpoint => "checkpoint",
            Self::Seal => "seal",
        }
    }
}

/// The name of a key in the token: purpose, when it was made, and a random part.
///
/// It is written `pavilion:<purpose>:<milliseconds since the epoch>:<16 hex digits>`, and is the
/// label (`CKA_LABEL`) of every object that belongs to the key. Objects with other labels are not
/// ours and are left alone. Labels of one purpose sort by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyLabel {
    purpose: Purpose,
    created_ms: i64,
    id: [u8; 8],
}

/// A label that is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a label pavilion:<purpose>:<milliseconds>:<16 hex digits>")]
pub struct LabelError;

impl KeyLabel {
    /// A new name for a key made at `now`, or just after `after` if the clock went back: the newest
    /// key of a purpose is the current one, whatever the clock does.
    pub(super) fn new(purpose: Purpose, now: Timestamp, after: Option<&Self>) -> Option<Self> {
        let mut id = [0; 8];
        rand::fill(&mut id).ok()?;
        let least = after.map_or(i64::MIN, |before| before.created_ms.saturating_add(1));
        let created_ms = now.as_millisecond().max(least);
        Some(Self {
            purpose,
            created_ms,
            id,
        })
    }

    /// What the key is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// When the key was made, to the millisecond.
    pub fn created(&self) -> Timestamp {
        Timestamp::from_millisecond(self.created_ms).unwrap_or(Timestamp::MAX)
    }

    /// The random part: `CKA_ID` of the key's objects.
    pub(super) fn id(&self) -> Vec<u8> {
        self.id.to_vec()
    }
}

impl fmt::Display for KeyLabel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (purpose, id) = (self.purpose.name(), hex::encode(self.id));
        write!(out, "pavilion:{purpose}:{}:{id}", self.created_ms)
    }
}

impl FromStr for KeyLabel {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let mut parts = text.split(':');
        let mut next = || parts.next().ok_or(LabelError);
        let (house, purpose, created, id) = (next()?, next()?, next()?, next()?);
        let purpose = match purpose {
            "result" => Purpose::Result,
            "checkpoint" => Purpose::Checkpoint,
            "seal" => Purpose::Seal,
            _ => return Err(LabelError),
        };
        let created_ms: i64 = created.parse().map_err(|_| LabelError)?;
        Timestamp::from_millisecond(created_ms).map_err(|_| LabelError)?;
        let mut label = Self {
            purpose,
            created_ms,
            id: [0; 8],
        };
        hex::decode_to_slice(id, &mut label.id).map_err(|_| LabelError)?;
        // One spelling per label: "+1", "01" and upper-case hex are somebody else's.
        if house != "pavilion" || label.to_string() != text {
            return Err(LabelError);
        }
        Ok(label)
    }
}

impl TryFrom<String> for KeyLabel {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        text.parse()
    }
}

impl From<KeyLabel> for String {
    fn from(label: KeyLabel) -> Self {
        label.to_string()
    }
}

/// The label of a token: 1 to 32 visible ASCII characters (PKCS#11 pads it with spaces to 32).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenLabel(String);

impl TokenLabel {
    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TokenLabel {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits =
            (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(Self(text))
            .ok_or("a token label has 1 to 32 visible ASCII characters")
    }
}

impl From<TokenLabel> for String {
    fn from(label: TokenLabel) -> Self {
        label.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn a_label_reads_back_as_itself() {
        let label = KeyLabel::new(Purpose::Result, at(1_732_270_530_123), None).unwrap();
        assert!(
            label
                .to_string()
                .starts_with("pavilion:result:1732270530123:")
        );
        assert_eq!(label.to_string().parse(), Ok(label));
        assert_eq!(label.created(), at(1_732_270_530_123));
    }

    #[test]
    fn a_new_key_is_the_newest_even_when_the_clock_went_back() {
        let first = KeyLabel::new(Purpose::Result, at(2_000), None).unwrap();
        let second = KeyLabel::new(Purpose::Result, at(1_000), Some(&first)).unwrap();
        assert!(second > first);
        assert_eq!(second.created(), at(2_001));
    }

    #[test]
    fn labels_that_are_not_ours_are_left_alone() {
        for foreign in [
            "",
            "pavilion",
            "pavilion:result:1:00",
            "other:result:1:0011223344556677",
            "pavilion:oprf:1:0011223344556677",
            "pavilion:result:+1:0011223344556677",
            "pavilion:result:01:0011223344556677",
            "pavilion:result:1:001122334455667A",
            "pavilion:result:1:0011223344556677:x",
            "pavilion:result:9223372036854775807:0011223344556677",
        ] {
            assert_eq!(foreign.parse::<KeyLabel>(), Err(LabelError), "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn reading_a_label_never_panics(text in "\\PC{0,80}|pavilion:(result|seal):[0-9+-]{0,20}:[0-9a-fA-F]{0,20}") {
            if let Ok(label) = text.parse::<KeyLabel>() {
                prop_assert_eq!(label.to_string(), text);
            }
        }
    }
}
