//! The one thread that writes: many changes, one transaction, one sync.

use std::sync::Arc;
use std::time::Instant;

use pavilion_process::Check;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::database::Database;
use super::fault::Fault;
use super::keys::KeyFile;
use super::tables::Tables;

/// The most changes in one transaction.
const BATCH: usize = 512;

/// Tells the one who waits that its change is on disk.
type Tell = Box<dyn FnOnce() + Send>;
type Change = Box<dyn FnOnce(&mut Tables<'_>) -> Result<Tell, redb::Error> + Send>;

/// One change that waits to be written. Whoever waits for it learns of a failure of the whole
/// transaction by the end of its channel.
pub(super) struct Job(Change);

impl Job {
    pub(super) fn new<T, F>(change: F, tell: oneshot::Sender<Result<T, StoreError>>) -> Self
    where
        T: Send + 'static,
        F: FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    {
        Self(Box::new(move |tables| {
            let outcome = match change(tables) {
                Ok(value) => Ok(value),
                // The other changes of the transaction have nothing to do with this row.
                Err(fault @ Fault::Row) => Err(fault.into()),
                Err(Fault::Store(error)) => return Err(error),
            };
            // Whoever waited may have gone away; the change stands all the same.
            Ok(Box::new(move || drop(tell.send(outcome))))
        }))
    }
}

/// What the writing thread counts.
#[derive(Clone, Debug, Default)]
pub struct StoreMetrics {
    commits: Counter,
    changes: Counter,
    failures: Counter,
    duration: Option<Histogram>,
}

impl StoreMetrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            duration: Some(Histogram::new(exponential_buckets(0.000_25, 2.0, 12))),
            ..Self::default()
        };
        let Self {
            commits,
            changes,
            failures,
            duration,
        } = &metrics;
        registry.register(
            "store_commits",
            "Transactions synced to disk",
            commits.clone(),
        );
        registry.register(
            "store_changes",
            "Changes in those transactions",
            changes.clone(),
        );
        registry.register(
            "store_failures",
            "Transactions that failed",
            failures.clone(),
        );
        if let Some(duration) = duration {
            registry.register_with_unit(
                "store_commit_duration",
                "From the first change of a transaction to its sync",
                Unit::Seconds,
                duration.clone(),
            );
        }
        metrics
    }
}

pub(super) struct Writer {
    database: Arc<Database>,
    keys: KeyFile,
    check: Check,
    metrics: StoreMetrics,
    waiting: mpsc::Receiver<Job>,
    failed: bool,
}

impl Drop for Writer {
    /// A panic ends the thread and with it [`super::Store::ended`]; until the process is gone the
    /// check says why nothing is written.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.check
                .set_failed("the thread that writes short-lived state has ended");
        }
    }
}

impl Writer {
    pub(super) fn new(
        database: Arc<Database>,
        keys: KeyFile,
        check: Check,
        metrics: StoreMetrics,
        waiting: mpsc::Receiver<Job>,
    ) -> Self {
        Self {
            database,
            keys,
            check,
            metrics,
            waiting,
            failed: false,
        }
    }

    /// Runs until the last [`super::Store`] is gone.
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
            let count = batch.len() as u64;
            let begun = Instant::now();
            match self.commit(&mut batch) {
                Ok(told) => {
                    self.metrics.commits.inc();
                    self.metrics.changes.inc_by(count);
                    if let Some(duration) = &self.metrics.duration {
                        duration.observe(begun.elapsed().as_secs_f64());
                    }
                    self.recovered();
                    for tell in told {
                        tell();
                    }
                }
                Err(error) => self.fail(&error),
            }
            batch.clear();
        }
    }

    fn commit(&mut self, batch: &mut Vec<Job>) -> Result<Vec<Tell>, redb::Error> {
        if self.failed {
            self.database.reopen()?;
        }
        let transaction = self.database.begin()?;
        let mut tables = Tables::open(&transaction, &mut self.keys)?;
        let told = batch
            .drain(..)
            .map(|Job(change)| change(&mut tables))
            .collect::<Result<_, _>>()?;
        let spent = tables.spent()?;
        drop(tables);
        transaction.commit()?;
        // Only now: what a crash brings back must be readable.
        if let Some(minute) = spent {
            self.keys.forget_before(minute)?;
        }
        Ok(told)
    }

    fn fail(&mut self, error: &redb::Error) {
        self.metrics.failures.inc();
        tracing::error!(%error, "short-lived state cannot be written");
        self.check.set_failed("short-lived state cannot be written");
        self.failed = true;
    }

    fn recovered(&mut self) {
        if self.failed {
            self.failed = false;
            self.check.set_ok();
        }
    }
}
