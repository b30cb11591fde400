//! One tile with the nodes above its hashes, so that a proof looks hashes up and computes none.

use pavilion_tlog::{HASH_BYTES, Hash, TILE_WIDTH, node_hash};

/// Rows in a full subtree: 256 hashes, 128 nodes above them, …, one root.
const ROWS: usize = 9;

/// The hashes of a tile from the left, and every node over a whole pair of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subtree {
    rows: [Vec<Hash>; ROWS],
}

impl Subtree {
    /// Reads a tile; `None` when the bytes are not 1 to 256 hashes.
    pub fn from_tile(bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if !rest.is_empty() || hashes.is_empty() || hashes.len() > usize::from(TILE_WIDTH) {
            return None;
        }
        let mut subtree = Self::default();
        for hash in hashes {
            subtree.push(Hash::new(*hash));
        }
        Some(subtree)
    }

    /// Adds a hash on the right. A full subtree takes no more.
    pub fn push(&mut self, hash: Hash) {
        if self.width() == TILE_WIDTH {
            return;
        }
        let mut hash = hash;
        for row in &mut self.rows {
            row.push(hash);
            match row.as_slice() {
                [.., left, right] if row.len() % 2 == 0 => hash = node_hash(left, right),
                _ => break,
            }
        }
    }

    /// How many hashes the tile has.
    pub fn width(&self) -> u16 {
        u16::try_from(self.rows[0].len()).unwrap_or(TILE_WIDTH)
    }

    /// The node at `height` above the tile's hashes and at `position` from the left, if whole.
    pub fn node(&self, height: usize, position: usize) -> Option<Hash> {
        self.rows.get(height)?.get(position).copied()
    }

    /// The root over all 256 hashes, once there are as many.
    pub fn root(&self) -> Option<Hash> {
        self.node(ROWS - 1, 0)
    }

    /// The first `width` hashes as a tile; `None` while there are fewer.
    pub fn tile(&self, width: u16) -> Option<Vec<u8>> {
        let hashes = self.rows[0].get(..usize::from(width))?;
        Some(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pavilion_tlog::{Node, leaf_hash, node_in_tile};

    use super::*;

    #[test]
    fn every_node_is_the_one_computed_from_the_tile() {
        let mut subtree = Subtree::default();
        for i in 0..200_u32 {
            subtree.push(leaf_hash(&i.to_be_bytes()));
        }
        let tile = subtree.tile(200).unwrap();
        for level in 0..8_u8 {
            for index in 0..(256 >> level) {
                let expected = node_in_tile(Node { level, index }, &tile);
                let position = usize::try_from(index).unwrap();
                assert_eq!(
                    subtree.node(level.into(), position),
                    expected,
                    "{level} {index}"
                );
            }
        }
        assert_eq!((subtree.root(), subtree.tile(201)), (None, None));
        assert_eq!(Subtree::from_tile(&tile).unwrap().tile(200).unwrap(), tile);
    }

    #[test]
    fn a_full_subtree_has_a_root_and_takes_no_more() {
        let mut subtree = Subtree::default();
        for _ in 0..300 {
            subtree.push(leaf_hash(b"same"));
        }
        assert_eq!(subtree.width(), 256);
        let root = (0..8).fold(leaf_hash(b"same"), |hash, _| node_hash(&hash, &hash));
        assert_eq!(subtree.root(), Some(root));
    }

    #[test]
    fn bytes_that_are_no_tile_are_refused() {
        for length in [0, 31, 33, 257 * 32] {
            assert!(Subtree::from_tile(&vec![0; length]).is_none(), "{length}");
        }
    }
}
