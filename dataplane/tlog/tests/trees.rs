//! Roots and proofs made from tiles are those of RFC 6962, and a second implementation agrees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::convert::Infallible;

use pavilion_tlog::{
    EMPTY_ROOT, HASH_BYTES, Hash, MerkleError, Node, TILE_WIDTH, TileKind, TilePath, TreeError,
    consistency_proof, inclusion_proof, leaf_hash, node_hash, node_in_tile, root,
    verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

/// RFC 6962 section 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 6962 section 2.1.1, word for word.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = 1 << (leaves.len() - 1).ilog2();
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) = if index < k {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - k, right), naive_root(left))
    };
    path.push(sibling);
    path
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// The tiles of a tree of these leaves, as a server would hold them.
struct Tiles(HashMap<TilePath, Vec<u8>>);

impl Tiles {
    fn of(leaves: &[Hash]) -> Self {
        let (mut tiles, mut row, mut level) = (HashMap::new(), leaves.to_vec(), 0);
        while !row.is_empty() {
            for (index, hashes) in (0..).zip(row.chunks(usize::from(TILE_WIDTH))) {
                let width = u16::try_from(hashes.len()).unwrap();
                let path = TilePath::new(TileKind::Hashes(level), index, width).unwrap();
                let bytes = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
                tiles.insert(path, bytes);
            }
            row = row
                .chunks_exact(usize::from(TILE_WIDTH))
                .map(naive_root)
                .collect();
            level += 1;
        }
        Self(tiles)
    }

    /// Reads a node as a client does: from the tile as it is in a tree of this size.
    fn reader(&self, size: u64) -> impl Fn(Node) -> Result<Hash, Infallible> {
        move |node| {
            let path = node
                .tile()
                .in_tree(size)
                .expect("a tile outside the tree was asked for");
            Ok(node_in_tile(node, &self.0[&path]).expect("a node that is not whole"))
        }
    }
}

/// A tree whose leaves all have the same hash: every whole subtree of a height has the same root, so
/// that a tree of any size is a few dozen hashes, and a reader needs no stored leaf.
struct Uniform(Vec<Hash>);

impl Uniform {
    fn new() -> Self {
        let mut roots = vec![leaf_hash(b"every leaf")];
        while roots.len() < 40 {
            let below = roots[roots.len() - 1];
            roots.push(node_hash(&below, &below));
        }
        Self(roots)
    }

    /// RFC 6962 section 2.1 for `size` leaves, computed from the heights alone.
    fn root(&self, size: u64) -> Hash {
        match size {
            0 => EMPTY_ROOT,
            1 => self.0[0],
            _ => {
                let height = (size - 1).ilog2();
                let rest = self.root(size - (1 << height));
                node_hash(&self.0[height as usize], &rest)
            }
        }
    }

    /// RFC 6962 section 2.1.1, the same way.
    fn path(&self, index: u64, size: u64) -> Vec<Hash> {
        if size <= 1 {
            return Vec::new();
        }
        let k = 1 << (size - 1).ilog2();
        let (mut path, sibling) = if index < k {
            (self.path(index, k), self.root(size - k))
        } else {
            (self.path(index - k, size - k), self.root(k))
        };
        path.push(sibling);
        path
    }

    /// Reads a node as a client does: the tile as it is in a tree of this size, computed.
    fn reader(&self, size: u64) -> impl Fn(Node) -> Result<Hash, Infallible> {
        move |node| {
            let path = node
                .tile()
                .in_tree(size)
                .expect("a tile outside the tree was asked for");
            let TileKind::Hashes(level) = path.kind() else {
                panic!("a bundle was asked for a hash");
            };
            let hash = self.0[8 * usize::from(level)];
            let tile = hash.as_bytes().repeat(usize::from(path.width()));
            Ok(node_in_tile(node, &tile).expect("a node that is not whole"))
        }
    }
}

/// Sizes around the first tile of the second and of the third level, and anything below.
fn large_size() -> impl Strategy<Value = u64> {
    let around = |size: u64| size - 300..size + 300;
    prop_oneof![
        1..1_u64 << 25,
        around(1 << 16),
        around(1 << 24),
        (1..600_u64).prop_map(|tiles| tiles << 8),
        (1..600_u64).prop_map(|tiles| tiles << 16),
    ]
}

/// Sizes around the borders of tiles, and anything else below a thousand and a bit.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        1..1200_usize,
        Just(255),
        Just(256),
        Just(257),
        Just(511),
        Just(512),
        Just(513)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_root_from_tiles_is_the_root_of_the_rfc(count in size()) {
        let leaves = leaves(count);
        let tiles = Tiles::of(&leaves);
        prop_assert_eq!(root(count as u64, tiles.reader(count as u64)), Ok(naive_root(&leaves)));
    }

    #[test]
    fn an_inclusion_proof_from_tiles_is_that_of_the_rfc_and_verifies(
        count in size(), at in any::<prop::sample::Index>(), bit in 0..256_usize,
    ) {
        let (leaves, index) = (leaves(count), at.index(count));
        let size = count as u64;
        let proof = inclusion_proof(index as u64, size, Tiles::of(&leaves).reader(size)).unwrap();
        prop_assert_eq!(&proof, &naive_path(index, &leaves));
        let root = naive_root(&leaves);
        prop_assert_eq!(verify_inclusion(index as u64, size, &leaves[index], &proof, &root), Ok(()));
        // One flipped bit of the leaf, or of any hash of the proof, and it no longer verifies.
        let flip = |hash: &Hash| {
            let mut bytes: [u8; HASH_BYTES] = *hash.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            Hash::new(bytes)
        };
        let other = flip(&leaves[index]);
        prop_assert!(verify_inclusion(index as u64, size, &other, &proof, &root).is_err());
        for at in 0..proof.len() {
            let mut wrong = proof.clone();
            wrong[at] = flip(&wrong[at]);
            prop_assert!(verify_inclusion(index as u64, size, &leaves[index], &wrong, &root).is_err());
        }
    }

    #[test]
    fn a_consistency_proof_from_tiles_verifies_and_only_for_its_roots(count in size(), at in any::<prop::sample::Index>()) {
        let (leaves, old) = (leaves(count), at.index(count + 1));
        let (size, old_size) = (count as u64, old as u64);
        let proof = consistency_proof(old_size, size, Tiles::of(&leaves).reader(size)).unwrap();
        let (old_root, new_root) = (naive_root(&leaves[..old]), naive_root(&leaves));
        prop_assert_eq!(verify_consistency(old_size, size, &old_root, &new_root, &proof), Ok(()));
        let wrong = leaf_hash(b"wrong");
        prop_assert!(verify_consistency(old_size, size, &wrong, &new_root, &proof).is_err());
        if old > 0 {
            prop_assert!(verify_consistency(old_size, size, &old_root, &wrong, &proof).is_err());
        }
    }

    #[test]
    fn proofs_are_those_of_a_second_implementation(count in size(), at in any::<prop::sample::Index>()) {
        use tlog_tiles::{Hash as OtherHash, HashReader, prove_record, prove_tree, split_stored_hash_index};
        struct Reader<F>(F);
        impl<F: Fn(Node) -> Result<Hash, Infallible>> HashReader for Reader<F> {
            fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<OtherHash>, tlog_tiles::Error> {
                let node = |index: &u64| {
                    let (level, index) = split_stored_hash_index(*index);
                    OtherHash(*(self.0)(Node { level, index }).unwrap().as_bytes())
                };
                Ok(indexes.iter().map(node).collect())
            }
        }
        let (leaves, index, size) = (leaves(count), at.index(count), count as u64);
        let tiles = Tiles::of(&leaves);
        let ours = inclusion_proof(index as u64, size, tiles.reader(size)).unwrap();
        let theirs = prove_record(size, index as u64, &Reader(tiles.reader(size))).unwrap();
        let theirs: Vec<Hash> = theirs.iter().map(|hash| Hash::new(hash.0)).collect();
        prop_assert_eq!(ours, theirs);
        let old = index as u64 + 1;
        let ours = consistency_proof(old, size, tiles.reader(size)).unwrap();
        let theirs = prove_tree(size, old, &Reader(tiles.reader(size))).unwrap();
        let theirs: Vec<Hash> = theirs.iter().map(|hash| Hash::new(hash.0)).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn roots_and_proofs_of_large_trees_are_those_of_the_rfc_and_verify(
        size in large_size(), at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>(),
    ) {
        let tree = Uniform::new();
        // An index has 32 bits on some machines; these sizes fit.
        let count = usize::try_from(size).unwrap();
        let (index, old) = (at.index(count) as u64, old.index(count + 1) as u64);
        prop_assert_eq!(root(size, tree.reader(size)), Ok(tree.root(size)));
        let proof = inclusion_proof(index, size, tree.reader(size)).unwrap();
        prop_assert_eq!(&proof, &tree.path(index, size));
        let (leaf, whole) = (leaf_hash(b"every leaf"), tree.root(size));
        prop_assert_eq!(verify_inclusion(index, size, &leaf, &proof, &whole), Ok(()));
        prop_assert!(verify_inclusion(index, size, &leaf_hash(b"x"), &proof, &whole).is_err());
        let proof = consistency_proof(old, size, tree.reader(size)).unwrap();
        prop_assert_eq!(verify_consistency(old, size, &tree.root(old), &whole, &proof), Ok(()));
        let wrong = leaf_hash(b"wrong");
        prop_assert!(verify_consistency(old, size, &wrong, &whole, &proof).is_err());
    }

    #[test]
    fn a_tile_path_reads_back_as_itself(level in prop::option::of(0..64_u8), index in 0..(1_u64 << 56), width in 1..=256_u16) {
        let kind = level.map_or(TileKind::Entries, TileKind::Hashes);
        let path = TilePath::new(kind, index, width).unwrap();
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn any_text_is_read_as_a_tile_path_or_refused_and_never_in_two_spellings(
        text in "(tile/)?(entries|[0-9]{1,3})?(/x?[0-9]{1,4}){0,4}(\\.p/[0-9]{0,4})?",
    ) {
        if let Ok(path) = text.parse::<TilePath>() {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn partial_widths_are_those_of_the_specification(size in any::<u64>()) {
        for path in TilePath::partials(size) {
            let level = match path.kind() { TileKind::Hashes(level) => u32::from(level), TileKind::Entries => 0 };
            let expected = (u128::from(size) / 256_u128.pow(level)) % 256;
            prop_assert_eq!(u128::from(path.width()), expected);
            prop_assert_eq!(path.full().in_tree(size), Some(path));
        }
    }
}

#[test]
fn the_example_of_the_specification_has_those_tiles() {
    // "a tree of size 70,000": tlog-tiles, "Partial Tiles".
    let names: Vec<String> = TilePath::partials(70_000)
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "tile/entries/273.p/112",
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ];
    assert_eq!(names, expected);
    let names: Vec<String> = TilePath::partials(256)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["tile/1/000.p/1"]);
    assert!(TilePath::partials(0).is_empty());
    let long = TilePath::new(TileKind::Hashes(0), 1_234_067, 256).unwrap();
    assert_eq!(long.to_string(), "tile/0/x001/x234/067");
    assert!(!long.is_partial());
    assert_eq!(long.in_tree(70_000), None);
}

#[test]
fn a_path_in_another_spelling_is_refused() {
    let bad = [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/000/000",
        "tile/0/x001/x000",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p/",
        "tile/0/001.p",
        "tile/0/001/",
        "/tile/0/001",
        "tile/data/000",
        "tile/8/0/000",
        "tile/0/x999/x999/x999/x999/x999/999",
        "tile/0/../000",
        "tile/0/%30",
        "tile/entries/x001/x001",
        "tile/entries/000.p/1.p/1",
    ];
    for path in bad {
        assert!(path.parse::<TilePath>().is_err(), "{path}");
    }
}

#[test]
fn proofs_that_cannot_be_are_refused_before_anything_is_read() {
    let never = |_: Node| -> Result<Hash, Infallible> { panic!("nothing is to be read") };
    let beyond = TreeError::Merkle(MerkleError::IndexBeyondSize);
    assert_eq!(inclusion_proof(3, 3, never), Err(beyond));
    assert_eq!(
        consistency_proof(4, 3, never),
        Err(TreeError::Merkle(MerkleError::SizesReversed))
    );
    assert_eq!(root(0, never), Ok(EMPTY_ROOT));
    let failing = |_: Node| Err("the disk is gone");
    assert_eq!(root(1, failing), Err(TreeError::Read("the disk is gone")));
    assert_eq!(node_in_tile(Node { level: 8, index: 0 }, &[]), None);
    assert_eq!(
        node_in_tile(Node { level: 3, index: 1 }, &[0; 15 * 32]),
        None
    );
}
