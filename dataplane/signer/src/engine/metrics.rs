//! The engine's metrics. Every series exists from the start.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::{Class, Purpose, SignerError};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PurposeLabel {
    purpose: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

/// What the engine counts. Clones share the counters.
#[derive(Clone, Debug)]
pub struct EngineMetrics {
    sign_duration: [Histogram; 2],
    queue_wait: Histogram,
    /// Worker sessions that are open.
    pub(super) sessions_open: Gauge,
    /// Worker sessions that are in a call of the token.
    pub(super) sessions_busy: Gauge,
    /// Requests that wait.
    pub(super) queue_depth: Gauge,
    queue_limit: Gauge,
    errors: Family<ClassLabel, Counter>,
    refusals: Family<CodeLabel, Counter>,
    /// Times that all sessions were opened anew.
    pub(super) recoveries: Counter,
    key_age: Family<PurposeLabel, Gauge>,
    /// When the result key is due to be replaced, seconds since the epoch; 0 when never.
    pub(super) rotation_due: Gauge,
    /// Keys in the published set.
    pub(super) keys_published: Gauge,
    /// Signatures the sessions could make in a second at the present speed.
    pub(super) capacity: Gauge,
}

impl EngineMetrics {
    /// Registers all series.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::new();
        let durations =
            Family::<PurposeLabel, Histogram, fn() -> Histogram>::new_with_constructor(buckets);
        let durations_of =
            |purpose: Purpose| durations.get_or_create_owned(&purpose_label(purpose));
        let metrics = Self {
            sign_duration: Purpose::PUBLISHED.map(durations_of),
            ..metrics
        };
        let sessions = Family::<StateLabel, Gauge>::default();
        let metrics = Self {
            sessions_open: sessions.get_or_create_owned(&StateLabel { state: "open" }),
            sessions_busy: sessions.get_or_create_owned(&StateLabel { state: "busy" }),
            ..metrics
        };
        registry.register_with_unit(
            "hsm_sign_duration",
            "Time of one signature in the token",
            Unit::Seconds,
            durations,
        );
        registry.register("hsm_sessions", "Worker sessions", sessions);
        metrics.register_rest(registry);
        metrics
    }

    fn register_rest(&self, registry: &mut Registry) {
        let queue_wait = self.queue_wait.clone();
        registry.register_with_unit(
            "hsm_queue_wait",
            "Time a request waited for a session",
            Unit::Seconds,
            queue_wait,
        );
        registry.register(
            "hsm_queue_depth",
            "Requests that wait for a session",
            self.queue_depth.clone(),
        );
        registry.register(
            "hsm_queue_limit",
            "Requests that may wait",
            self.queue_limit.clone(),
        );
        registry.register(
            "hsm_errors",
            "Failed calls of the token by class",
            self.errors.clone(),
        );
        registry.register(
            "signer_refusals",
            "Requests not signed, by code",
            self.refusals.clone(),
        );
        registry.register(
            "hsm_recoveries",
            "Times all sessions were opened anew",
            self.recoveries.clone(),
        );
        let age = self.key_age.clone();
        registry.register_with_unit("key_age", "Age of the current key", Unit::Seconds, age);
        let due = self.rotation_due.clone();
        registry.register(
            "key_rotation_due_timestamp_seconds",
            "When the result key is to be replaced; 0 when never",
            due,
        );
        registry.register(
            "keys_published",
            "Keys in the published set",
            self.keys_published.clone(),
        );
        registry.register(
            "hsm_capacity_ops",
            "Signatures a second at the present speed",
            self.capacity.clone(),
        );
    }

    fn new() -> Self {
        let metrics = Self {
            sign_duration: [buckets(), buckets()],
            queue_wait: buckets(),
            sessions_open: Gauge::default(),
            sessions_busy: Gauge::default(),
            queue_depth: Gauge::default(),
            queue_limit: Gauge::default(),
            errors: Family::default(),
            refusals: Family::default(),
            recoveries: Counter::default(),
            key_age: Family::default(),
            rotation_due: Gauge::default(),
            keys_published: Gauge::default(),
            capacity: Gauge::default(),
        };
        for class in Class::ALL {
            let _ = metrics.errors.get_or_create(&ClassLabel {
                class: class.name(),
            });
        }
        for error in refusals() {
            let _ = metrics
                .refusals
                .get_or_create(&CodeLabel { code: error.code() });
        }
        for purpose in Purpose::PUBLISHED {
            let _ = metrics.key_age.get_or_create(&purpose_label(purpose));
        }
        metrics
    }

    /// One signature in the token.
    pub(super) fn signed(&self, purpose: Purpose, took: Duration) {
        let index = usize::from(purpose == Purpose::Checkpoint);
        self.sign_duration[index].observe(took.as_secs_f64());
    }

    /// One request got its session.
    pub(super) fn waited(&self, time: Duration) {
        self.queue_wait.observe(time.as_secs_f64());
    }

    /// One failed call of the token.
    pub(super) fn failed(&self, class: Class) {
        self.errors
            .get_or_create(&ClassLabel {
                class: class.name(),
            })
            .inc();
    }

    /// One request that was not signed.
    pub(super) fn refused(&self, error: &SignerError) {
        self.refusals
            .get_or_create(&CodeLabel { code: error.code() })
            .inc();
    }

    /// The limit of the queue.
    pub(super) fn limit(&self, requests: usize) {
        self.queue_limit
            .set(i64::try_from(requests).unwrap_or(i64::MAX));
    }

    /// The age of a purpose's current key.
    pub(super) fn age(&self, purpose: Purpose, seconds: i64) {
        self.key_age
            .get_or_create(&purpose_label(purpose))
            .set(seconds);
    }
}

fn purpose_label(purpose: Purpose) -> PurposeLabel {
    PurposeLabel {
        purpose: purpose.name(),
    }
}

/// 50 µs to 0.8 s, doubling.
fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 2.0, 15))
}

/// One of each code, so that its series exists.
fn refusals() -> [SignerError; 10] {
    [
        SignerError::KeyUnknown,
        SignerError::KeyRetired,
        SignerError::MessageNotSignable(""),
        SignerError::CallerNotAllowed(""),
        SignerError::CheckpointConflict(""),
        SignerError::Overloaded,
        SignerError::Timeout,
        SignerError::Unavailable(String::new()),
        SignerError::TokenFull,
        SignerError::RotationRefused(""),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn every_series_exists_before_the_first_signature() {
        let mut registry = Registry::default();
        EngineMetrics::register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for series in [
            "hsm_sign_duration_seconds_count{purpose=\"result\"} 0",
            "hsm_sign_duration_seconds_bucket{le=\"0.00005\",purpose=\"checkpoint\"} 0",
            "hsm_sessions{state=\"busy\"} 0",
            "hsm_queue_depth 0",
            "hsm_errors_total{class=\"session\"} 0",
            "signer_refusals_total{code=\"signer_overloaded\"} 0",
            "key_age_seconds{purpose=\"result\"} 0",
            "hsm_capacity_ops 0",
            "hsm_recoveries_total 0",
        ] {
            assert!(text.contains(series), "{series} in\n{text}");
        }
    }

    #[test]
    fn a_signature_counts_for_its_purpose() {
        let mut registry = Registry::default();
        let metrics = EngineMetrics::register(&mut registry);
        metrics.signed(Purpose::Checkpoint, Duration::from_micros(60));
        metrics.failed(Class::Session);
        metrics.refused(&SignerError::Overloaded);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for series in [
            "hsm_sign_duration_seconds_count{purpose=\"checkpoint\"} 1",
            "hsm_sign_duration_seconds_count{purpose=\"result\"} 0",
            "hsm_errors_total{class=\"session\"} 1",
            "signer_refusals_total{code=\"signer_overloaded\"} 1",
        ] {
            assert!(text.contains(series), "{series} in\n{text}");
        }
    }
}
