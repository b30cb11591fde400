//! What the probe counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::wire::Outcome;

/// Its metrics.
#[derive(Clone, Debug, Default)]
pub struct ProbeMetrics {
    tries: Family<OutcomeLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl ProbeMetrics {
    /// Registers everything, at zero.
    pub fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("probe");
        let metrics = Self::default();
        for outcome in [Outcome::Reached, Outcome::Refused, Outcome::Failed] {
            drop(metrics.tries.get_or_create(&label(outcome)));
        }
        registry.register(
            "tries",
            "Addresses tried, by outcome",
            metrics.tries.clone(),
        );
        metrics
    }

    pub(crate) fn tried(&self, outcome: Outcome) {
        self.tries.get_or_create(&label(outcome)).inc();
    }
}

fn label(outcome: Outcome) -> OutcomeLabel {
    let outcome = match outcome {
        Outcome::Reached => "reached",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    };
    OutcomeLabel { outcome }
}
