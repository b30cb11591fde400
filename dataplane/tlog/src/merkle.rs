//! Checking proofs: inclusion (RFC 9162 section 2.1.3.2) and consistency (section 2.1.4.2), which
//! are the proofs of RFC 6962 with the verification spelled out.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// The most hashes a proof can need: one for each bit of a tree size.
pub const MAX_PROOF_HASHES: usize = 64;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The entry's index is not below the tree size.
    #[error("the entry's index is not below the tree size")]
    IndexBeyondSize,
    /// The older tree is larger than the newer one.
    #[error("the older tree is larger than the newer tree")]
    SizesReversed,
    /// The proof has fewer or more hashes than index and size ask for.
    #[error("the proof has the wrong number of hashes")]
    WrongLength,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    RootMismatch,
}

/// Verifies that `leaf` is the entry at `index` of the tree of `size` entries under `root`.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), MerkleError> {
    if index >= size {
        return Err(MerkleError::IndexBeyondSize);
    }
    // `node` and `last` walk up from the leaf and from the last leaf of the tree.
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(MerkleError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A right edge without siblings has no hash in the proof: climb past it.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    match (last, hash == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(MerkleError::RootMismatch),
        _ => Err(MerkleError::WrongLength),
    }
}

/// Verifies that the tree of `new_size` entries under `new_root` begins with the tree of
/// `old_size` entries under `old_root`.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if old_size > new_size {
        return Err(MerkleError::SizesReversed);
    }
    if old_size == 0 || old_size == new_size {
        let expected = if old_size == 0 { &EMPTY_ROOT } else { new_root };
        return match (proof.is_empty(), old_root == expected) {
            (false, _) => Err(MerkleError::WrongLength),
            (true, false) => Err(MerkleError::RootMismatch),
            (true, true) => Ok(()),
        };
    }
    let rest = if old_size.is_power_of_two() {
        Some((*old_root, proof))
    } else {
        None
    };
    let rest = rest.or_else(|| proof.split_first().map(|(first, rest)| (*first, rest)));
    let (seed, rest) = rest.ok_or(MerkleError::WrongLength)?;
    let roots = climb(old_size - 1, new_size - 1, seed, rest)?;
    if roots == (*old_root, *new_root) {
        Ok(())
    } else {
        Err(MerkleError::RootMismatch)
    }
}

/// Steps 3 to 8 of RFC 9162 section 2.1.4.2: the roots that the proof gives for both trees.
fn climb(
    mut node: u64,
    mut last: u64,
    seed: Hash,
    proof: &[Hash],
) -> Result<(Hash, Hash), MerkleError> {
    let shift = node.trailing_ones();
    (node, last) = (node >> shift, last >> shift);
    let (mut old, mut new) = (seed, seed);
    for hash in proof {
        if last == 0 {
            return Err(MerkleError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 {
        Ok((old, new))
    } else {
        Err(MerkleError::WrongLength)
    }
}
