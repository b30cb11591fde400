//! Crashes: what was acknowledged is there, at its index, whatever the moment.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use pavilion_auditor::LogMetrics;
use pavilion_auditor::engine::{Log, Settings};
use proptest::prelude::*;

use crate::directory::audit;
use crate::world::{append_all, entry, finish, image, open, open_signing, settings};

/// The log's only segment with entries, for logs that have one.
fn segment(directory: &Path) -> std::path::PathBuf {
    directory.join("wal/00000000000000000000.wal")
}

/// Opens a copy, signs it, audits it from disk, and returns its entries.
async fn recovered(directory: &Path) -> Vec<Vec<u8>> {
    finish(open_signing(directory)).await;
    audit(directory)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_write_ahead_log_cut_at_any_byte_gives_its_whole_groups_and_goes_on(
        groups in prop::collection::vec(1..12_usize, 1..8), at in any::<prop::sample::Index>(), garbage in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        runtime().block_on(async {
            // Length of the segment after each acknowledged group, and the entries until then.
            let (log, mut known, mut entries) = (open(folder.path()), Vec::new(), Vec::new());
            known.push((fs::metadata(segment(folder.path())).map_or(0, |file| file.len()), 0));
            for group in groups {
                let batch: Vec<Bytes> = (0..group).map(|number| entry(entries.len() + number)).collect();
                let appended = append_all(&log, batch).await;
                entries.extend(appended.into_iter().map(|(_, entry)| entry.to_vec()));
                known.push((fs::metadata(segment(folder.path())).unwrap().len(), entries.len()));
            }
            log.close();
            image(folder.path(), copy.path());
            let mut bytes = fs::read(segment(copy.path())).unwrap();
            bytes.truncate(at.index(bytes.len() + 1));
            let least = known.iter().rfind(|(length, _)| *length <= bytes.len() as u64).map_or(0, |(_, count)| *count);
            bytes.extend(garbage);
            fs::write(segment(copy.path()), bytes).unwrap();
            let found = recovered(copy.path()).await;
            assert!(found.len() >= least, "{} of at least {least}", found.len());
            assert_eq!(found, entries[..found.len()]);
            let log = open_signing(copy.path());
            assert_eq!(log.append(entry(7)).await.unwrap().index, found.len() as u64);
            finish(log).await;
            audit(copy.path());
        });
    }

    #[test]
    fn the_image_of_a_working_log_has_everything_acknowledged_before_it_was_taken(
        batches in prop::collection::vec((1..400_usize, 1..200_usize), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let (log, mut acknowledged) = (open_signing(folder.path()), Vec::new());
            for (count, length) in batches {
                let batch = (0..count).map(|number| Bytes::from(vec![u8::try_from(number % 251).unwrap(); length]));
                acknowledged.extend(append_all(&log, batch.collect()).await);
                // More is on its way while the image is taken.
                let (busy, more) = (log.clone(), (0..50).map(entry).collect());
                let busy = tokio::spawn(async move { append_all(&busy, more).await });
                let copy = tempfile::tempdir().unwrap();
                image(folder.path(), copy.path());
                let entries = recovered(copy.path()).await;
                for (index, entry) in &acknowledged {
                    assert_eq!(entries.get(usize::try_from(*index).unwrap()).unwrap(), entry);
                }
                acknowledged.extend(busy.await.unwrap());
            }
            finish(log).await;
        });
    }
}

#[tokio::test]
async fn a_segment_that_was_just_being_made_is_made_again() {
    for length in [0, 1, 50] {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path());
        for number in 0..3 {
            log.append(entry(number)).await.unwrap();
        }
        log.close();
        fs::write(
            folder.path().join("wal/00000000000000000003.wal"),
            vec![0; length],
        )
        .unwrap();
        assert_eq!(recovered(folder.path()).await.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_tiles_and_bundle_is_made_good_from_the_write_ahead_log() {
    let folder = tempfile::tempdir().unwrap();
    // One segment that is never finished: it is still there when the bundles are.
    let settings = Settings {
        segment_bytes: 16 * 1024 * 1024,
        ..settings(folder.path())
    };
    let log = Log::open(settings, LogMetrics::unregistered()).unwrap();
    let entries = (0..600).map(|number| vec![1; 16 + number % 3].into());
    let appended = append_all(&log, entries.collect()).await;
    assert_eq!(appended.len(), 600);
    tokio::task::spawn_blocking(move || log.close())
        .await
        .unwrap();
    let bundle = folder.path().join("tile/entries/001");
    assert!(segment(folder.path()).exists() && bundle.exists());
    assert!(folder.path().join("tile/0/001").exists());
    // As after a crash in between.
    fs::remove_file(&bundle).unwrap();
    assert_eq!(recovered(folder.path()).await.len(), 600);
    assert!(bundle.exists(), "it was made again");
}
