//! What the threads and tasks of one log share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pavilion_tlog::{Checkpoint, Hash, Note};
use tokio::sync::{Notify, oneshot, watch};

use super::error::AppendError;
use super::frame::Leaf;
use super::queue::{Bounds, Queue};
use super::tree::{Completed, Tree};
use crate::metrics::LogMetrics;

/// What a log is told when it is opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The log's directory; made when it is missing.
    pub directory: PathBuf,
    /// The log's origin line and key name.
    pub origin: String,
    /// Appends that may wait.
    pub queue_entries: usize,
    /// Bytes of appends that may wait.
    pub queue_bytes: usize,
    /// The longest wait for an acknowledgement.
    pub append_deadline: Duration,
    /// The longest wait for a receipt.
    pub receipt_deadline: Duration,
    /// The least time between the beginnings of two checkpoints.
    pub checkpoint_spacing: Duration,
    /// The longest time an entry waits for a checkpoint that nobody asks for.
    pub checkpoint_delay: Duration,
    /// The least time between two replacements of the directory's `checkpoint`.
    pub view_interval: Duration,
    /// The length at which a write-ahead segment is finished.
    pub segment_bytes: u64,
    /// Bytes of the newest entries kept in memory for receipts.
    pub recent_bytes: usize,
}

impl Settings {
    /// The defaults for a log in `directory` under this origin.
    pub fn new(directory: impl Into<PathBuf>, origin: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            origin: origin.into(),
            queue_entries: 4096,
            queue_bytes: 32 * 1024 * 1024,
            append_deadline: Duration::from_secs(2),
            receipt_deadline: Duration::from_secs(2),
            checkpoint_spacing: Duration::from_millis(5),
            checkpoint_delay: Duration::from_millis(100),
            view_interval: Duration::from_millis(100),
            segment_bytes: 16 * 1024 * 1024,
            recent_bytes: 2 * 1024 * 1024,
        }
    }
}

/// A checkpoint that was signed and whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The number of entries it covers.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The signed note.
    pub note: Note,
    /// The note as text.
    pub text: String,
}

impl SignedCheckpoint {
    pub(crate) fn new(checkpoint: &Checkpoint, note: Note) -> Self {
        let text = note.to_string();
        Self {
            size: checkpoint.size(),
            root: checkpoint.root(),
            note,
            text,
        }
    }
}

/// What is well with a log and what is not; a reason is for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// Entries can be made durable.
    pub writer: Result<(), String>,
    /// Tiles and the checkpoint can be written.
    pub sealer: Result<(), String>,
    /// Checkpoints are signed.
    pub signer: Result<(), String>,
}

/// An append that waits for its acknowledgement.
#[derive(Debug)]
pub(crate) struct Pending {
    pub leaf: Leaf,
    pub acknowledge: oneshot::Sender<Result<u64, AppendError>>,
}

/// The newest checkpoint, and how the attempts at the next one went.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    pub newest: Option<Arc<SignedCheckpoint>>,
    /// The number of the last attempt that failed, and why.
    pub failed: Option<(u64, String)>,
}

/// See the module's words.
#[derive(Debug)]
pub(crate) struct Shared {
    pub settings: Settings,
    pub tree: Tree,
    pub appends: Queue<Pending>,
    pub completed: Queue<Completed>,
    /// Entries that were fsynced; at least the tree's size.
    pub durable: AtomicU64,
    /// The tree's size, to wait for.
    pub grown: watch::Sender<u64>,
    pub checkpoints: watch::Sender<Checkpoints>,
    /// Attempts at a checkpoint that were begun.
    pub attempts: AtomicU64,
    /// The size that somebody waits for a checkpoint to reach.
    pub wanted: AtomicU64,
    pub demand: Notify,
    pub conditions: watch::Sender<Conditions>,
    /// True while writer or sealer cannot write.
    pub failing: AtomicBool,
    pub metrics: LogMetrics,
}

impl Shared {
    pub fn new(settings: Settings, tree: Tree, metrics: LogMetrics) -> Self {
        let bounds = Bounds {
            items: settings.queue_entries,
            weight: settings.queue_bytes,
        };
        let size = tree.size();
        let waiting = "no checkpoint was signed yet".to_owned();
        let conditions = Conditions {
            writer: Ok(()),
            sealer: Ok(()),
            signer: Err(waiting),
        };
        Self {
            settings,
            tree,
            appends: Queue::new(bounds),
            completed: Queue::new(Bounds {
                items: 1024,
                weight: 32 * 1024 * 1024,
            }),
            durable: AtomicU64::new(size),
            grown: watch::Sender::new(size),
            checkpoints: watch::Sender::default(),
            attempts: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            demand: Notify::new(),
            conditions: watch::Sender::new(conditions),
            failing: AtomicBool::new(false),
            metrics,
        }
    }

    /// The newest signed checkpoint.
    pub fn published(&self) -> Option<Arc<SignedCheckpoint>> {
        self.checkpoints.borrow().newest.clone()
    }

    /// Asks for a checkpoint that covers the first `size` entries.
    pub fn want(&self, size: u64) {
        if self.wanted.fetch_max(size, Ordering::AcqRel) < size {
            self.demand.notify_one();
        }
    }

    /// Takes no more appends, and no longer has the writer wait for a sealer that may be waiting for
    /// its disk: what is queued by now is durable, and bounded.
    pub fn close(&self) {
        self.appends.close();
        self.completed.lift();
    }

    /// Refuses everything from now on: a thread of this log is gone.
    pub fn give_up(&self, thread: &str) {
        let gone = Err(format!("the thread {thread} ended by a fault of its own"));
        self.set_writer(gone.clone());
        self.set_sealer(gone);
        self.close();
        // Whoever waits in the queue is told at once.
        while let Some(left) = self.appends.take(self.appends.bounds(), Duration::ZERO) {
            drop(left);
        }
        self.completed.close();
    }

    pub fn set_writer(&self, now: Result<(), String>) {
        self.set(|conditions| &mut conditions.writer, now);
    }

    pub fn set_sealer(&self, now: Result<(), String>) {
        self.set(|conditions| &mut conditions.sealer, now);
    }

    pub fn set_signer(&self, now: Result<(), String>) {
        self.set(|conditions| &mut conditions.signer, now);
    }

    fn set(&self, which: fn(&mut Conditions) -> &mut Result<(), String>, now: Result<(), String>) {
        self.conditions.send_if_modified(|conditions| {
            let condition = which(conditions);
            let changed = *condition != now;
            *condition = now;
            let failing = conditions.writer.is_err() || conditions.sealer.is_err();
            self.failing.store(failing, Ordering::Release);
            changed
        });
    }
}
