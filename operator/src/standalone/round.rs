//! One round: validate → build → apply → status. What does not validate changes nothing.

use std::{collections::BTreeMap, io, sync::Arc};

use jiff::Timestamp;
use pavilion_bundle::{Document, TenantName};
use pavilion_json::Digest;
use pavilion_process::Exit;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    arguments::Standalone,
    build::{build, renew},
    desired::Desired,
    host::{ApplyError, Host, StateDir},
    manifests::ManifestSet,
    metrics::OperatorMetrics,
    records::Records,
    refusal::Refusal,
    status::{self, OperatorFacts, StatusWriter, View},
    validate::{emptied, outside_its_residency, refused_by_data_plane, validate},
};

use super::retry::Retry;

const RECORDS: &str = "operator/records.json";
const LAST_GOOD: &str = "operator/last-good.json";

/// The operator's memory from round to round.
pub(super) struct Rounds {
    state: Arc<StateDir>,
    host: Host,
    records: Records,
    written: Records,
    /// Accepted, and not in force yet.
    pending: Option<Pending>,
    refusals: Vec<Refusal>,
    /// What could not be written down, by tenant.
    failures: BTreeMap<TenantName, String>,
    retry: Retry,
    digests: BTreeMap<TenantName, Digest>,
    status: StatusWriter,
    metrics: OperatorMetrics,
    facts: OperatorFacts,
    public_port: u16,
    allow_empty: bool,
    ready: bool,
}

/// A desired state and the records that go with it, until both are on disk.
struct Pending {
    desired: Desired,
    records: Records,
}

impl Rounds {
    pub(super) fn open(
        state: Arc<StateDir>,
        host: Host,
        status: StatusWriter,
        metrics: OperatorMetrics,
        facts: OperatorFacts,
        options: &Standalone,
    ) -> Result<Self, Exit> {
        let records: Records = read(&state, RECORDS)?.unwrap_or_default();
        Ok(Self {
            written: records.clone(),
            state,
            host,
            records,
            pending: None,
            refusals: Vec::new(),
            failures: BTreeMap::new(),
            retry: Retry::new(),
            digests: BTreeMap::new(),
            status,
            metrics,
            facts,
            public_port: options.public_port(),
            allow_empty: options.allow_empty,
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
        if let Some(mut desired) = last_good {
            tracing::warn!("the state that was accepted last is served instead");
            let mut records = self.records.clone();
            renew(&mut desired, &mut records);
            self.pending = Some(Pending { desired, records });
            self.put_in_force(now);
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
            if let Some(pending) = &mut self.pending {
                pending.records.see(object);
            }
        }
        match self.judge(set, now) {
            Ok(pending) => {
                self.refusals.clear();
                self.metrics.accepted(set.objects.len());
                let count = set.objects.len();
                tracing::info!(
                    objects = count,
                    tenants = pending.desired.tenants.len(),
                    "the manifests are accepted"
                );
                self.pending = Some(pending);
                self.put_in_force(now);
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

    /// Validates and builds. Nothing is taken note of: that is for what is in force.
    fn judge(&self, set: &ManifestSet, now: Timestamp) -> Result<Pending, Vec<Refusal>> {
        if let Some(refusal) = emptied(set, &self.records).filter(|_| !self.allow_empty) {
            return Err(vec![refusal]);
        }
        let valid = validate(set, &self.records, now)?;
        let refusals = outside_its_residency(set, &valid);
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let mut records = self.records.clone();
        let desired = build(&valid, &mut records, self.public_port);
        let refusals = refused_by_data_plane(set, &desired, &self.digests);
        if refusals.is_empty() {
            Ok(Pending { desired, records })
        } else {
            Err(refusals)
        }
    }

    /// Makes durable what is accepted, then brings the host there. What cannot be written stays
    /// pending, and nothing of it is in force.
    fn put_in_force(&mut self, now: Timestamp) {
        let Some(mut pending) = self.pending.take() else {
            return;
        };
        // The edge may have got a new table meanwhile.
        pending.records.routes = self.records.routes;
        if let Err(error) = self.write_down(&pending) {
            tracing::error!(%error, "the state directory cannot be written; nothing is changed, it is tried again");
            let message = cannot_write(&error);
            let tenants = pending.desired.tenants.keys();
            self.failures = tenants
                .chain(self.host.desired().tenants.keys())
                .map(|name| (name.clone(), message.clone()))
                .collect();
            self.pending = Some(pending);
            return;
        }
        let Pending { desired, records } = pending;
        self.written = records.clone();
        self.records = records;
        self.digests = desired
            .tenants
            .iter()
            .filter_map(|(name, tenant)| Some((name.clone(), tenant.bundle.seal().ok()?.1)))
            .collect();
        self.bring_about(desired, now);
        // One that fails is tried again when all is settled.
        self.publish();
    }

    fn write_down(&self, pending: &Pending) -> io::Result<()> {
        // The numbers first: a number that is in use must never be given out again.
        write(&self.state, RECORDS, &pending.records)?;
        write(&self.state, LAST_GOOD, &pending.desired.without_keys())
    }

    fn bring_about(&mut self, desired: Desired, now: Timestamp) {
        let failed = self.host.apply(desired, now);
        self.note_failures(failed);
    }

    /// Looks after certificates that come of age.
    pub(super) fn renew(&mut self, now: Timestamp) {
        if self.pending.is_some() {
            return self.put_in_force(now);
        }
        let desired = self.host.desired().clone();
        self.bring_about(desired, now);
    }

    /// Completes when it is time to try again what could not be written.
    pub(super) async fn due(&self) {
        self.retry.due().await;
    }

    /// Tries again what could not be written; status and records follow when all is settled.
    pub(super) fn try_again(&mut self, now: Timestamp) {
        self.retry.begin();
        if self.pending.is_some() || !self.failures.is_empty() {
            self.renew(now);
        }
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

    /// Whether the routes on disk are the newest.
    fn publish(&mut self) -> bool {
        let keep = |records: &Records| write(&self.state, RECORDS, records);
        match self.host.publish_routes(&mut self.records, keep) {
            Ok(true) => {
                tracing::info!(
                    version = self.records.routes.number,
                    "the router has new routes"
                );
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "the routes stay as they were");
                return false;
            }
        }
        true
    }

    /// Follows what the programs report: routes, then status. Says why not all is ready.
    pub(super) fn settle(&mut self, now: Timestamp) -> Result<(), String> {
        let mut written = self.publish();
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
            now,
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
        let (count, outcome) = self.status.write(documents, now);
        self.metrics.wrote(count);
        if let Err(error) = outcome {
            tracing::error!(%error, "the status cannot be written");
            written = false;
        }
        // Last: on a full disk the room that is put by is for the status.
        if let Err(error) = self.keep_records() {
            tracing::error!(%error, "the records cannot be written");
            written = false;
        }
        let all = written && self.pending.is_none() && self.failures.is_empty();
        self.retry.plan(!all);
        if ready { Ok(()) } else { Err(why) }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Where relying parties go.
    pub(super) fn issuers(&self) -> String {
        let tenants = self.host.desired().tenants.values();
        let issuers: Vec<&str> = tenants
            .filter(|tenant| tenant.closed().is_none())
            .map(|tenant| tenant.bundle.issuer.as_str().trim_end_matches('/'))
            .collect();
        issuers.join(" ")
    }

    /// Status first: from here on nobody keeps it true.
    pub(super) async fn stop(mut self) {
        if let Err(error) = self.status.forget(Timestamp::now()) {
            tracing::error!(%error, "the status cannot be written");
        }
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
