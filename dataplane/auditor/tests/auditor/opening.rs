//! Directories that are opened, mended or refused. A refusal changes nothing and says what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pavilion_auditor::LogMetrics;
use pavilion_auditor::engine::{Log, OpenError, Settings};

use crate::directory::audit;
use crate::world::{ORIGIN, append_all, entry, finish, image, open, open_signing, settings};

fn refusal(directory: &Path) -> OpenError {
    match Log::open(settings(directory), LogMetrics::unregistered()) {
        Err(error) => error,
        Ok(log) => {
            log.close();
            panic!("the directory was accepted");
        }
    }
}

/// A closed log of 700 entries: two sealed bundles, the rest in the write-ahead log.
async fn log_of_700() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    append_all(&log, (0..700).map(entry).collect()).await;
    finish(log).await;
    folder
}

fn last_segment(directory: &Path) -> PathBuf {
    let mut segments: Vec<_> = fs::read_dir(directory.join("wal"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    segments.sort();
    segments
        .into_iter()
        .rfind(|path| fs::metadata(path).unwrap().len() > 200)
        .unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn is_broken_because(directory: &Path, words: &str) {
    let refusal = refusal(directory);
    assert!(matches!(refusal, OpenError::Broken { .. }), "{refusal:?}");
    let text = refusal.to_string();
    assert!(text.contains(words) && text.contains("restore"), "{text}");
}

#[tokio::test]
async fn no_receipt_is_made_of_an_entry_whose_bytes_changed_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    let padded = |number: usize| bytes::Bytes::from(format!("{number:0100}"));
    // Batches that each fill a segment: those of the first bundle are gone when the second is sealed.
    for first in [0, 256, 512] {
        append_all(&log, (first..first + 256).map(padded).collect()).await;
    }
    finish(log).await;
    let entries = audit(folder.path());
    let log = open_signing(folder.path());
    assert!(log.settle(Duration::from_mins(1)).await);
    // The last byte of entry 100: a bundle is a length of two bytes before each entry.
    let path = folder.path().join("tile/entries/000");
    let upto: usize = entries[..=100].iter().map(|entry| 2 + entry.len()).sum();
    flip(&path, upto - 1);
    log.receipt(99).await.unwrap();
    let refused = log.receipt(100).await.unwrap_err();
    assert_eq!(refused.entry().code, "log_unavailable");
    flip(&path, upto - 1);
    log.receipt(100).await.unwrap();
    finish(log).await;
}

#[tokio::test]
async fn a_log_closed_and_opened_again_is_the_same_log() {
    let folder = log_of_700().await;
    for round in 1..4 {
        let log = open_signing(folder.path());
        assert_eq!(log.append(entry(0)).await.unwrap().index, 699 + round);
        finish(log).await;
        assert_eq!(audit(folder.path()).len() as u64, 700 + round);
    }
}

#[tokio::test]
async fn a_directory_of_a_newer_release_is_refused() {
    let folder = log_of_700().await;
    fs::write(folder.path().join("VERSION"), "2\n").unwrap();
    let refusal = refusal(folder.path());
    assert!(
        matches!(
            refusal,
            OpenError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refusal:?}"
    );
    assert!(
        refusal
            .to_string()
            .contains("run the release that wrote it")
    );
    fs::write(folder.path().join("VERSION"), "one\n").unwrap();
    is_broken_because(folder.path(), "not a format number");
    fs::remove_file(folder.path().join("VERSION")).unwrap();
    is_broken_because(folder.path(), "the file is missing");
}

#[tokio::test]
async fn a_log_under_another_origin_is_refused_as_is_an_origin_that_is_none() {
    let folder = log_of_700().await;
    let other = Settings {
        origin: "log.example/other".to_owned(),
        ..settings(folder.path())
    };
    let refused = Log::open(other, LogMetrics::unregistered()).unwrap_err();
    assert!(refused.to_string().contains("another origin"), "{refused}");
    for origin in ["", "a b", "a+b", "a\nb", &"x".repeat(256)] {
        let settings = Settings {
            origin: origin.to_owned(),
            ..settings(folder.path())
        };
        let refused = Log::open(settings, LogMetrics::unregistered()).unwrap_err();
        assert!(matches!(refused, OpenError::Origin), "{origin}");
    }
}

#[tokio::test]
async fn a_log_set_back_behind_its_checkpoint_is_refused() {
    let folder = log_of_700().await;
    let segment = last_segment(folder.path());
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
    is_broken_because(folder.path(), "the checkpoint covers 700 entries, but only");
}

#[tokio::test]
async fn a_checkpoint_with_another_root_or_of_another_log_is_refused() {
    let folder = log_of_700().await;
    let path = folder.path().join("checkpoint");
    let good = fs::read_to_string(&path).unwrap();
    let root = good.lines().nth(2).unwrap();
    let changed = if root.starts_with('A') { "B" } else { "A" };
    let bad = [
        (
            good.replace(root, &format!("{changed}{}", &root[1..])),
            "do not hash to the signed root",
        ),
        (
            good.replacen(ORIGIN, "log.example/other", 1),
            "another origin",
        ),
        (good.replace('\n', ""), "not a signed checkpoint"),
    ];
    for (text, words) in bad {
        fs::write(&path, text).unwrap();
        is_broken_because(folder.path(), words);
    }
    fs::write(&path, good).unwrap();
    open(folder.path()).close();
}

#[tokio::test]
async fn damage_in_the_middle_of_the_write_ahead_log_is_refused_and_not_cut_away() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    for number in 0..20 {
        log.append(entry(number)).await.unwrap();
    }
    log.close();
    let segment = last_segment(folder.path());
    let length = fs::metadata(&segment).unwrap().len();
    flip(&segment, 200);
    is_broken_because(folder.path(), "is damaged");
    assert_eq!(fs::metadata(&segment).unwrap().len(), length);
    flip(&segment, 200);
    open(folder.path()).close();
}

/// A closed log of 1,000 entries whose first segments are gone, because their entries are sealed.
async fn log_of_1000() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    for _ in 0..10 {
        append_all(&log, (0..100).map(|_| vec![1; 400].into()).collect()).await;
    }
    finish(log).await;
    assert!(!folder.path().join("wal/00000000000000000000.wal").exists());
    folder
}

#[tokio::test]
async fn a_tile_or_bundle_that_is_missing_or_changed_is_refused() {
    let folder = log_of_1000().await;
    let tile = folder.path().join("tile/0/000");
    let good = fs::read(&tile).unwrap();
    flip(&tile, 0);
    is_broken_because(folder.path(), "do not hash to the signed root");
    fs::write(&tile, &good[..8191]).unwrap();
    is_broken_because(folder.path(), "not a full tile");
    fs::remove_file(&tile).unwrap();
    is_broken_because(folder.path(), "cannot be read");
    fs::write(&tile, good).unwrap();
    for bundle in ["002", "001"] {
        fs::remove_file(folder.path().join("tile/entries").join(bundle)).unwrap();
    }
    is_broken_because(folder.path(), "missing");
}

#[tokio::test]
async fn tiles_and_bundles_that_the_write_ahead_log_still_covers_are_made_again() {
    let folder = log_of_700().await;
    flip(&folder.path().join("tile/0/001"), 0);
    fs::remove_file(folder.path().join("tile/entries/000")).unwrap();
    finish(open_signing(folder.path())).await;
    assert_eq!(audit(folder.path()).len(), 700);
}

#[tokio::test]
async fn without_its_write_ahead_log_only_a_log_of_whole_bundles_opens() {
    let folder = log_of_700().await;
    fs::remove_dir_all(folder.path().join("wal")).unwrap();
    is_broken_because(
        folder.path(),
        "the checkpoint covers 700 entries, but only 512",
    );
    let whole = tempfile::tempdir().unwrap();
    let log = open_signing(whole.path());
    append_all(&log, (0..1280).map(entry).collect()).await;
    finish(log).await;
    fs::remove_dir_all(whole.path().join("wal")).unwrap();
    let log = open_signing(whole.path());
    assert_eq!(log.append(entry(0)).await.unwrap().index, 1280);
    finish(log).await;
    audit(whole.path());
}

#[tokio::test]
async fn a_segment_that_is_missing_between_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    for _ in 0..60 {
        log.append(vec![1; 1000].into()).await.unwrap();
    }
    log.close();
    let middle = fs::read_dir(folder.path().join("wal"))
        .unwrap()
        .map(|e| e.unwrap().path());
    let mut segments: Vec<_> = middle.collect();
    segments.sort();
    fs::remove_file(&segments[1]).unwrap();
    is_broken_because(folder.path(), "are missing");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("taken"), "").unwrap();
    let refusal = refusal(&folder.path().join("taken/log"));
    assert!(matches!(&refusal, OpenError::Io { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("taken/log"));
}

#[tokio::test]
async fn a_copy_taken_at_rest_is_a_log_of_its_own() {
    let (folder, copy) = (log_of_700().await, tempfile::tempdir().unwrap());
    image(folder.path(), copy.path());
    finish(open_signing(copy.path())).await;
    assert_eq!(audit(copy.path()).len(), 700);
}
