//! What the operator counts in a cluster. Labels are kinds and stable codes; all are bounded.

use pavilion_catalogue::manifest;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::kinds::OwnedKind;

/// The metrics.
#[derive(Clone, Debug, Default)]
pub struct ClusterMetrics {
    made: Family<KindLabel, Counter>,
    changed: Family<KindLabel, Counter>,
    deleted: Family<KindLabel, Counter>,
    restored: Family<KindLabel, Counter>,
    status_writes: Counter,
    rounds: Counter,
    failures: Family<CodeLabel, Counter>,
    leader: Gauge,
    isolation: Family<VerdictLabel, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

impl ClusterMetrics {
    /// Registers all of them; each kind and each reason exists at 0.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for kind in OwnedKind::ALL {
            let label = KindLabel { kind: kind.name() };
            let families = [
                &metrics.made,
                &metrics.changed,
                &metrics.deleted,
                &metrics.restored,
            ];
            for family in families {
                drop(family.get_or_create(&label));
            }
        }
        for entry in [
            &manifest::API_REFUSED,
            &manifest::KEYS_UNREADABLE,
            &manifest::LEASE_OVER,
            &manifest::NAMESPACE_TAKEN,
            &manifest::OPERATOR_FAULT,
        ] {
            let label = CodeLabel { code: entry.code };
            drop(metrics.failures.get_or_create(&label));
        }
        let families = [
            ("objects_made", "Objects made for tenants", &metrics.made),
            (
                "objects_changed",
                "Objects of tenants brought to a new state, or back to theirs after somebody changed them",
                &metrics.changed,
            ),
            (
                "objects_deleted",
                "Objects of tenants deleted because they are not wanted any more",
                &metrics.deleted,
            ),
            (
                "objects_restored",
                "Objects of tenants made again or put back after somebody else deleted or changed them",
                &metrics.restored,
            ),
        ];
        for (name, help, family) in families {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "status_writes",
            "Status of objects written",
            metrics.status_writes.clone(),
        );
        registry.register("rounds", "Looks at a tenant", metrics.rounds.clone());
        registry.register(
            "round_failures",
            "Looks at a tenant that ended early, by reason",
            metrics.failures.clone(),
        );
        for verdict in ["verified", "broken", "unknown"] {
            let label = VerdictLabel { verdict };
            drop(metrics.isolation.get_or_create(&label));
        }
        registry.register(
            "tenant_isolation",
            "Tenants by whether they were found isolated, as the replica that writes sees them",
            metrics.isolation.clone(),
        );
        registry.register(
            "leader",
            "1 while this replica is the one that writes",
            metrics.leader.clone(),
        );
        metrics
    }

    pub(super) fn wrote(&self, kind: OwnedKind, existed: bool) {
        let family = if existed { &self.changed } else { &self.made };
        family.get_or_create(&KindLabel { kind: kind.name() }).inc();
    }

    pub(super) fn deleted(&self, kind: OwnedKind) {
        let label = KindLabel { kind: kind.name() };
        self.deleted.get_or_create(&label).inc();
    }

    pub(super) fn restored(&self, kind: OwnedKind) {
        let label = KindLabel { kind: kind.name() };
        self.restored.get_or_create(&label).inc();
    }

    pub(super) fn wrote_status(&self) {
        self.status_writes.inc();
    }

    pub(super) fn round(&self) {
        self.rounds.inc();
    }

    pub(super) fn failed(&self, code: &'static str) {
        self.failures.get_or_create(&CodeLabel { code }).inc();
    }

    /// A tenant's isolation is judged otherwise than before; nothing for one that is not, or no more.
    pub(super) fn isolation(&self, before: Option<&'static str>, now: Option<&'static str>) {
        for (verdict, change) in [(before, -1), (now, 1)] {
            if let Some(verdict) = verdict {
                let label = VerdictLabel { verdict };
                self.isolation.get_or_create(&label).inc_by(change);
            }
        }
    }

    pub(super) fn lead(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }
}
