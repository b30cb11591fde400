//! A proof that leads to a root leads to no other root, and not with one of its bits changed.
//!
//! An input is a byte that chooses the kind of proof, two numbers of eight bytes, two hashes and the
//! hashes of the proof.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_tlog::{HASH_BYTES, Hash, MerkleError, verify_consistency, verify_inclusion};

/// The two numbers, the two hashes, the proof.
type Verify = fn(u64, u64, &Hash, &Hash, &[Hash]) -> Result<(), MerkleError>;

const KINDS: [Verify; 2] = [
    |index, size, leaf, root, proof| verify_inclusion(index, size, leaf, proof, root),
    verify_consistency,
];

fn flipped(hash: &Hash, bit: u8) -> Hash {
    let mut bytes: [u8; HASH_BYTES] = *hash.as_bytes();
    bytes[usize::from(bit / 8)] ^= 1 << (bit % 8);
    Hash::new(bytes)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, rest)) = bytes.split_first() else {
        return;
    };
    let (Some((first, rest)), true) = (rest.split_first_chunk(), rest.len() >= 16) else {
        return;
    };
    let (second, rest) = rest.split_first_chunk().expect("sixteen bytes");
    let (first, second) = (u64::from_be_bytes(*first), u64::from_be_bytes(*second));
    let (hashes, _) = rest.as_chunks::<HASH_BYTES>();
    let hashes: Vec<Hash> = hashes.iter().copied().map(Hash::new).collect();
    let [one, other, proof @ ..] = hashes.as_slice() else {
        return;
    };
    let verify = KINDS[usize::from(kind & 1)];
    if verify(first, second, one, other, proof).is_err() {
        return;
    }
    // An empty tree is the beginning of every tree.
    if first > 0 || kind & 1 == 0 {
        let changed = flipped(other, kind);
        assert!(verify(first, second, one, &changed, proof).is_err());
    }
    for at in 0..proof.len() {
        let mut changed = proof.to_vec();
        changed[at] = flipped(&changed[at], kind);
        assert!(verify(first, second, one, other, &changed).is_err());
    }
});
