//! A reader of a log's directory that shares no code with the engine's files and recovery: what an
//! auditor with nothing but the disk, the specification and the log's key can check.

use std::fs;
use std::path::Path;

use pavilion_tlog::{
    Checkpoint, EMPTY_ROOT, Hash, Note, TILE_WIDTH, TileKind, TilePath, leaf_hash, node_hash,
    split_entries,
};

use crate::world::{append_all, entry, finish, key, open_signing};

/// Every entry the signed checkpoint covers, after checking all tiles, bundles and the root.
pub fn audit(directory: &Path) -> Vec<Vec<u8>> {
    let note: Note = fs::read_to_string(directory.join("checkpoint"))
        .unwrap()
        .parse()
        .unwrap();
    let checkpoint = Checkpoint::open(&note, &key()).unwrap();
    let size = checkpoint.size();
    let mut entries = Vec::new();
    for index in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        let bundle = read(directory, TileKind::Entries, index, size);
        entries.extend(
            split_entries(&bundle)
                .unwrap()
                .into_iter()
                .map(<[u8]>::to_vec),
        );
    }
    assert_eq!(entries.len() as u64, size);
    let mut row: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(root(&row), checkpoint.root());
    for level in 0.. {
        for (index, hashes) in (0..).zip(row.chunks(usize::from(TILE_WIDTH))) {
            let tile: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
            assert_eq!(read(directory, TileKind::Hashes(level), index, size), tile);
        }
        row = row
            .chunks_exact(usize::from(TILE_WIDTH))
            .map(root)
            .collect();
        if row.is_empty() {
            break;
        }
    }
    entries
}

/// A tile at the width it has in the tree, or full if it has grown since.
fn read(directory: &Path, kind: TileKind, index: u64, size: u64) -> Vec<u8> {
    let path = TilePath::new(kind, index, TILE_WIDTH)
        .unwrap()
        .in_tree(size)
        .unwrap();
    let bytes = fs::read(directory.join(path.to_string()));
    bytes.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// RFC 6962 section 2.1.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
            node_hash(&root(left), &root(right))
        }
    }
}

#[tokio::test]
async fn an_empty_log_has_a_signed_checkpoint_and_no_tiles() {
    let folder = tempfile::tempdir().unwrap();
    finish(open_signing(folder.path())).await;
    assert_eq!(audit(folder.path()), Vec::<Vec<u8>>::new());
    assert!(!folder.path().join("tile").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_three_tile_levels_verifies_from_disk_and_proves_old_entries_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    let mut appended = Vec::new();
    for from in (0..65_900).step_by(3_000) {
        appended.extend(
            append_all(
                &log,
                (from..(from + 3_000).min(65_900)).map(entry).collect(),
            )
            .await,
        );
    }
    finish(log).await;
    let entries = audit(folder.path());
    assert_eq!(entries.len(), 65_900);
    assert!(folder.path().join("tile/2/000.p/1").exists());
    let log = open_signing(folder.path());
    for (index, entry) in appended.into_iter().step_by(6_007) {
        assert_eq!(entries[usize::try_from(index).unwrap()], entry);
        let proof = log.receipt(index).await.unwrap();
        assert_eq!(proof.extra.as_deref(), Some(&entry[..]));
        assert_eq!(
            proof.verify(&leaf_hash(&entry), &key()).unwrap().size(),
            65_900
        );
    }
    finish(log).await;
    audit(folder.path());
}
