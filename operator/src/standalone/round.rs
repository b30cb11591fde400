//! One round: validate → build → apply → status. What does not validate changes nothing.

use std::{collections::BTreeMap, io, sync::Arc};

use jiff::Timestamp;
use pavilion_bundle::{Document, TenantName};
use pavilion_json::Digest;
use pavilion_process::Exit;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    build::build,
    desired::Desired,
    host::{ApplyError, Host, StateDir},
    manifests::ManifestSet,
    metrics::OperatorMetrics,
    records::Records,
    refusal::Refusal,
    status::{self, OperatorFacts, StatusWriter, View},
    validate::validate,
};

const RECORDS: &str = "operator/records.json";
const LAST_GOOD: &str = "operator/last-good.json";

/// The operator's memory from round to round.
pub(super) struct Rounds {
    state: Arc<StateDir>,
    host: Host,
    records: Records,
    written: Records,
    refusals: Vec<Refusal>,
    failures: BTreeMap<TenantName, String>,
    digests: BTreeMap<TenantName, Digest>,
    status: StatusWriter,
    metrics: OperatorMetrics,
    facts: OperatorFacts,
    public_port: u16,
    ready: bool,
}

impl Rounds {
    pub(super) fn open(
        state: Arc<StateDir>,
        host: Host,
        status: StatusWriter,
        metrics: OperatorMetrics,
        facts: OperatorFacts,
        public_port: u16,
    ) -> Result<Self, Exit> {
        let records: Records = read(&state, RECORDS)?.unwrap_or_default();
        Ok(Self {
            written: records.clone(),
            state,
            host,
            records,
            refusals: Vec::new(),
            failures: BTreeMap::new(),
            digests: BTreeMap::new(),
            status,
            metrics,
            facts,
            public_port,
            ready: false,
        })
    }

    pub(super) fn start_router(&mut self) -> Result<(), Exit> {
        let keep = |records: &Records| write(&self.state, RECORDS, records);
        let started = self.host.start_router(&mut self.records, keep);
        started.map_err(|error| Exit::CannotWrite(error.to_string()))
    }

    /// The first set. One that is refused is served by the last good state; without one the
    /// operator ends, because there is nothing it could do.
    pub(super) fn begin(&mut self, set: &ManifestSet, now: Timestamp) -> Result<(), Exit> {
        self.take(set, now);
        if self.refusals.is_empty() {
            return Ok(());
        }
        let last_good: Option<Desired> = read(&self.state, LAST_GOOD)?;
        if let Some(desired) = last_good {
            tracing::warn!("the state that was accepted last is served instead");
            self.apply(desired, now);
            return Ok(());
        }
        // The status says it as well, for whoever looks there.
        let _ = self.settle(now);
        let count = self.refusals.len();
        Err(Exit::ConfigRefused(format!(
            "the manifests are refused ({count} faults, named above) and nothing was accepted before"
        )))
    }

    /// A set of manifests that is other than the one before.
    pub(super) fn take(&mut self, set: &ManifestSet, now: Timestamp) {
        self.facts.generation += 1;
        self.facts.objects = set.objects.len();
        self.facts.digest = set.digest.map(|digest| digest.to_string());
        for object in &set.objects {
            self.records.see(object);
        }
        match validate(set, &self.records, now) {
            Ok(valid) => {
                self.refusals.clear();
                self.metrics.accepted(set.objects.len());
                let desired = build(&valid, &mut self.records, self.public_port);
                let count = set.objects.len();
                tracing::info!(
                    objects = count,
                    tenants = desired.tenants.len(),
                    "the manifests are accepted"
                );
                self.apply(desired, now);
            }
            Err(refusals) => {
                self.metrics.refused(&refusals);
                tracing::error!(
                    faults = refusals.len(),
                    "the manifests are refused; what was accepted before keeps serving"
                );
                for refusal in &refusals {
                    tracing::error!(hint = refusal.hint, "{refusal}");
                }
                self.refusals = refusals;
            }
        }
    }

    fn apply(&mut self, desired: Desired, now: Timestamp) {
        // The numbers first: a number that is in use must never be given out again.
        if let Err(error) = self
            .keep_records()
            .and_then(|()| write(&self.state, LAST_GOOD, &desired.without_keys()))
        {
            tracing::error!(%error, "the state directory cannot be written; nothing is changed");
            let message = cannot_write(&error);
            self.failures = desired
                .tenants
                .keys()
                .map(|name| (name.clone(), message.clone()))
                .collect();
            return;
        }
        self.digests = desired
            .tenants
            .iter()
            .filter_map(|(name, tenant)| Some((name.clone(), tenant.bundle.seal().ok()?.1)))
            .collect();
        let failed = self.host.apply(desired, now);
        self.note_failures(failed);
        self.publish();
    }

    /// Looks after certificates that come of age.
    pub(super) fn renew(&mut self, now: Timestamp) {
        let desired = self.host.desired().clone();
        let failed = self.host.apply(desired, now);
        self.note_failures(failed);
    }

    fn note_failures(&mut self, failed: Vec<(TenantName, ApplyError)>) {
        self.failures = failed
            .into_iter()
            .map(|(name, error)| {
                tracing::error!(%error, "{name} stays as it was");
                (name, error.to_string())
            })
            .collect();
    }

    fn publish(&mut self) {
        let keep = |records: &Records| write(&self.state, RECORDS, records);
        match self.host.publish_routes(&mut self.records, keep) {
            Ok(true) => {
                tracing::info!(
                    version = self.records.routes.number,
                    "the router has new routes"
                );
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the routes stay as they were"),
        }
    }

    /// Follows what the programs report: routes, then status. Says why not all is ready.
    pub(super) fn settle(&mut self, now: Timestamp) -> Result<(), String> {
        self.publish();
        if let Err(error) = self.keep_records() {
            tracing::error!(%error, "the records cannot be written");
        }
        let observed = self.host.observe();
        self.metrics.observe(&observed);
        let view = View {
            records: &self.records,
            desired: self.host.desired(),
            digests: &self.digests,
            observed: &observed,
            refusals: &self.refusals,
            failures: &self.failures,
            facts: &self.facts,
        };
        let (documents, ready) = status::compute(&view);
        self.ready = ready;
        let why = documents
            .get("operator/operator.json")
            .and_then(|document| {
                document["status"]["conditions"].as_array()?.last()?["message"].as_str()
            })
            .unwrap_or_default()
            .to_owned();
        match self.status.write(documents, now) {
            Ok(written) => self.metrics.wrote(written),
            Err(error) => tracing::error!(%error, "the status cannot be written"),
        }
        if ready { Ok(()) } else { Err(why) }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Where relying parties go.
    pub(super) fn issuers(&self) -> String {
        let tenants = self.host.desired().tenants.values();
        let issuers: Vec<&str> = tenants
            .filter(|tenant| !tenant.suspend)
            .map(|tenant| tenant.bundle.issuer.as_str().trim_end_matches('/'))
            .collect();
        issuers.join(" ")
    }

    pub(super) async fn stop(self) {
        self.host.stop().await;
    }

    fn keep_records(&mut self) -> io::Result<()> {
        if self.records != self.written {
            write(&self.state, RECORDS, &self.records)?;
            self.written = self.records.clone();
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(state: &StateDir, file: &str) -> Result<Option<T>, Exit> {
    let path = state.join(file);
    let refused =
        |error: &dyn std::fmt::Display| Exit::DataRefused(format!("{}: {error}", path.display()));
    match state.read(file) {
        Ok(Some(bytes)) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| refused(&error)),
        Ok(None) => Ok(None),
        Err(error) => Err(refused(&error)),
    }
}

fn write(state: &StateDir, file: &str, value: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
    state.write(file, &bytes)
}

fn cannot_write(error: &io::Error) -> String {
    let entry = &pavilion_catalogue::host::STATE_UNWRITABLE;
    format!(
        "the state directory: {error} [{}]. {}",
        entry.code, entry.hint
    )
}
