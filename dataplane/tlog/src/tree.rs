//! Making roots and proofs (RFC 6962 section 2.1) from whatever can tell the hash of a whole
//! subtree: tiles on disk, tiles from HTTP, hashes in memory.

use crate::hash::{EMPTY_ROOT, HASH_BYTES, Hash, node_hash};
use crate::merkle::MerkleError;
use crate::tile::Node;

/// Why no root or proof could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// There is no such proof.
    #[error(transparent)]
    Merkle(#[from] MerkleError),
    /// The reader failed.
    #[error("a hash of the tree cannot be read: {0}")]
    Read(E),
}

/// The root of the tree of `size` entries. `read` is asked for nodes that are whole at that size.
pub fn root<E>(size: u64, read: impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, TreeError<E>> {
    range_hash(0, size, &mut { read })
}

/// The audit path of the entry at `index` in the tree of `size` entries, from the leaf's sibling
/// to the root's child. `read` is asked for nodes that are whole at that size.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut read: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, TreeError<E>> {
    if index >= size {
        return Err(MerkleError::IndexBeyondSize.into());
    }
    let (mut low, mut high) = (0, size);
    let mut siblings = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            siblings.push((middle, high));
            high = middle;
        } else {
            siblings.push((low, middle));
            low = middle;
        }
    }
    let hash = |(low, high)| range_hash(low, high, &mut read);
    siblings.into_iter().rev().map(hash).collect()
}

/// The proof that the tree of `new_size` entries begins with that of `old_size` entries.
/// `read` is asked for nodes that are whole at the new size.
pub fn consistency_proof<E>(
    old_size: u64,
    new_size: u64,
    mut read: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, TreeError<E>> {
    if old_size > new_size {
        return Err(MerkleError::SizesReversed.into());
    }
    if old_size == 0 {
        return Ok(Vec::new());
    }
    let (mut low, mut high) = (0, new_size);
    let mut ranges = Vec::new();
    while high != old_size {
        let middle = low + split(high - low);
        if old_size <= middle {
            ranges.push((middle, high));
            high = middle;
        } else {
            ranges.push((low, middle));
            low = middle;
        }
    }
    // Where the old tree is itself a whole left subtree, its root is known to the verifier.
    if low != 0 {
        ranges.push((low, high));
    }
    let hash = |(low, high)| range_hash(low, high, &mut read);
    ranges.into_iter().rev().map(hash).collect()
}

/// The hash of `node` out of the bytes of the tile that holds it ([`Node::tile`]);
/// `None` where the tile is too narrow to have it.
pub fn node_in_tile(node: Node, tile: &[u8]) -> Option<Hash> {
    let (_, _, range) = node.place();
    let bytes = tile.get(range.start * HASH_BYTES..range.end * HASH_BYTES)?;
    let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
    let mut row: Vec<Hash> = hashes.iter().copied().map(Hash::new).collect();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| node_hash(&pair[0], &pair[1]))
            .collect();
    }
    row.first().copied()
}

/// The largest power of two below `count`, which is at least two (RFC 6962's k).
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The hash over the entries `low..high`, where `low` is a border at which such a range can start.
fn range_hash<E>(
    low: u64,
    high: u64,
    read: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Hash, TreeError<E>> {
    let (mut low, mut whole) = (low, Vec::new());
    while low < high {
        let level = (high - low).ilog2();
        let index = low >> level;
        let node = Node {
            level: u8::try_from(level).unwrap_or(u8::MAX),
            index,
        };
        whole.push(read(node).map_err(TreeError::Read)?);
        low += 1 << level;
    }
    let right_to_left = whole.into_iter().rev();
    Ok(right_to_left
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or(EMPTY_ROOT))
}
