//! Checkpoints ([C2SP tlog-checkpoint]): the signed statement of a tree's size and root.
//!
//! [C2SP tlog-checkpoint]: https://c2sp.org/tlog-checkpoint

use std::fmt;
use std::str::FromStr;

use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::note::{Note, NoteError};
use crate::text::{decimal, is_note_text};

/// The longest origin line, in bytes.
pub const MAX_ORIGIN_BYTES: usize = 255;
/// The most extension lines that are read; this product writes none.
const MAX_EXTENSIONS: usize = 16;
/// The longest checkpoint text, in bytes.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// A log's head: how many entries, and the root over them. `Display` is the text that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// Why a text is not an acceptable checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Longer than 16 KiB or with more than 16 extension lines.
    #[error("the checkpoint is longer than 16 KiB or has more than 16 extension lines")]
    TooLong,
    /// The origin is empty, too long, or has a control character.
    #[error("the checkpoint's origin is empty, longer than 255 bytes or has a control character")]
    Origin,
    /// The second line is not a tree size.
    #[error("the checkpoint's tree size is not a decimal number")]
    Size,
    /// The third line is not a hash.
    #[error("the checkpoint's root is not a SHA-256 hash in base64")]
    Root,
    /// A line is missing or empty.
    #[error("the checkpoint is not three or more non-empty lines")]
    Lines,
    /// The checkpoint is of another log.
    #[error("the checkpoint's origin is not the expected log")]
    OtherLog,
    /// The note around the checkpoint is malformed or not rightly signed.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// The checkpoint of a tree, without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        let fits = (1..=MAX_ORIGIN_BYTES).contains(&origin.len());
        if !fits || !is_note_text(origin) || origin.contains('\n') {
            return Err(CheckpointError::Origin);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            extensions: Vec::new(),
        })
    }

    /// Verifies a signed checkpoint by the log's key, whose name must be the origin, and reads it.
    pub fn open(note: &Note, key: &VerifierKey) -> Result<Self, CheckpointError> {
        key.verify(note)?;
        let checkpoint: Self = note.text().parse()?;
        if checkpoint.origin == key.name() {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::OtherLog)
        }
    }

    /// The log's identity, the first line.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over the entries (RFC 6962 section 2.1).
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The lines after the third, opaque.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(CheckpointError::TooLong);
        }
        let mut lines = text
            .strip_suffix('\n')
            .ok_or(CheckpointError::Lines)?
            .split('\n');
        let mut line = || {
            lines
                .next()
                .filter(|line| !line.is_empty())
                .ok_or(CheckpointError::Lines)
        };
        let (origin, size, root) = (line()?, line()?, line()?);
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let root = root.parse().map_err(|_| CheckpointError::Root)?;
        let mut checkpoint = Self::new(origin, size, root)?;
        for extension in lines {
            if checkpoint.extensions.len() == MAX_EXTENSIONS {
                return Err(CheckpointError::TooLong);
            }
            if extension.is_empty() || !is_note_text(extension) {
                return Err(CheckpointError::Lines);
            }
            checkpoint.extensions.push(extension.to_owned());
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}
