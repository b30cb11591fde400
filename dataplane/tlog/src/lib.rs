//! The transparency-log format: what is in a log, and how an outsider checks it.
//!
//! This crate promises bytes, not storage: it hashes entries and trees (RFC 6962), names tiles
//! and entry bundles ([C2SP tlog-tiles]), reads and writes checkpoints ([C2SP tlog-checkpoint])
//! and signed notes ([C2SP signed-note]), makes and checks inclusion and consistency proofs, and
//! reads and writes the self-contained receipt ([C2SP tlog-proof]). There is no I/O here.
//!
//! Every parser takes hostile bytes: it limits the size before it looks inside, accepts one
//! spelling of each value, never panics, and answers with an error that repeats nothing of the
//! input.
//!
//! Why this is written here although `tlog_tiles` and `signed_note` exist: both bring a second
//! cryptography stack (`sha2`, `ed25519-dalek`) into a workspace that has exactly one,
//! `tlog_tiles` names tiles as the Go checksum database does (with the tile height in the path,
//! which C2SP has not), its proof functions assert instead of returning errors, and neither knows
//! the `tlog-proof` format. `tlog_tiles` is the second opinion in this crate's tests.
//!
//! [C2SP tlog-tiles]: https://c2sp.org/tlog-tiles
//! [C2SP tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [C2SP signed-note]: https://c2sp.org/signed-note
//! [C2SP tlog-proof]: https://c2sp.org/tlog-proof

mod bundle;
mod checkpoint;
mod hash;
mod key;
mod merkle;
mod note;
mod proof;
mod text;
mod tile;
mod tree;

pub use bundle::{BundleError, MAX_ENTRY_BYTES, push_entry, split_entries};
pub use checkpoint::{Checkpoint, CheckpointError, MAX_ORIGIN_BYTES};
pub use hash::{EMPTY_ROOT, HASH_BYTES, Hash, HashError, leaf_hash, node_hash};
pub use key::{KeyError, VerifierKey};
pub use merkle::{MAX_PROOF_HASHES, MerkleError, verify_consistency, verify_inclusion};
pub use note::{MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, Note, NoteError, NoteSignature};
pub use proof::{MAX_PROOF_BYTES, Proof, ProofError};
pub use tile::{Node, TILE_WIDTH, TileKind, TilePath, TilePathError};
pub use tree::{TreeError, consistency_proof, inclusion_proof, node_in_tile, root};
