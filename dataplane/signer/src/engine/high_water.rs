//! The newest checkpoint that was agreed to be signed, in memory and on disk.
//!
//! A log that is set back to an older copy must not get a checkpoint that contradicts one signed
//! before, also when the signer was restarted with it. The record is written behind the signatures,
//! at most once a second, and when the signer stops: an fsync for each checkpoint would double what
//! an answer costs. A signer that is killed forgets at most the checkpoints of its last second or
//! so; those are found by witnesses, and by anyone who kept one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pavilion_json::Limits;
use pavilion_process::Fault;
use serde::{Deserialize, Serialize};

use super::form::Watermark;
use super::{SignerError, StartError, files};

/// The version this program writes, and the only one it reads.
const VERSION: u32 = 1;

/// The least time between two replacements of the record.
const SPACING: Duration = Duration::from_secs(1);

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    version: u32,
    /// The log's origin; the record of another log says nothing about this one.
    origin: String,
    size: u64,
    /// The root hash, base64.
    root: String,
}

/// Remembers the newest checkpoint.
#[derive(Debug)]
pub(super) struct HighWater(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    origin: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    newest: Watermark,
    saved: Watermark,
    closed: bool,
}

impl HighWater {
    /// Reads the record beside the keys file; a missing one is of a log that was never signed.
    pub(super) fn open(keys_file: &Path, origin: &str) -> Result<Self, StartError> {
        let path = keys_file.with_extension("checkpoint");
        let newest = read(&path, origin)?;
        let state = State {
            saved: newest.clone(),
            newest,
            closed: false,
        };
        Ok(Self(Arc::new(Shared {
            path,
            origin: origin.to_owned(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        })))
    }

    /// Checks that `message` is a checkpoint of the log that does not contradict the newest one, and
    /// remembers it before anything is signed.
    pub(super) fn admit(&self, message: &[u8]) -> Result<(), SignerError> {
        let mut state = self.0.lock();
        let clean = state.newest == state.saved;
        state.newest.admit(message, &self.0.origin)?;
        drop(state);
        if clean {
            self.0.changed.notify_one();
        }
        Ok(())
    }

    /// Starts the thread that writes behind.
    pub(super) fn start(&self, fault: Fault) -> io::Result<JoinHandle<()>> {
        let shared = Arc::clone(&self.0);
        let work = move || {
            fault.guard("high-water", || shared.write_behind());
        };
        thread::Builder::new()
            .name("high-water".to_owned())
            .spawn(work)
    }

    /// Has what is not on disk written at once, and the thread end.
    pub(super) fn close(&self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn write_behind(&self) {
        let mut refused = false;
        loop {
            let state = self.lock();
            let nothing_new = |state: &mut State| !state.closed && state.newest == state.saved;
            let waited = self.changed.wait_while(state, nothing_new);
            let state = waited.unwrap_or_else(PoisonError::into_inner);
            let (newest, last) = (state.newest.clone(), state.closed);
            let new = newest != state.saved;
            drop(state);
            if new {
                match self.write(&newest) {
                    Ok(()) => {
                        self.lock().saved = newest;
                        refused = false;
                    }
                    Err(error) if !refused => {
                        refused = true;
                        tracing::error!(path = %self.path.display(), %error, "the newest checkpoint is not recorded; trying again");
                    }
                    Err(_) => {}
                }
            }
            if last {
                return;
            }
            let waited = self
                .changed
                .wait_timeout_while(self.lock(), SPACING, |state| !state.closed);
            drop(waited);
        }
    }

    fn write(&self, watermark: &Watermark) -> io::Result<()> {
        let Some((size, root)) = watermark.newest() else {
            return Ok(());
        };
        let record = Record {
            version: VERSION,
            origin: self.origin.clone(),
            size,
            root: root.to_owned(),
        };
        let mut text = serde_json::to_vec_pretty(&record)?;
        text.push(b'\n');
        files::replace(&self.path, &text)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path, origin: &str) -> Result<Watermark, StartError> {
    let refuse = |why: &str| {
        let path = path.display();
        StartError::KeysRefused(format!(
            "{path}: {why}; it says which checkpoint was signed last, restore it from a copy"
        ))
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Watermark::default()),
        Err(error) => return Err(refuse(&error.to_string())),
    };
    let record: Record = pavilion_json::read(&bytes, Limits::DOCUMENT)
        .map_err(|error| refuse(&error.to_string()))?;
    if record.version != VERSION {
        return Err(refuse("written by another version of this program"));
    }
    if record.origin != origin {
        return Ok(Watermark::default());
    }
    Watermark::at(record.size, record.root).ok_or_else(|| refuse("it has no root hash"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const ORIGIN: &str = "log.example/acme";
    const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

    fn checkpoint(size: u64) -> Vec<u8> {
        format!("{ORIGIN}\n{size}\n{ROOT}\n").into_bytes()
    }

    fn code(outcome: Result<(), SignerError>) -> &'static str {
        outcome.unwrap_err().code()
    }

    #[test]
    fn a_log_that_was_set_back_while_the_signer_was_away_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.json");
        let high_water = HighWater::open(&keys, ORIGIN).unwrap();
        let thread = high_water.start(Fault::default()).unwrap();
        for size in 1..=7 {
            high_water.admit(&checkpoint(size)).unwrap();
        }
        high_water.close();
        thread.join().unwrap();

        let again = HighWater::open(&keys, ORIGIN).unwrap();
        assert_eq!(code(again.admit(&checkpoint(6))), "checkpoint_conflict");
        let split = String::from_utf8(checkpoint(7))
            .unwrap()
            .replace("CsUY", "AAAA");
        assert_eq!(code(again.admit(split.as_bytes())), "checkpoint_conflict");
        again.admit(&checkpoint(7)).unwrap();
        again.admit(&checkpoint(8)).unwrap();

        let other = HighWater::open(&keys, "log.example/beta").unwrap();
        let first = format!("log.example/beta\n1\n{ROOT}\n");
        other.admit(first.as_bytes()).unwrap();
    }

    #[test]
    fn a_checkpoint_is_recorded_without_being_asked() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.json");
        let high_water = HighWater::open(&keys, ORIGIN).unwrap();
        let thread = high_water.start(Fault::default()).unwrap();
        high_water.admit(&checkpoint(5)).unwrap();
        // A killed signer says no goodbye.
        while read(&folder.path().join("keys.checkpoint"), ORIGIN).unwrap() == Watermark::default()
        {
            thread::yield_now();
        }
        let after = HighWater::open(&keys, ORIGIN).unwrap();
        assert_eq!(code(after.admit(&checkpoint(4))), "checkpoint_conflict");
        high_water.close();
        thread.join().unwrap();
    }

    #[test]
    fn a_damaged_record_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.json");
        for text in [
            "",
            "{",
            r#"{"version":2,"origin":"log.example/acme","size":1,"root":"x"}"#,
            r#"{"version":1,"origin":"log.example/acme","size":1,"root":"x"}"#,
            r#"{"version":1,"origin":"log.example/acme","size":-1,"root":"x"}"#,
        ] {
            fs::write(folder.path().join("keys.checkpoint"), text).unwrap();
            assert!(
                matches!(
                    HighWater::open(&keys, ORIGIN),
                    Err(StartError::KeysRefused(_))
                ),
                "{text}"
            );
        }
    }
}
