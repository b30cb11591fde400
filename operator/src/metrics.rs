//! What the operator counts. Labels are tenants, programs and stable codes; all are bounded.

use std::sync::atomic::AtomicU64;

use pavilion_catalogue::{ALL, Area};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::{
    host::{ChildState, Observed},
    refusal::Refusal,
};

/// The operator's metrics.
#[derive(Clone, Debug)]
pub struct OperatorMetrics {
    sets_accepted: Counter,
    sets_refused: Counter,
    faults: Family<CodeLabel, Counter>,
    restarts: Family<ProgramLabel, Gauge>,
    ready: Family<ProgramLabel, Gauge>,
    objects: Gauge,
    certificate_end: Family<TenantLabel, Gauge<f64, AtomicU64>>,
    status_writes: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProgramLabel {
    tenant: String,
    program: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TenantLabel {
    tenant: String,
}

impl OperatorMetrics {
    /// Registers all of them; each fault exists at 0.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            sets_accepted: Counter::default(),
            sets_refused: Counter::default(),
            faults: Family::default(),
            restarts: Family::default(),
            ready: Family::default(),
            objects: Gauge::default(),
            certificate_end: Family::default(),
            status_writes: Counter::default(),
        };
        for entry in ALL.iter().filter(|entry| entry.area == Area::Manifest) {
            drop(
                metrics
                    .faults
                    .get_or_create(&CodeLabel { code: entry.code }),
            );
        }
        let own = registry.sub_registry_with_prefix("operator");
        own.register(
            "manifest_sets_accepted",
            "Sets of manifests that took effect",
            metrics.sets_accepted.clone(),
        );
        own.register(
            "manifest_sets_refused",
            "Sets of manifests that were refused",
            metrics.sets_refused.clone(),
        );
        own.register(
            "manifest_faults",
            "Faults in refused sets, by reason",
            metrics.faults.clone(),
        );
        own.register(
            "program_restarts",
            "How often a program was started again since the operator started",
            metrics.restarts.clone(),
        );
        own.register(
            "program_ready",
            "1 when the program says it is ready",
            metrics.ready.clone(),
        );
        own.register("objects", "Objects in force", metrics.objects.clone());
        own.register_with_unit(
            "certificate_end",
            "When the server certificate of a tenant ends, since the epoch",
            Unit::Seconds,
            metrics.certificate_end.clone(),
        );
        own.register(
            "status_writes",
            "Status documents written or removed",
            metrics.status_writes.clone(),
        );
        metrics
    }

    /// A set took effect.
    pub fn accepted(&self, objects: usize) {
        self.sets_accepted.inc();
        self.objects.set(i64::try_from(objects).unwrap_or(i64::MAX));
    }

    /// A set was refused.
    pub fn refused(&self, refusals: &[Refusal]) {
        self.sets_refused.inc();
        for refusal in refusals {
            self.faults
                .get_or_create(&CodeLabel { code: refusal.code })
                .inc();
        }
    }

    /// Status documents were written.
    pub fn wrote(&self, documents: usize) {
        self.status_writes.inc_by(documents as u64);
    }

    /// The programs are so.
    pub fn observe(&self, observed: &Observed) {
        self.ready.clear();
        self.restarts.clear();
        self.certificate_end.clear();
        self.program("", "router", &observed.router);
        for (tenant, programs) in &observed.tenants {
            for (program, state) in &programs.children {
                self.program(tenant.as_str(), program.name(), state);
            }
        }
        for (tenant, until) in &observed.certificates {
            let label = TenantLabel {
                tenant: tenant.to_string(),
            };
            #[allow(clippy::cast_precision_loss)] // whole seconds are exact for 285 million years
            let end = until.as_second() as f64;
            self.certificate_end.get_or_create(&label).set(end);
        }
    }

    fn program(&self, tenant: &str, program: &'static str, state: &ChildState) {
        let label = ProgramLabel {
            tenant: tenant.to_owned(),
            program,
        };
        self.ready
            .get_or_create(&label)
            .set(i64::from(state.is_ready()));
        let restarts = i64::try_from(state.restarts).unwrap_or(i64::MAX);
        self.restarts.get_or_create(&label).set(restarts);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pavilion_catalogue::manifest;
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn series_are_there_before_the_first_fault_and_count_after_it() {
        let mut registry = Registry::default();
        let metrics = OperatorMetrics::register(&mut registry);
        let text = |registry: &Registry| {
            let mut text = String::new();
            encode(&mut text, registry).unwrap();
            text
        };
        assert!(text(&registry).contains("operator_manifest_faults_total{code=\"HostClaimed\"} 0"));
        metrics.refused(&[Refusal::of_file("a", &manifest::HOST_CLAIMED, "x")]);
        metrics.observe(&Observed::default());
        metrics.wrote(3);
        metrics.accepted(7);
        let text = text(&registry);
        assert!(text.contains("operator_manifest_faults_total{code=\"HostClaimed\"} 1"));
        assert!(text.contains("operator_program_ready{tenant=\"\",program=\"router\"} 0"));
        assert!(text.contains("operator_objects 7"));
        assert!(text.contains("operator_status_writes_total 3"));
    }
}
