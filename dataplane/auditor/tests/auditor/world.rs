//! A log to test with: its settings, a key that signs its checkpoints, and crash images.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use bytes::Bytes;
use pavilion_auditor::LogMetrics;
use pavilion_auditor::engine::{Log, OpenError, Settings, Signed};
use pavilion_tlog::VerifierKey;

pub const ORIGIN: &str = "log.example/acme";

/// The checkpoint key of these tests.
pub fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
}

pub fn key() -> VerifierKey {
    VerifierKey::new(ORIGIN, pair().public_key().as_ref().try_into().unwrap()).unwrap()
}

/// Settings with small segments, so that tests see many of them.
pub fn settings(directory: &Path) -> Settings {
    Settings {
        segment_bytes: 16 * 1024,
        recent_bytes: 16 * 1024,
        append_deadline: Duration::from_mins(1),
        receipt_deadline: Duration::from_mins(1),
        ..Settings::new(directory, ORIGIN)
    }
}

/// Opens a log. Another test of this process may be between fork and exec of a program: its copy of
/// the lock's descriptor keeps a log locked that was just closed.
pub fn open(directory: &Path) -> Log {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Log::open(settings(directory), LogMetrics::unregistered()) {
            Err(OpenError::Locked(_)) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(5));
            }
            opened => return opened.unwrap(),
        }
    }
}

/// Opens a log and has its checkpoints signed.
pub fn open_signing(directory: &Path) -> Log {
    let log = open(directory);
    sign_checkpoints(&log);
    log
}

pub fn sign_checkpoints(log: &Log) {
    let (log, pair) = (log.clone(), Arc::new(pair()));
    tokio::spawn(async move {
        let sign = |text: String| {
            let signature = pair.sign(text.as_bytes()).as_ref().try_into().unwrap();
            async move {
                Ok(Signed {
                    key: key(),
                    signature,
                })
            }
        };
        log.make_checkpoints(sign).await;
    });
}

/// An entry that says its number.
pub fn entry(number: usize) -> Bytes {
    format!("entry {number}").into()
}

/// Appends entries all at once; returns those acknowledged with their indices, in order of index.
pub async fn append_all(log: &Log, entries: Vec<Bytes>) -> Vec<(u64, Bytes)> {
    let appends = entries.into_iter().map(|entry| {
        let log = log.clone();
        tokio::spawn(async move { log.append(entry.clone()).await.map(|at| (at.index, entry)) })
    });
    let mut appended = Vec::new();
    for append in appends.collect::<Vec<_>>() {
        appended.extend(append.await.unwrap());
    }
    appended.sort();
    appended
}

/// Signs what is there, writes it all to the directory, and ends.
pub async fn finish(log: Log) {
    assert!(log.settle(Duration::from_mins(1)).await);
    tokio::task::spawn_blocking(move || log.close())
        .await
        .unwrap();
}

/// What a killed process leaves: a copy in an order in which nothing is newer than what it needs.
pub fn image(from: &Path, to: &Path) {
    for name in ["VERSION", "checkpoint", "wal", "tile"] {
        copy(&from.join(name), &to.join(name));
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        // Files come and go while a log works; one that went is in the next folder.
        for found in fs::read_dir(from).into_iter().flatten().flatten() {
            copy(&found.path(), &to.join(found.file_name()));
        }
    } else if let Ok(bytes) = fs::read(from)
        // A segment that lost its name meanwhile may have been read while it was made anew.
        && from.exists()
    {
        fs::write(to, bytes).unwrap();
    }
}
