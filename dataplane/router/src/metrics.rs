//! The router's metrics. Labels are bounded: tenants of the route table, and fixed words.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds in seconds: 250 µs, doubling, to about 33 s.
const BUCKETS: [f64; 18] = [
    0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024,
    2.048, 4.096, 8.192, 16.384, 32.768,
];

/// Everything the router counts. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<TenantLabels, Histogram>,
    held: Family<TenantLabels, Counter>,
    /// The tenants that have series.
    tenants: Arc<Mutex<BTreeSet<String>>>,
    handshakes: Family<HandshakeLabels, Counter>,
    bodies_refused: Family<BodyLabels, Counter>,
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Counter,
    pub(crate) routes_version: Gauge<u64, AtomicU64>,
    pub(crate) routes_refused: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TenantLabels {
    tenant: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    tenant: String,
    code_class: &'static str,
}

/// The first digit of a status; `dropped` when the client went away before there was one; `closed` when the edge
/// refused as the tenant's owner asked it to, which is no failure.
const CODE_CLASSES: [&str; 7] = ["1xx", "2xx", "3xx", "4xx", "5xx", "dropped", "closed"];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HandshakeLabels {
    result: &'static str,
}

/// What a TLS handshake came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    Ok,
    NoServerName,
    UnknownServerName,
    TimedOut,
    Failed,
}

impl Handshake {
    const ALL: [Self; 5] = [
        Self::Ok,
        Self::NoServerName,
        Self::UnknownServerName,
        Self::TimedOut,
        Self::Failed,
    ];

    fn label(self) -> HandshakeLabels {
        let result = match self {
            Self::Ok => "ok",
            Self::NoServerName => "no_server_name",
            Self::UnknownServerName => "unknown_server_name",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
        };
        HandshakeLabels { result }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BodyLabels {
    reason: &'static str,
}

/// Why a request body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyRefusal {
    TooLarge,
    TooSlow,
}

impl BodyRefusal {
    const ALL: [Self; 2] = [Self::TooLarge, Self::TooSlow];

    fn label(self) -> BodyLabels {
        let reason = match self {
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
        };
        BodyLabels { reason }
    }
}

/// The counters of one tenant, found once per route table.
#[derive(Clone, Debug)]
pub(crate) struct TenantMetrics {
    requests: [Counter; CODE_CLASSES.len()],
    durations: Histogram,
    held: Counter,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            held: Family::default(),
            tenants: Arc::default(),
            handshakes: Family::default(),
            bodies_refused: Family::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            routes_version: Gauge::default(),
            routes_refused: Counter::default(),
        };
        metrics.announce(registry.sub_registry_with_prefix("router"));
        for result in Handshake::ALL {
            drop(metrics.handshakes.get_or_create(&result.label()));
        }
        for reason in BodyRefusal::ALL {
            drop(metrics.bodies_refused.get_or_create(&reason.label()));
        }
        metrics
    }

    fn announce(&self, registry: &mut Registry) {
        registry.register(
            "requests",
            "Requests by tenant and class of status",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "From a request's head to the end of its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "requests_held",
            "Requests that waited for a tenant that was away",
            self.held.clone(),
        );
        registry.register(
            "tls_handshakes",
            "TLS handshakes by what they came to",
            self.handshakes.clone(),
        );
        registry.register(
            "bodies_refused",
            "Request bodies refused",
            self.bodies_refused.clone(),
        );
        registry.register("connections", "Connections open", self.connections.clone());
        registry.register(
            "connections_refused",
            "Connections closed at once because too many were open",
            self.connections_refused.clone(),
        );
        registry.register(
            "routes_version",
            "The version of the route table in force; 0 before the first",
            self.routes_version.clone(),
        );
        registry.register(
            "routes_refused",
            "Route tables refused",
            self.routes_refused.clone(),
        );
    }

    pub(crate) fn handshake(&self, result: Handshake) {
        self.handshakes.get_or_create(&result.label()).inc();
    }

    pub(crate) fn body_refused(&self, reason: BodyRefusal) {
        self.bodies_refused.get_or_create(&reason.label()).inc();
    }

    /// The counters of one tenant; its series exist from now on.
    pub(crate) fn tenant(&self, tenant: &str) -> TenantMetrics {
        let tenant = tenant.to_owned();
        self.tenants().insert(tenant.clone());
        let requests = CODE_CLASSES.map(|code_class| {
            self.requests.get_or_create_owned(&RequestLabels {
                tenant: tenant.clone(),
                code_class,
            })
        });
        let labels = TenantLabels { tenant };
        let held = self.held.get_or_create_owned(&labels);
        let durations = self.durations.get_or_create_owned(&labels);
        TenantMetrics {
            requests,
            durations,
            held,
        }
    }
}

impl Metrics {
    /// Takes away the series of all tenants but these. Requests still in flight count unseen.
    pub(crate) fn keep_tenants<'a>(&self, kept: impl Iterator<Item = &'a str>) {
        let kept: BTreeSet<String> = kept.map(str::to_owned).collect();
        let mut tenants = self.tenants();
        for tenant in tenants.difference(&kept) {
            for code_class in CODE_CLASSES {
                let tenant = tenant.clone();
                self.requests.remove(&RequestLabels { tenant, code_class });
            }
            let labels = TenantLabels {
                tenant: tenant.clone(),
            };
            self.durations.remove(&labels);
            self.held.remove(&labels);
        }
        tenants.retain(|tenant| kept.contains(tenant));
    }

    fn tenants(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TenantMetrics {
    /// Counts one finished exchange; `None` when it ended before there was a status.
    pub(crate) fn request(&self, status: Option<u16>, duration: Duration) {
        let class = match status.map(|status| status / 100) {
            Some(1) => 0,
            Some(2) => 1,
            Some(3) => 2,
            Some(4) => 3,
            Some(_) => 4,
            None => 5,
        };
        self.count(class, duration);
    }

    /// Counts one exchange that the tenant's owner wanted refused.
    pub(crate) fn closed(&self, duration: Duration) {
        self.count(6, duration);
    }

    /// Counts one exchange that waited for the tenant.
    pub(crate) fn held(&self) {
        self.held.inc();
    }

    fn count(&self, class: usize, duration: Duration) {
        self.requests[class].inc();
        self.durations.observe(duration.as_secs_f64());
    }
}
