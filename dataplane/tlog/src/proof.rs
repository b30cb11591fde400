//! Offline receipts ([C2SP tlog-proof], suffix `.tlog-proof`): an entry's place in a log, the
//! inclusion proof and the signed checkpoint in one text.
//!
//! [C2SP tlog-proof]: https://c2sp.org/tlog-proof

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bundle::MAX_ENTRY_BYTES;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::merkle::{MAX_PROOF_HASHES, MerkleError, verify_inclusion};
use crate::note::{MAX_NOTE_BYTES, Note, NoteError};
use crate::text::decimal;

/// The longest proof that is read, in bytes: a full entry in base64, 64 hashes and a note.
pub const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + 128 * 1024;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A self-contained proof of inclusion. Reading one verifies nothing; [`Proof::verify`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Data for the application, at most 65,535 bytes; nothing vouches for it.
    /// The auditor puts the entry here.
    pub extra: Option<Vec<u8>>,
    /// The entry's zero-based index in the log.
    pub index: u64,
    /// The audit path from the leaf's sibling to the root's child (RFC 6962 section 2.1.1).
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: Note,
}

/// Why a text is not a proof, or does not prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Longer than [`MAX_PROOF_BYTES`], or with more than [`MAX_PROOF_HASHES`] hashes.
    #[error("the proof is longer than 393,216 bytes or has more than 64 hashes")]
    TooLong,
    /// The first line is not `c2sp.org/tlog-proof@v1`.
    #[error("not a c2sp.org/tlog-proof@v1")]
    FirstLine,
    /// The extra line is not base64, or more than 65,535 bytes.
    #[error("the proof's extra data is not base64 of at most 65,535 bytes")]
    Extra,
    /// The index line is missing or not a decimal number.
    #[error("the proof's index line is missing or not a decimal number")]
    Index,
    /// A line of the audit path is not a hash, or the blank line after it is missing.
    #[error("a hash of the proof is not a SHA-256 hash in base64")]
    Hash,
    /// The checkpoint is malformed, of another log, or not rightly signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The audit path does not lead from the entry to the checkpoint's root.
    #[error(transparent)]
    Merkle(#[from] MerkleError),
}

impl From<NoteError> for ProofError {
    fn from(error: NoteError) -> Self {
        Self::Checkpoint(error.into())
    }
}

impl Proof {
    /// Verifies that the log `key` belongs to signed a tree with this leaf at [`Proof::index`].
    /// The leaf hash comes from the entry the caller expects (`leaf_hash(entry)`).
    pub fn verify(&self, leaf: &Hash, key: &VerifierKey) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let root = checkpoint.root();
        verify_inclusion(self.index, checkpoint.size(), leaf, &self.hashes, &root)?;
        Ok(checkpoint)
    }
}

impl FromStr for Proof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(ProofError::TooLong);
        }
        let (first, rest) = text.split_once('\n').ok_or(ProofError::FirstLine)?;
        if first != FIRST_LINE {
            return Err(ProofError::FirstLine);
        }
        let (mut line, mut rest) = rest.split_once('\n').ok_or(ProofError::Index)?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            let bytes = STANDARD.decode(encoded).map_err(|_| ProofError::Extra)?;
            if bytes.len() > MAX_ENTRY_BYTES {
                return Err(ProofError::Extra);
            }
            extra = Some(bytes);
            (line, rest) = rest.split_once('\n').ok_or(ProofError::Index)?;
        }
        let index = line
            .strip_prefix("index ")
            .and_then(decimal)
            .ok_or(ProofError::Index)?;
        let (hashes, note) = audit_path(rest)?;
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint: note.parse()?,
        })
    }
}

/// Reads hashes up to the blank line; returns them and what follows it.
fn audit_path(mut rest: &str) -> Result<(Vec<Hash>, &str), ProofError> {
    let mut hashes = Vec::new();
    loop {
        let (line, below) = rest.split_once('\n').ok_or(ProofError::Hash)?;
        if line.is_empty() {
            return Ok((hashes, below));
        }
        if hashes.len() == MAX_PROOF_HASHES {
            return Err(ProofError::TooLong);
        }
        hashes.push(line.parse().map_err(|_| ProofError::Hash)?);
        rest = below;
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
