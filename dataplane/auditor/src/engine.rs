//! The engine of a log: durable appends, a Merkle tree, checkpoints and receipts. No network.
//!
//! A log is one directory in the layout of [C2SP tlog-tiles]:
//!
//! ```text
//! VERSION                        format of the directory
//! lock                           held by the process that writes
//! checkpoint                     the newest signed checkpoint that every file below supports
//! tile/<L>/<N>[.p/<W>]           hashes
//! tile/entries/<N>[.p/<W>]       entries
//! wal/<first index>.wal          entries not yet in full bundles
//! tmp/                           files on their way to a name
//! ```
//!
//! Three threads of control and one promise each. The **writer** takes what is queued, writes it
//! to the write-ahead log, fsyncs once and acknowledges: acknowledged is durable, and indices are
//! the order of the write-ahead log. The **checkpoint task** has the newest tree head signed. The
//! **sealer** turns durable entries into tiles and bundles in the background, so the path of an
//! append has exactly one fsync, shared by everyone who came in during the one before.
//!
//! After any write or fsync error the group is not acknowledged. The tail is cut back to the last
//! acknowledged entry, and only then is the group refused: an entry that was refused cannot surface
//! later, also not when the process is killed just after. If the tail cannot be cut, or an append is
//! not answered in time, its outcome is unknown and the error says so
//! ([`AppendError::Uncertain`]): such an entry may be found in the log after a restart, and whoever
//! sent it must not rely on either. An append that nobody waits for any more is not begun.
//!
//! [C2SP tlog-tiles]: https://c2sp.org/tlog-tiles

mod checkpoints;
mod error;
mod files;
mod frame;
mod queue;
mod receipts;
mod recovery;
mod seal;
mod shared;
mod subtree;
mod tree;
mod wal;
mod writer;

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pavilion_process::Fault;
use pavilion_tlog::{
    Checkpoint, EMPTY_ROOT, Hash, MAX_ENTRY_BYTES, Proof, TileKind, TilePath, VerifierKey,
};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use self::frame::Leaf;
use self::queue::Refused;
use self::seal::Sealer;
use self::shared::{Pending, Shared};
use crate::metrics::LogMetrics;

pub use self::checkpoints::Signed;
pub use self::error::{AppendError, OpenError, ReceiptError};
pub use self::shared::{Conditions, Settings, SignedCheckpoint};

/// What an append weighs in the queue beside its bytes.
const APPEND_OVERHEAD: usize = 128;

/// An open log. Clones share it.
#[derive(Debug, Clone)]
pub struct Log {
    shared: Arc<Shared>,
    running: Arc<Mutex<Option<Running>>>,
    fault: Fault,
    #[cfg(test)]
    faults: Arc<wal::Faults>,
}

/// The threads. Each holds the directory's lock until it has ended.
#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Running {
    /// A log that nobody holds any more ends by itself.
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Zero-based index in the log.
    pub index: u64,
    /// The entry's leaf hash (RFC 6962 section 2.1).
    pub leaf_hash: Hash,
}

/// A log at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// Entries that are durable.
    pub size: u64,
    /// Entries that the newest signed checkpoint covers; `None` before the first.
    pub checkpoint_size: Option<u64>,
    /// Appends that wait.
    pub queued: usize,
    /// What is well and what is not.
    pub conditions: Conditions,
}

impl Log {
    /// Opens a log, mends what a crash left, and starts its threads. Blocks while it reads.
    pub fn open(settings: Settings, metrics: LogMetrics) -> Result<Self, OpenError> {
        let origin = &settings.origin;
        // The origin is also the name of the key that signs.
        let is_name = VerifierKey::new(origin, [0; 32]).is_ok();
        if !is_name || Checkpoint::new(origin, 0, EMPTY_ROOT).is_err() {
            return Err(OpenError::Origin);
        }
        let directory = settings.directory.clone();
        let recovered = recovery::open(&settings)?;
        let shared = Arc::new(Shared::new(settings, recovered.tree, metrics));
        shared.metrics.size(shared.tree.size());
        let sealer = Sealer {
            shared: Arc::clone(&shared),
            placer: recovered.placer,
            segments: recovered.segments,
            backlog: recovered.backlog,
            view_size: recovered.view_size,
            viewed_at: None,
            bundles: std::collections::VecDeque::new(),
        };
        #[cfg(test)]
        let faults = Arc::clone(&recovered.wal.faults);
        let (lock, for_writer, wal) =
            (Arc::new(recovered.lock), Arc::clone(&shared), recovered.wal);
        let mut running = Running {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        let fault = Fault::default();
        let mut start = |name: &'static str, work: Box<dyn FnOnce() + Send>| {
            let (lock, fault, shared) = (Arc::clone(&lock), fault.clone(), Arc::clone(&shared));
            let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
                if fault.guard(name, work).is_none() {
                    shared.give_up(name);
                }
                drop(lock);
            });
            thread
                .map(|thread| running.threads.push(thread))
                .map_err(OpenError::io(&directory))
        };
        start(
            "log-writer",
            Box::new(move || writer::run(&for_writer, wal)),
        )?;
        start("log-sealer", Box::new(move || sealer.run()))?;
        Ok(Self {
            shared,
            running: Arc::new(Mutex::new(Some(running))),
            fault,
            #[cfg(test)]
            faults,
        })
    }

    /// Appends an entry of 1 to 65,535 bytes. When this returns `Ok`, the entry is on disk.
    pub async fn append(&self, entry: Bytes) -> Result<Appended, AppendError> {
        if entry.is_empty() || entry.len() > MAX_ENTRY_BYTES {
            return Err(AppendError::Invalid);
        }
        if self.shared.failing.load(Ordering::Acquire) {
            return Err(AppendError::Unavailable(
                "an earlier write failed".to_owned(),
            ));
        }
        let began = Instant::now();
        let leaf = Leaf::new(entry);
        let leaf_hash = leaf.hash;
        let (acknowledge, acknowledged) = oneshot::channel();
        let weight = leaf.entry.len() + APPEND_OVERHEAD;
        match self
            .shared
            .appends
            .try_push(Pending { leaf, acknowledge }, weight)
        {
            Ok(()) => {}
            Err(Refused::Full(_)) => {
                self.shared.metrics.overload();
                return Err(AppendError::Overloaded);
            }
            Err(Refused::Closed(_)) => {
                return Err(AppendError::Unavailable("the log is closing".to_owned()));
            }
        }
        let answer = timeout(self.shared.settings.append_deadline, acknowledged).await;
        let answer =
            answer.map_err(|_| AppendError::Uncertain("the disk takes too long".to_owned()))?;
        let index =
            answer.map_err(|_| AppendError::Uncertain("the log was closed".to_owned()))??;
        self.shared.metrics.acknowledged(began.elapsed());
        Ok(Appended { index, leaf_hash })
    }

    /// The receipt of an acknowledged entry; waits for a checkpoint that covers it.
    pub async fn receipt(&self, index: u64) -> Result<Proof, ReceiptError> {
        receipts::receipt(&self.shared, index).await
    }

    /// Makes checkpoints until dropped; `sign` gets each checkpoint's text. Run it once.
    pub async fn make_checkpoints<F, W>(&self, sign: F)
    where
        F: Fn(String) -> W,
        W: Future<Output = Result<Signed, String>>,
    {
        checkpoints::run(&self.shared, sign).await;
    }

    /// The newest signed checkpoint.
    pub fn checkpoint(&self) -> Option<Arc<SignedCheckpoint>> {
        self.shared.published()
    }

    /// A hash tile, as it is in the tree of the newest checkpoint or narrower; `None` for one that
    /// this tree has not, and for entry bundles. May read the disk.
    pub fn tile(&self, path: TilePath) -> io::Result<Option<Vec<u8>>> {
        let size = self.shared.published().map_or(0, |signed| signed.size);
        let covered = path
            .in_tree(size)
            .is_some_and(|whole| whole.width() >= path.width());
        if !covered || path.kind() == TileKind::Entries {
            return Ok(None);
        }
        self.shared.tree.tile(path)
    }

    /// The log at this moment.
    pub fn status(&self) -> LogStatus {
        LogStatus {
            size: self.shared.durable.load(Ordering::Acquire),
            checkpoint_size: self.shared.published().map(|signed| signed.size),
            queued: self.shared.appends.depth(),
            conditions: self.shared.conditions.borrow().clone(),
        }
    }

    /// Follows what is well and what is not.
    pub fn conditions(&self) -> watch::Receiver<Conditions> {
        self.shared.conditions.subscribe()
    }

    /// Why this log cannot go on: one of its threads ended by a fault. Whoever runs it ends the
    /// process then, so that it is started anew.
    pub fn fault(&self) -> Fault {
        self.fault.clone()
    }

    /// Waits until the newest checkpoint covers everything durable, or the time is over.
    pub async fn settle(&self, patience: Duration) -> bool {
        let size = self.shared.durable.load(Ordering::Acquire);
        let mut checkpoints = self.shared.checkpoints.subscribe();
        self.shared.want(size);
        let covered = checkpoints.wait_for(|state| {
            state
                .newest
                .as_ref()
                .is_some_and(|newest| newest.size >= size)
        });
        timeout(patience, covered)
            .await
            .is_ok_and(|covered| covered.is_ok())
    }

    /// Takes no more appends, finishes those that wait, writes the files, ends the threads and
    /// unlocks the directory. Blocks.
    pub fn close(&self) {
        self.shared.close();
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let threads = running.map(|mut running| std::mem::take(&mut running.threads));
        for thread in threads.into_iter().flatten() {
            // A fault of it was told already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn an_fsync_that_fails_refuses_its_group_and_the_log_goes_on_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path(), "log.example/acme");
        let log = Log::open(settings.clone(), LogMetrics::unregistered()).unwrap();
        assert_eq!(log.append("kept".into()).await.unwrap().index, 0);
        log.faults.syncs.store(1, Ordering::SeqCst);
        let refused = log.append("lost".into()).await.unwrap_err();
        assert_eq!(
            refused,
            AppendError::Unavailable("the disk failed".to_owned())
        );
        let mut conditions = log.conditions();
        conditions.wait_for(|now| now.writer.is_ok()).await.unwrap();
        assert_eq!(log.append("next".into()).await.unwrap().index, 1);
        log.close();
        let log = Log::open(settings, LogMetrics::unregistered()).unwrap();
        assert_eq!(log.status().size, 2);
        assert_eq!(
            log.shared.tree.entry(1, tree::Disk::Read).unwrap(),
            Bytes::from_static(b"next")
        );
        log.close();
    }

    /// What a killed process leaves of the write-ahead log.
    fn image(from: &std::path::Path) -> tempfile::TempDir {
        let to = tempfile::tempdir().unwrap();
        std::fs::create_dir(to.path().join("wal")).unwrap();
        std::fs::copy(from.join("VERSION"), to.path().join("VERSION")).unwrap();
        for entry in std::fs::read_dir(from.join("wal")).unwrap().flatten() {
            let name = std::path::Path::new("wal").join(entry.file_name());
            std::fs::copy(from.join(&name), to.path().join(&name)).unwrap();
        }
        to
    }

    fn size_of(folder: &std::path::Path) -> u64 {
        let settings = Settings::new(folder, "log.example/acme");
        let log = Log::open(settings, LogMetrics::unregistered()).unwrap();
        let size = log.status().size;
        log.close();
        size
    }

    #[tokio::test]
    async fn a_refused_entry_does_not_surface_when_the_process_is_killed_just_after() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path(), "log.example/acme");
        let log = Log::open(settings, LogMetrics::unregistered()).unwrap();
        for kept in 1..8 {
            log.append("kept".into()).await.unwrap();
            log.faults.syncs.store(1, Ordering::SeqCst);
            let refused = log.append("lost".into()).await.unwrap_err();
            let left = image(folder.path());
            assert!(matches!(refused, AppendError::Unavailable(_)), "{refused}");
            assert_eq!(size_of(left.path()), kept);
            let mut conditions = log.conditions();
            conditions.wait_for(|now| now.writer.is_ok()).await.unwrap();
        }
        log.close();
    }

    #[tokio::test]
    async fn where_the_tail_cannot_be_cut_the_outcome_is_said_to_be_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path(), "log.example/acme");
        let log = Log::open(settings, LogMetrics::unregistered()).unwrap();
        log.append("kept".into()).await.unwrap();
        log.faults.repairs.store(1, Ordering::SeqCst);
        log.faults.syncs.store(1, Ordering::SeqCst);
        let unknown = log.append("unknown".into()).await.unwrap_err();
        assert!(matches!(unknown, AppendError::Uncertain(_)), "{unknown}");
        assert_eq!(unknown.entry().code, "log_unavailable");
        // This process still cuts it, once it can.
        let mut conditions = log.conditions();
        conditions.wait_for(|now| now.writer.is_ok()).await.unwrap();
        assert_eq!(log.append("next".into()).await.unwrap().index, 1);
        log.close();
    }

    #[tokio::test]
    async fn an_append_that_nobody_waits_for_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path(), "log.example/acme");
        let log = Log::open(settings, LogMetrics::unregistered()).unwrap();
        let (acknowledge, gone) = oneshot::channel();
        drop(gone);
        let leaf = Leaf::new("late".into());
        let late = Pending { leaf, acknowledge };
        assert!(log.shared.appends.try_push(late, 1).is_ok());
        assert_eq!(log.append("next".into()).await.unwrap().index, 0);
        log.close();
    }

    #[tokio::test]
    async fn a_writer_that_ends_by_a_fault_is_told_and_nothing_more_is_taken_in() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path(), "log.example/acme");
        let log = Log::open(settings, LogMetrics::unregistered()).unwrap();
        log.faults.panics.store(1, Ordering::SeqCst);
        let unknown = log.append("x".into()).await.unwrap_err();
        assert!(matches!(unknown, AppendError::Uncertain(_)), "{unknown}");
        assert!(log.fault().told().await.contains("log-writer"));
        let mut conditions = log.conditions();
        let failed = conditions.wait_for(|now| now.writer.is_err());
        failed.await.unwrap();
        let refused = log.append("y".into()).await.unwrap_err();
        assert!(matches!(refused, AppendError::Unavailable(_)), "{refused}");
        log.close();
    }

    #[tokio::test]
    async fn while_the_disk_is_away_appends_are_refused_at_once_and_the_log_comes_back_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path(), "log.example/acme");
        let log = Log::open(settings, LogMetrics::unregistered()).unwrap();
        log.append("kept".into()).await.unwrap();
        let (there, away) = (folder.path().join("wal"), folder.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        log.faults.syncs.store(1, Ordering::SeqCst);
        // Many at once: one group meets the failure, the others are queued behind it.
        let appends = (0..2_000).map(|_| log.append("lost".into())).map(Box::pin);
        let mut appends: Vec<_> = appends.collect();
        for append in &mut appends {
            assert!(append.await.is_err());
        }
        drop(appends);
        assert!(log.status().conditions.writer.is_err());
        std::fs::rename(&away, &there).unwrap();
        let mut conditions = log.conditions();
        conditions.wait_for(|now| now.writer.is_ok()).await.unwrap();
        assert_eq!(log.append("next".into()).await.unwrap().index, 1);
        std::fs::rename(&there, &away).unwrap();
        log.faults.syncs.store(1, Ordering::SeqCst);
        assert!(log.append("lost".into()).await.is_err());
        // A log that cannot be mended can still be closed.
        tokio::task::spawn_blocking(move || log.close())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_log_that_is_dropped_frees_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path(), "log.example/acme");
        drop(Log::open(settings.clone(), LogMetrics::unregistered()).unwrap());
        let again = async {
            loop {
                match Log::open(settings.clone(), LogMetrics::unregistered()) {
                    Ok(log) => return log,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        timeout(Duration::from_mins(1), again)
            .await
            .unwrap()
            .close();
    }
}
