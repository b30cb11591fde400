//! Appends, checkpoints and receipts while all is well, and while the signer is not.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use pavilion_auditor::LogMetrics;
use pavilion_auditor::engine::{AppendError, Log, OpenError, ReceiptError, Settings, Signed};
use pavilion_catalogue::{log, signer};
use pavilion_tlog::{Checkpoint, leaf_hash};
use tokio::time::timeout;

use crate::directory::audit;
use crate::world::{
    append_all, entry, finish, key, open, open_signing, pair, settings, sign_checkpoints,
};

#[tokio::test]
async fn an_entry_gets_the_next_index_and_a_receipt_that_verifies_offline() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    for number in 0..5 {
        let appended = log.append(entry(number)).await.unwrap();
        assert_eq!(appended.index, number as u64);
        assert_eq!(appended.leaf_hash, leaf_hash(&entry(number)));
        let proof = log.receipt(appended.index).await.unwrap();
        assert_eq!(proof.extra.as_deref(), Some(&entry(number)[..]));
        let text = proof.to_string();
        let read: pavilion_tlog::Proof = text.parse().unwrap();
        assert!(read.verify(&appended.leaf_hash, &key()).unwrap().size() > appended.index);
    }
    finish(log).await;
    assert_eq!(audit(folder.path()).len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_appended_at_once_are_each_where_their_acknowledgement_said() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    let appended = append_all(&log, (0..3_000).map(entry).collect()).await;
    finish(log).await;
    let entries = audit(folder.path());
    assert_eq!(entries.len(), 3_000);
    for (index, entry) in appended {
        assert_eq!(entries[usize::try_from(index).unwrap()], entry);
    }
}

#[tokio::test]
async fn the_longest_entry_is_taken_and_an_empty_or_longer_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    let longest = Bytes::from(vec![7; 65_535]);
    let refused = log.append(Bytes::new()).await.unwrap_err();
    assert_eq!(
        (&refused, refused.entry().code),
        (&AppendError::Invalid, log::ENTRY_INVALID.code)
    );
    assert_eq!(
        log.append(vec![7; 65_536].into()).await,
        Err(AppendError::Invalid)
    );
    for _ in 0..300 {
        log.append(longest.clone()).await.unwrap();
    }
    // An old and long entry: its bundle has 16 MiB and is read from disk.
    assert_eq!(
        log.receipt(0).await.unwrap().extra.as_deref(),
        Some(&longest[..])
    );
    finish(log).await;
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_loses_nothing_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let small = Settings {
        queue_entries: 2,
        ..settings(folder.path())
    };
    let log = Log::open(small, LogMetrics::unregistered()).unwrap();
    sign_checkpoints(&log);
    let appends = (0..2_000).map(|number| {
        let log = log.clone();
        tokio::spawn(async move { log.append(entry(number)).await })
    });
    let (mut taken, mut refused) = (0, 0);
    for append in appends.collect::<Vec<_>>() {
        match append.await.unwrap() {
            Ok(_) => taken += 1,
            Err(error) => {
                assert_eq!(error.entry().code, log::OVERLOADED.code);
                refused += 1;
            }
        }
    }
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
    finish(log).await;
    assert_eq!(audit(folder.path()).len(), taken);
}

#[tokio::test]
async fn a_receipt_of_an_index_that_was_never_given_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    log.append(entry(0)).await.unwrap();
    let refused = log.receipt(1).await.unwrap_err();
    assert_eq!(
        (&refused, refused.entry().code),
        (&ReceiptError::IndexUnknown, log::INDEX_UNKNOWN.code)
    );
    finish(log).await;
}

#[tokio::test]
async fn a_checkpoint_comes_without_being_asked_for_and_none_while_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let (signing, signed) = (log.clone(), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&signed);
    tokio::spawn(async move {
        let sign = |text: String| {
            count.fetch_add(1, Ordering::SeqCst);
            let signature = pair().sign(text.as_bytes()).as_ref().try_into().unwrap();
            async move {
                Ok(Signed {
                    key: key(),
                    signature,
                })
            }
        };
        signing.make_checkpoints(sign).await;
    });
    log.append(entry(0)).await.unwrap();
    let mut seen = 0;
    while seen < 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        seen = log.status().checkpoint_size.unwrap_or(0);
    }
    // Far longer than the delay after an append, and nothing to sign: at most the empty log and
    // the one entry were signed.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(signed.load(Ordering::SeqCst) <= 2);
    finish(log).await;
}

#[tokio::test]
async fn without_a_signer_entries_are_kept_and_receipts_say_why_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let away = log.clone();
    let failing = tokio::spawn(async move {
        away.make_checkpoints(|_| async { Err("nobody answers".to_owned()) })
            .await;
    });
    let appended = log.append(entry(0)).await.unwrap();
    let refused = log.receipt(appended.index).await.unwrap_err();
    assert_eq!(
        refused,
        ReceiptError::SignerUnavailable("nobody answers".to_owned())
    );
    assert_eq!(refused.entry().code, signer::UNAVAILABLE.code);
    assert_eq!(
        log.status().conditions.signer,
        Err("nobody answers".to_owned())
    );
    assert_eq!(log.checkpoint(), None);
    failing.abort();
    sign_checkpoints(&log);
    log.receipt(appended.index).await.unwrap();
    assert_eq!(log.status().conditions.signer, Ok(()));
    finish(log).await;
}

#[tokio::test]
async fn a_receipt_does_not_wait_longer_than_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let hasty = Settings {
        receipt_deadline: Duration::from_millis(20),
        ..settings(folder.path())
    };
    let log = Log::open(hasty, LogMetrics::unregistered()).unwrap();
    let appended = log.append(entry(0)).await.unwrap();
    let refused = log.receipt(appended.index).await.unwrap_err();
    assert_eq!(refused.entry().code, signer::UNAVAILABLE.code);
    log.close();
}

#[tokio::test]
async fn a_signature_that_does_not_verify_is_never_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let signing = log.clone();
    tokio::spawn(async move {
        signing
            .make_checkpoints(|_| async {
                Ok(Signed {
                    key: key(),
                    signature: [0; 64],
                })
            })
            .await;
    });
    let appended = log.append(entry(0)).await.unwrap();
    assert!(log.receipt(appended.index).await.is_err());
    assert_eq!(log.checkpoint(), None);
    assert!(!log.settle(Duration::from_millis(10)).await);
    tokio::task::spawn_blocking(move || log.close())
        .await
        .unwrap();
    assert!(!folder.path().join("checkpoint").exists());
}

#[tokio::test]
async fn after_a_restart_the_first_checkpoint_covers_everything_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    log.append(entry(0)).await.unwrap();
    finish(log).await;
    let log = open(folder.path());
    append_all(&log, (1..400).map(entry).collect()).await;
    log.close();
    let log = open(folder.path());
    assert_eq!((log.checkpoint(), log.status().size), (None, 400));
    sign_checkpoints(&log);
    assert!(log.settle(Duration::from_mins(1)).await);
    let first = log.checkpoint().unwrap();
    assert_eq!(Checkpoint::open(&first.note, &key()).unwrap().size(), 400);
    finish(log).await;
}

#[tokio::test]
async fn a_closed_log_takes_nothing_and_frees_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    log.append(entry(0)).await.unwrap();
    assert!(matches!(try_open(folder.path()), Err(OpenError::Locked(_))));
    log.close();
    log.close();
    let refused = log.append(entry(1)).await.unwrap_err();
    assert_eq!(refused.entry().code, log::UNAVAILABLE.code);
    let again = open(folder.path());
    assert_eq!(again.status().size, 1);
    again.close();
}

#[tokio::test]
async fn an_append_whose_caller_left_hinders_nobody_and_leaves_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    // Polled once, so that the entry is queued, and then dropped: perhaps before it was begun.
    let _ = timeout(Duration::ZERO, log.append(entry(0))).await;
    let next = log.append(entry(1)).await.unwrap();
    finish(log).await;
    let entries = audit(folder.path());
    assert_eq!(entries.len() as u64, next.index + 1);
    assert_eq!(entries.last().map(Vec::as_slice), Some(&entry(1)[..]));
}

fn try_open(directory: &Path) -> Result<Log, OpenError> {
    Log::open(settings(directory), LogMetrics::unregistered())
}
