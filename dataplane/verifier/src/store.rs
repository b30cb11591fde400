//! Short-lived state that survives a restart: verifications, used nonces, seen assertions,
//! idempotency records and digests of access tokens.
//!
//! One thread writes. It takes everything that waits, applies it in one transaction, syncs, and
//! only then tells each waiting request; so many requests share one sync, and nothing that was
//! acknowledged is lost by a crash. A change that finds a conflict writes nothing. Every row has an
//! expiry, and a sweep deletes what has passed it: after that nothing about a subject is left here.
//!
//! `evaluating` is never written. Which verifications are under evaluation is known in memory only,
//! so a process that dies in the middle leaves them awaiting evidence, with nothing consumed.

mod database;
mod operations;
mod rows;
mod tables;
mod writer;

use std::path::Path;
use std::sync::Arc;

use pavilion_process::{Check, Exit};
use tokio::sync::{mpsc, oneshot};

pub use operations::{Conflict, Ending, IssuedToken, KeyedRecord, Opening};
pub use rows::{Completed, IdempotencyRecord, NonceUse, Outcome, StoredVerification, TokenRecord};

use database::Database;
use tables::Tables;
use writer::Job;
pub use writer::StoreMetrics;

/// A SHA-256 digest as a key.
pub type Key = [u8; 32];

/// The state cannot be read or written now. Nothing was decided on it, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("short-lived state is unavailable")]
pub struct StoreError;

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        tracing::error!(%error, "short-lived state cannot be read");
        Self
    }
}

/// The store. Clones share it; the last one ends the writing thread.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
    jobs: mpsc::Sender<Job>,
}

/// Changes that may wait for the writing thread.
const QUEUE: usize = 1_024;

impl Store {
    /// Opens the file, or makes it with mode 0600.
    ///
    /// `check` follows whether writing works; `metrics` count what is written.
    ///
    /// # Errors
    /// [`Exit::DataRefused`] if the file is of a newer version or no state of ours,
    /// [`Exit::Unavailable`] if another process has it, [`Exit::CannotWrite`] otherwise.
    pub fn open(path: &Path, check: Check, metrics: StoreMetrics) -> Result<Self, Exit> {
        let database = Arc::new(Database::open(path)?);
        check.set_ok();
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let writer = writer::Writer::new(Arc::clone(&database), check, metrics);
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(|error| Exit::Unavailable(format!("cannot start a thread: {error}")))?;
        Ok(Self { database, jobs })
    }

    /// Applies a change and waits until it is on disk.
    async fn write<T, F>(&self, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tables<'_>) -> Result<T, redb::Error> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job = Job::new(change, tell);
        self.jobs.send(job).await.map_err(|_| StoreError)?;
        told.await.map_err(|_| StoreError)
    }
}

#[cfg(test)]
mod tests;
