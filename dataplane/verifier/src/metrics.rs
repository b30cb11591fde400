//! What is counted. Labels are routes, methods, statuses, codes, verdicts and stages: all bounded.

use std::time::Instant;

use pavilion_results::Verdict;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::pool::PoolMetrics;
use crate::store::StoreMetrics;

/// The route of a request that no path took.
pub(crate) const UNMATCHED: &str = "unmatched";

/// Every route, as it is written in the API.
pub(crate) const ROUTES: [&str; 10] = [
    "/oauth/token",
    "/v1/verifications",
    "/v1/verifications/{id}",
    "/v1/verifications/{id}/evidence",
    "/v1/verifications/{id}/result",
    "/v1/verifications/{id}/receipt",
    "/.well-known/pavilion-configuration",
    "/.well-known/jwks.json",
    "/openapi.json",
    UNMATCHED,
];

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    /// One of [`ROUTES`].
    pub(crate) route: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// `ok`, or the code of the refusal.
    pub(crate) outcome: &'static str,
}

/// A part of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Stage {
    /// Presentations and their status.
    Verify,
    /// The entry's way into the log.
    Append,
    /// Signature and receipt.
    Seal,
    /// All of it.
    Total,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    verdict: &'static str,
}

/// The verifier's metrics.
#[derive(Clone, Debug)]
pub struct VerifierMetrics {
    /// How full the pool of evaluations is.
    pub pool: PoolMetrics,
    /// What the store writes.
    pub store: StoreMetrics,
    requests: Family<RequestLabels, Counter>,
    stages: Family<StageLabels, Histogram, fn() -> Histogram>,
    verdicts: Family<VerdictLabels, Counter>,
    policy_errors: Counter,
}

fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 16))
}

impl VerifierMetrics {
    /// Registers everything; each series that can be named beforehand is there at 0.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            pool: PoolMetrics::register(registry),
            store: StoreMetrics::register(registry),
            requests: Family::default(),
            stages: Family::new_with_constructor(durations),
            verdicts: Family::default(),
            policy_errors: Counter::default(),
        };
        registry.register(
            "requests",
            "Requests by route and outcome",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "evaluation_duration",
            "Evaluations that were answered, and their stages",
            Unit::Seconds,
            metrics.stages.clone(),
        );
        registry.register("verdicts", "Answers by verdict", metrics.verdicts.clone());
        registry.register(
            "policy_evaluation_errors",
            "Clauses that the policy engine could not evaluate; each denies",
            metrics.policy_errors.clone(),
        );
        metrics.begin_at_zero();
        metrics
    }

    fn begin_at_zero(&self) {
        for route in ROUTES {
            let status = if route == UNMATCHED { 404 } else { 200 };
            let outcome = if route == UNMATCHED {
                "not_found"
            } else {
                "ok"
            };
            drop(self.requests.get_or_create(&RequestLabels {
                route,
                status,
                outcome,
            }));
        }
        for stage in [Stage::Verify, Stage::Append, Stage::Seal, Stage::Total] {
            drop(self.stages.get_or_create(&StageLabels { stage }));
        }
        for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Indeterminate] {
            drop(self.verdicts.get_or_create(&VerdictLabels {
                verdict: verdict.as_str(),
            }));
        }
    }

    pub(crate) fn requested(&self, labels: RequestLabels) {
        self.requests.get_or_create(&labels).inc();
    }

    pub(crate) fn observe(&self, stage: Stage, begun: Instant) {
        let seconds = begun.elapsed().as_secs_f64();
        self.stages
            .get_or_create(&StageLabels { stage })
            .observe(seconds);
    }

    pub(crate) fn policy_errors(&self, count: usize) {
        self.policy_errors.inc_by(count as u64);
    }

    pub(crate) fn answered(&self, verdict: Verdict, begun: Instant) {
        self.observe(Stage::Total, begun);
        let labels = VerdictLabels {
            verdict: verdict.as_str(),
        };
        self.verdicts.get_or_create(&labels).inc();
    }
}
