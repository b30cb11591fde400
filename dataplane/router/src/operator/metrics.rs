//! What is counted about the operator that is followed.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The metrics. Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    pub(super) connected: Gauge,
    pub(super) files: Counter,
    connects: Family<Labels, Counter>,
    states: Family<Labels, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

/// What a state came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StateResult {
    /// Its table is in force now.
    Taken,
    /// Its table was in force before.
    Same,
    /// Its table is older than the one in force, which came from another operator.
    Older,
    /// Its table is of no use.
    Refused,
}

impl StateResult {
    const ALL: [Self; 4] = [Self::Taken, Self::Same, Self::Older, Self::Refused];

    fn word(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Same => "same",
            Self::Older => "older",
            Self::Refused => "refused",
        }
    }
}

impl Metrics {
    /// Registers everything, at zero.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for result in ["ok", "failed"] {
            drop(metrics.connects.get_or_create(&Labels { result }));
        }
        for result in StateResult::ALL {
            let result = result.word();
            drop(metrics.states.get_or_create(&Labels { result }));
        }
        let registry = registry.sub_registry_with_prefix("router_operator");
        registry.register(
            "connected",
            "1 while an operator is followed",
            metrics.connected.clone(),
        );
        registry.register(
            "connects",
            "Connects to an operator, by what they came to",
            metrics.connects.clone(),
        );
        registry.register(
            "states",
            "States that an operator told, by what they came to",
            metrics.states.clone(),
        );
        registry.register(
            "files",
            "Files that an operator sent and that were not here before",
            metrics.files.clone(),
        );
        metrics
    }

    pub(super) fn connect(&self, ok: bool) {
        let result = if ok { "ok" } else { "failed" };
        self.connects.get_or_create(&Labels { result }).inc();
    }

    pub(super) fn state(&self, result: StateResult) {
        let result = result.word();
        self.states.get_or_create(&Labels { result }).inc();
    }
}
