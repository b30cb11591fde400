//! What the log counts. No label, because a process has one log.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Metrics of the engine.
#[derive(Debug, Clone)]
pub struct LogMetrics {
    appends: Counter,
    append_failures: Counter,
    append_overloads: Counter,
    group_entries: Histogram,
    fsync: Histogram,
    acknowledge: Histogram,
    size: Gauge,
    checkpoints: Counter,
    checkpoint_failures: Counter,
    checkpoint_size: Gauge,
    checkpoint_time: Gauge,
    queue: Gauge,
}

impl LogMetrics {
    /// Registers everything, at zero.
    pub fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("log");
        let metrics = Self::unregistered();
        let m = &metrics;
        registry.register("appends", "Entries made durable", m.appends.clone());
        registry.register(
            "append_failures",
            "Entries refused because they could not be written",
            m.append_failures.clone(),
        );
        registry.register(
            "append_overloads",
            "Entries refused because the queue was full",
            m.append_overloads.clone(),
        );
        registry.register(
            "group_entries",
            "Entries made durable by one fsync",
            m.group_entries.clone(),
        );
        registry.register_with_unit(
            "fsync_duration",
            "Write and fsync of one group",
            Unit::Seconds,
            m.fsync.clone(),
        );
        registry.register_with_unit(
            "append_duration",
            "From append to acknowledgement",
            Unit::Seconds,
            m.acknowledge.clone(),
        );
        registry.register("entries", "Durable entries in the log", m.size.clone());
        registry.register("checkpoints", "Checkpoints signed", m.checkpoints.clone());
        registry.register(
            "checkpoint_failures",
            "Attempts at a checkpoint that failed",
            m.checkpoint_failures.clone(),
        );
        registry.register(
            "checkpoint_entries",
            "Entries the newest checkpoint covers",
            m.checkpoint_size.clone(),
        );
        registry.register_with_unit(
            "checkpoint_timestamp",
            "When the newest checkpoint was signed, since the epoch",
            Unit::Seconds,
            m.checkpoint_time.clone(),
        );
        registry.register("queue_entries", "Appends that wait", m.queue.clone());
        metrics
    }

    /// Metrics that nobody reads, for an engine outside a program.
    pub fn unregistered() -> Self {
        Self {
            appends: Counter::default(),
            append_failures: Counter::default(),
            append_overloads: Counter::default(),
            group_entries: Histogram::new(exponential_buckets(1.0, 4.0, 7)),
            fsync: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            acknowledge: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            size: Gauge::default(),
            checkpoints: Counter::default(),
            checkpoint_failures: Counter::default(),
            checkpoint_size: Gauge::default(),
            checkpoint_time: Gauge::default(),
            queue: Gauge::default(),
        }
    }

    pub(crate) fn group(&self, entries: usize, took: Duration) {
        self.appends.inc_by(entries as u64);
        self.group_entries
            .observe(f64::from(u32::try_from(entries).unwrap_or(u32::MAX)));
        self.fsync.observe(took.as_secs_f64());
        self.size.inc_by(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    pub(crate) fn acknowledged(&self, took: Duration) {
        self.acknowledge.observe(took.as_secs_f64());
    }

    pub(crate) fn failure(&self) {
        self.append_failures.inc();
    }

    pub(crate) fn overload(&self) {
        self.append_overloads.inc();
    }

    pub(crate) fn size(&self, entries: u64) {
        self.size.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    pub(crate) fn queue(&self, entries: usize) {
        self.queue.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    pub(crate) fn checkpoint(&self, entries: u64) {
        self.checkpoints.inc();
        self.checkpoint_size
            .set(i64::try_from(entries).unwrap_or(i64::MAX));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs());
        self.checkpoint_time
            .set(i64::try_from(now).unwrap_or(i64::MAX));
    }

    pub(crate) fn checkpoint_failure(&self) {
        self.checkpoint_failures.inc();
    }
}
