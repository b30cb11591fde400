//! What is counted about routes.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::snapshot::Snapshot;

/// The metrics. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct RouteMetrics {
    version: Gauge<u64, AtomicU64>,
    files: Gauge,
    unusable: Gauge,
    streams: Gauge,
    states: Counter,
}

/// A router that follows, as long as this lives.
#[derive(Debug)]
pub struct Stream(Gauge);

impl RouteMetrics {
    /// Registers everything, at zero.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "routes_version",
            "The version of the route table told to routers; 0 before the first",
            metrics.version.clone(),
        );
        registry.register(
            "routes_files",
            "Files that the route table names",
            metrics.files.clone(),
        );
        registry.register(
            "routes_unusable_secrets",
            "Secrets of tenants that no routes can be made of",
            metrics.unusable.clone(),
        );
        registry.register(
            "routes_streams",
            "Routers that follow this replica",
            metrics.streams.clone(),
        );
        registry.register(
            "routes_states_told",
            "States told to routers, repeated ones left out",
            metrics.states.clone(),
        );
        metrics
    }

    pub(super) fn published(&self, snapshot: &Snapshot) {
        self.version.set(snapshot.table.version);
        let files = snapshot.table.files.len();
        self.files.set(i64::try_from(files).unwrap_or(i64::MAX));
    }

    pub(super) fn unusable(&self, secrets: usize) {
        self.unusable
            .set(i64::try_from(secrets).unwrap_or(i64::MAX));
    }

    pub(super) fn told(&self) {
        self.states.inc();
    }

    pub(super) fn stream(&self) -> Stream {
        self.streams.inc();
        Stream(self.streams.clone())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.dec();
    }
}
