//! The verifier accepts and rejects exactly what transparency-dev/merkle says it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pavilion_tlog::{Hash, verify_consistency, verify_inclusion};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

/// A hash of the wrong length cannot even be made; that counts as a rejection.
fn hash(text: Option<&String>) -> Option<Hash> {
    let bytes = STANDARD.decode(text?).expect("base64 in a vector");
    Hash::try_from(bytes.as_slice()).ok()
}

fn hashes(proof: Option<&Vec<String>>) -> Option<Vec<Hash>> {
    proof.map_or(Some(Vec::new()), |proof| {
        proof.iter().map(|text| hash(Some(text))).collect()
    })
}

fn check_inclusion(json: &[u8]) -> (bool, bool) {
    let vector: Inclusion = serde_json::from_slice(json).unwrap();
    let parts = (hash(vector.leaf_hash.as_ref()), hash(vector.root.as_ref()));
    let verified = match (parts, hashes(vector.proof.as_ref())) {
        ((Some(leaf), Some(root)), Some(proof)) => {
            verify_inclusion(vector.leaf_idx, vector.tree_size, &leaf, &proof, &root).is_ok()
        }
        _ => false,
    };
    (verified, !vector.want_err)
}

fn check_consistency(json: &[u8]) -> (bool, bool) {
    let vector: Consistency = serde_json::from_slice(json).unwrap();
    let roots = (hash(vector.root1.as_ref()), hash(vector.root2.as_ref()));
    let verified = match (roots, hashes(vector.proof.as_ref())) {
        ((Some(old), Some(new)), Some(proof)) => {
            verify_consistency(vector.size1, vector.size2, &old, &new, &proof).is_ok()
        }
        _ => false,
    };
    (verified, !vector.want_err)
}

/// Every JSON file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            found.push(path);
        }
    }
    found
}

/// Runs one check over one folder and returns how many vectors it had.
fn judge(folder: &Path, check: fn(&[u8]) -> (bool, bool)) -> usize {
    let files = files(folder);
    for file in &files {
        let (verified, expected) = check(&std::fs::read(file).unwrap());
        assert_eq!(verified, expected, "{}", file.display());
    }
    files.len()
}

#[test]
fn the_vectors_in_this_crate_are_judged_as_their_authors_say() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    assert_eq!(judge(&here.join("inclusion"), check_inclusion), 86);
    assert_eq!(judge(&here.join("consistency"), check_consistency), 84);
}
