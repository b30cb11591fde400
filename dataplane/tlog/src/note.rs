//! Signed notes ([C2SP signed-note]): a text and the signatures under it.
//!
//! [C2SP signed-note]: https://c2sp.org/signed-note

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::text::{is_key_name, is_note_text};

/// The longest note that is read, in bytes: room for 16 post-quantum signatures and to spare.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;
/// The most signatures a note may carry; the specification asks for at least 16.
pub const MAX_NOTE_SIGNATURES: usize = 64;

/// A note: text that ends in a newline, and one or more signatures. Reading one verifies nothing;
/// [`crate::VerifierKey::verify`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: u32,
    bytes: Vec<u8>,
}

/// Why a text is not a note, or not signed by the key that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`].
    #[error("the note is longer than 262,144 bytes")]
    TooLong,
    /// More than [`MAX_NOTE_SIGNATURES`] signatures.
    #[error("the note has more than 64 signatures")]
    TooManySignatures,
    /// A control character, a missing final newline, or no blank line before the signatures.
    #[error("not a signed note: text, a blank line, then signature lines")]
    Malformed,
    /// A line below the text is not `— <name> <base64>`.
    #[error("a signature line of the note is not of the form '— <name> <base64>'")]
    MalformedSignature,
    /// No signature line names the key.
    #[error("the note is not signed by the expected key")]
    NotSigned,
    /// A signature line names the key and does not verify.
    #[error("the note's signature by the expected key is wrong")]
    BadSignature,
}

impl NoteSignature {
    /// The name of the key that is said to have signed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key that is said to have signed.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The signature itself, without the key id.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A signature line of a key whose name was checked before.
    pub(crate) fn from_key(name: &str, key_id: u32, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            key_id,
            bytes,
        }
    }

    fn parse(line: &str) -> Result<Self, NoteError> {
        let rest = line
            .strip_prefix("— ")
            .ok_or(NoteError::MalformedSignature)?;
        let (name, encoded) = rest.split_once(' ').ok_or(NoteError::MalformedSignature)?;
        let bytes = STANDARD
            .decode(encoded)
            .map_err(|_| NoteError::MalformedSignature)?;
        match bytes.split_first_chunk::<4>() {
            Some((id, signature)) if !signature.is_empty() && is_key_name(name) => Ok(
                Self::from_key(name, u32::from_be_bytes(*id), signature.to_vec()),
            ),
            _ => Err(NoteError::MalformedSignature),
        }
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id.to_be_bytes(), self.bytes.as_slice()].concat();
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl Note {
    /// Puts a text and its signatures together, under the rules that reading applies.
    pub fn new(text: &str, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        if text.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        if signatures.len() > MAX_NOTE_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        if signatures.is_empty() || !text.ends_with('\n') || !is_note_text(text) {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The text that the signatures cover, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in the order of their lines, none of them verified.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        if !is_note_text(note) {
            return Err(NoteError::Malformed);
        }
        // The last empty line parts text and signatures; the text keeps its own newline.
        let blank = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
        let (text, below) = (&note[..=blank], &note[blank + 2..]);
        let lines = below.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        if lines.split('\n').count() > MAX_NOTE_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = lines
            .split('\n')
            .map(NoteSignature::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}
