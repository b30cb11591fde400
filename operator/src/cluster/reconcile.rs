//! One look at a tenant: dereference → validate → build → apply → observe → status.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{Api, Client, api::ListParams, core::DynamicObject, runtime::controller::Action};
use pavilion_bundle::TenantName;
use pavilion_catalogue::{Entry, manifest};
use pavilion_crds::{DeletionPolicy, Kind};
use pavilion_json::Digest;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    announcer::Announcer,
    apply::{Applied, Applier, ApplyError, NO_ANSWER, REQUEST_TIME_OUT},
    cert_manager::Certificates,
    classes::Classes,
    closing::Closing,
    finalizer::Finalizers,
    gateway::Front,
    judge::{dereference, judge},
    keyring::{Keyring, KeyringError},
    keys::listens_with,
    kinds::OwnedKind,
    memory::{Memory, MemoryError},
    metrics::ClusterMetrics,
    objects::{Objects, resource},
    observe::{Edge, observe},
    placement::{self, Placement},
    pod::{BUNDLE_ANNOTATION, KEYS_ANNOTATION},
    pods::Pods,
    probing::{Isolation, Probing},
    remembered::{Remembered, Remembrance},
    retries::{Retries, until},
    routes::{Held, Position, Routers},
    settings::Settings,
    statuses::{Extra, StatusError, Statuses, reason, unreached},
    supplies::{Supplies, Supply},
    termination,
    wanted::{Phase, Wanted},
};
use crate::{
    desired::Desired,
    host::{Observed, Program},
    object_key::ObjectKey,
    refusal::Refusal,
    status::{self, OperatorFacts, Verdict, View},
};

/// How often a tenant that is as it is to be is looked at although nothing was heard of it: its programs may
/// have trouble that no object shows.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Why a look ended early. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// What is remembered of the tenant.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// One of its objects could not be read.
    #[error("{0}: {1}")]
    Object(ObjectKey, String),
    /// What is to be kept of a tenant that is deleted.
    #[error("{0}")]
    Evidence(String),
    /// Its keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Its objects.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Its status.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// A fault of ours.
    #[error("the look panicked: {0}")]
    Fault(String),
}

impl RoundError {
    /// The stable word for it.
    pub fn entry(&self) -> &'static Entry {
        match self {
            Self::Keyring(KeyringError::Unreadable(..)) => &manifest::KEYS_UNREADABLE,
            Self::Memory(_)
            | Self::Object(..)
            | Self::Evidence(_)
            | Self::Keyring(_)
            | Self::Status(StatusError::Api(..) | StatusError::Mark(..)) => &manifest::API_REFUSED,
            Self::Status(StatusError::Lease(_)) => &manifest::LEASE_OVER,
            Self::Apply(error) => reason(error),
            Self::Fault(_) => &manifest::OPERATOR_FAULT,
        }
    }

    /// Whether it is an object of this kind that could not be applied. What comes before it in the order is as it is to be.
    pub fn is_of(&self, kind: OwnedKind) -> bool {
        matches!(self, Self::Apply(ApplyError::Api(key, _)) if key.kind == kind)
    }
}

/// Everything a look needs.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// The objects of our kinds.
    pub objects: Arc<Objects>,
    /// The classes of the cluster that plans may name.
    pub classes: Arc<Classes>,
    /// Writes the objects of tenants.
    pub applier: Applier,
    /// Writes statuses.
    pub statuses: Statuses,
    /// About the cluster.
    pub settings: Settings,
    /// What the operator counts.
    pub metrics: ClusterMetrics,
    /// Keeps Tenants there until what was made for them is seen to.
    pub finalizers: Finalizers,
    /// The pods of tenants.
    pub pods: Arc<Pods>,
    /// What cert-manager says of the authorities that it is asked for.
    pub certificates: Arc<Certificates>,
    /// The Secrets that others supply.
    pub supplies: Arc<Supplies>,
    /// Whether tenants are isolated.
    pub probing: Probing,
    /// Says aloud what a status alone would keep quiet.
    pub announcer: Arc<Announcer>,
    /// How far the edge is.
    pub routers: Arc<Routers>,
    /// Who has which host.
    pub held: Arc<Held>,
    /// What stands before the edge.
    pub front: Arc<Front>,
    /// When to try again.
    pub retries: Retries,
    /// When to look again at a tenant that is on its way.
    pub patience: Retries,
    /// What is remembered, of tenants that were looked at.
    pub remembrance: Remembrance,
    /// Tenants whose programs are about to stop.
    pub closing: Closing,
}

/// One look at a tenant.
///
/// # Errors
/// What could not be done; it is tried again.
pub async fn reconcile(name: String, context: Arc<Context>) -> Result<Action, RoundError> {
    context.metrics.round();
    // One that went meanwhile is told of by its watch.
    let Some(object) = context.objects.tenant(&name) else {
        return Ok(Action::await_change());
    };
    let now = Timestamp::now();
    let placement = context.placement(&object);
    // The schema allows no name that is none; who bypassed it gets no data plane.
    let tenant: Option<TenantName> = name.parse().ok();
    let Some(tenant) = tenant.filter(|_| !placement.is_elsewhere()) else {
        let placed = placement.condition();
        return elsewhere(&context, &name, &object, &placed, now).await;
    };
    let mut extras = vec![placement.condition()];
    if object.metadata.deletion_timestamp.is_some() {
        if termination::policy(&object) != DeletionPolicy::Protect {
            return termination::go_on(&object, &tenant, &context, now).await;
        }
        extras.push(Extra::protected());
    }
    let Remembered {
        memory: before,
        keys,
    } = context.remembered(&object, &tenant).await?;
    let ran = before.runs();
    context.read_what_there_is_room_for(&name).await?;
    let mut seen = before.clone();
    let set = dereference(&context.objects, &name, &mut seen);
    let judged = judge(
        &set,
        (&context.objects, &context.held),
        &context.classes,
        &tenant,
        &seen,
        &context.settings,
        now,
    );
    let (memory, seen, refusals) = match judged {
        Ok(memory) if placement.holds() => (memory.clone(), memory, Vec::new()),
        Ok(_) => (placement::withheld(before, &object), seen, Vec::new()),
        // What was accepted before stays in force, and is put right where somebody changed it.
        Err(refusals) => (before, seen, refusals),
    };
    let runs = memory.runs();
    let reached = || context.pods.of(&tenant).is_some() && context.is_reached(&tenant);
    let phase = context.closing.phase(&tenant, ran, runs, reached);
    let wanted = Wanted::build(&context, &tenant, &memory, keys, phase, now).await?;
    context.remembrance.give_out(&object, &tenant, &memory);
    let applied = bring_about(&context, &object, &tenant, &memory, wanted.as_ref()).await;
    let Some(applied) = applied.transpose() else {
        // The watch will tell.
        return Ok(Action::requeue(LOOK_EVERY));
    };
    let isolated = match &wanted {
        Some(_) => Extra::isolated(applied.as_ref().err()),
        None => Extra::not_isolated_yet(),
    };
    extras.insert(1, isolated);
    let observed = look(&context, &tenant, &memory, wanted.as_ref()).await;
    let informed = inform(&context, &tenant, &memory, wanted.as_ref(), &observed).await;
    let isolation = isolation(&context, &tenant, &memory, &observed).await;
    extras.insert(2, Extra::isolation(&isolation));
    let root = wanted.as_ref().and_then(|wanted| wanted.keys.root.clone());
    let rooted = root.as_ref().is_none_or(|root| root.holds);
    extras.extend(root.map(Extra::trust_root));
    let trouble = wanted.as_ref().and_then(|wanted| {
        let front = &context.front;
        front.trouble(&tenant, &wanted.objects, applied.as_ref().err())
    });
    let told = (&extras[..], trouble.as_ref());
    let mut statuses = statuses(&tenant, &seen, &observed, &refusals, told, now);
    placement.tell(&name, &mut statuses);
    // As long as the probes are at it there will be news soon.
    let settled = is_ready(&statuses, &name) && !isolation.is_pending() && rooted;
    context.statuses.write(&name, statuses, now).await?;
    context.announcer.isolation(&object, &isolation);
    let applied = applied?;
    informed?;
    let waits = wanted.is_some();
    let times = wanted.as_ref().and_then(|wanted| wanted.times);
    let keyring = wanted.and_then(|wanted| wanted.keys.keyring);
    let changes = keyring.as_ref().is_some_and(Keyring::changes);
    context.remembrance.keep(&object, &tenant, memory, keyring);
    context.retries.forget(&name);
    if settled || applied != Applied::default() {
        context.patience.forget(&name);
    }
    let pod = context.pods.of(&tenant);
    // A pod without an address tells nothing but what is heard of it anyway. From root to root also one without a pod goes
    // step by step.
    let tells = phase != Phase::AsAsked || changes || pod.is_some_and(|pod| pod.address.is_some());
    let pause = match times {
        None if !waits => return Ok(Action::await_change()),
        Some((due, _)) if settled || !tells => LOOK_EVERY.min(until(due, now)),
        _ => context.patience.next(&name),
    };
    Ok(Action::requeue(pause))
}

/// Brings about what a tenant needs, once the Tenant is marked. `None` for one that went meanwhile.
async fn bring_about(
    context: &Context,
    object: &DynamicObject,
    tenant: &TenantName,
    memory: &Memory,
    wanted: Option<&Wanted>,
) -> Result<Option<Applied>, RoundError> {
    let Some(wanted) = wanted else {
        return Ok(Some(Applied::default()));
    };
    let goes = object.metadata.deletion_timestamp.is_some();
    if !goes && !context.finalizers.hold(object).await? {
        return Ok(None);
    }
    let written = |kind| {
        if kind == OwnedKind::ConfigMap {
            context.remembrance.written(object, tenant, memory);
        }
    };
    let applied = context.applier.apply(tenant, wanted, written).await?;
    if !wanted.asks_for_authority() {
        context.destroy_authority(tenant).await?;
    }
    Ok(Some(applied))
}

/// How a tenant's programs are.
async fn look(
    context: &Context,
    tenant: &TenantName,
    memory: &Memory,
    wanted: Option<&Wanted>,
) -> Observed {
    let pod = context.pods.of(tenant);
    let times = wanted.and_then(|wanted| wanted.times);
    let certificate_until = times.map(|(_, until)| until);
    let in_force = memory.in_force.as_ref();
    let closed = in_force.is_some_and(|state| state.desired.closed().is_some());
    let mut observed = observe(
        tenant,
        pod.as_ref(),
        certificate_until,
        context.edge(tenant),
        closed,
    )
    .await;
    if let Some(refused) = wanted.and_then(|wanted| wanted.keys.refused.clone()) {
        observed
            .refused_certificates
            .insert(tenant.clone(), refused);
    }
    observed
}

/// Tells a pod that serves an older bundle, or listens with older keys, of the newer ones.
async fn inform(
    context: &Context,
    tenant: &TenantName,
    memory: &Memory,
    wanted: Option<&Wanted>,
    observed: &Observed,
) -> Result<(), ApplyError> {
    let pod = context.pods.of(tenant);
    let verifier = observed.tenants.get(tenant);
    let verifier = verifier.and_then(|tenant| tenant.child(Program::Verifier));
    let report = verifier.and_then(|verifier| verifier.report.as_ref());
    let served = report.and_then(|report| report.served.as_ref());
    if let (Some(pod), Some(served), Some(in_force)) = (&pod, served, &memory.in_force) {
        let newest = in_force.digest.to_string();
        if served.digest != newest && pod.told.as_ref() != Some(&newest) {
            let note = (BUNDLE_ANNOTATION, newest);
            context.applier.tell(tenant, pod, note).await?;
        }
    }
    let keyring = wanted.and_then(|wanted| wanted.keys.keyring.as_ref());
    if let (Some(pod), Some(keyring)) = (&pod, keyring) {
        let newest = Digest::of(keyring.listen_files().to_string().as_bytes()).to_string();
        let behind =
            keyring.changes() || report.is_some_and(|report| !listens_with(report, keyring));
        if behind && pod.told_keys.as_ref() != Some(&newest) {
            let note = (KEYS_ANNOTATION, newest);
            context.applier.tell(tenant, pod, note).await?;
        }
    }
    Ok(())
}

/// Whether a tenant is isolated.
async fn isolation(
    context: &Context,
    tenant: &TenantName,
    memory: &Memory,
    observed: &Observed,
) -> Isolation {
    let pod = context.pods.of(tenant);
    let probing = &context.probing;
    probing.of(tenant, pod.as_ref(), memory, observed).await
}

fn is_ready(statuses: &BTreeMap<ObjectKey, Value>, tenant: &str) -> bool {
    let conditions = statuses
        .get(&ObjectKey::tenant(tenant))
        .and_then(|status| status["conditions"].as_array());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// What to do after a failure.
pub fn after_failure(object: &DynamicObject, error: &RoundError, context: &Context) -> Action {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    context.metrics.failed(error.entry().code);
    if let Ok(tenant) = name.parse() {
        context.remembrance.doubt(&tenant);
    }
    let pause = context.retries.next(name);
    tracing::warn!(%error, code = error.entry().code, again_in_ms = pause.as_millis(), "{name} is not as it is to be");
    Action::requeue(pause)
}

/// Another region's operator looks after this tenant, and this one says so.
async fn elsewhere(
    context: &Context,
    name: &str,
    object: &DynamicObject,
    placed: &Extra,
    now: Timestamp,
) -> Result<Action, RoundError> {
    let generation = u64::try_from(object.metadata.generation.unwrap_or(0)).unwrap_or(0);
    let status = BTreeMap::from([(ObjectKey::tenant(name), placed.alone(generation))]);
    context.statuses.write(name, status, now).await?;
    context.retries.forget(name);
    Ok(Action::await_change())
}

fn statuses(
    tenant: &TenantName,
    memory: &Memory,
    observed: &Observed,
    refusals: &[Refusal],
    (extras, trouble): (&[Extra], Option<&Verdict>),
    now: Timestamp,
) -> BTreeMap<ObjectKey, Value> {
    let (mut desired, mut digests) = (Desired::default(), BTreeMap::new());
    if let Some(in_force) = &memory.in_force {
        desired
            .tenants
            .insert(tenant.clone(), in_force.desired.clone());
        digests.insert(tenant.clone(), in_force.digest);
    }
    let view = View {
        records: &memory.records,
        desired: &desired,
        digests: &digests,
        observed,
        refusals,
        failures: &BTreeMap::new(),
        facts: &OperatorFacts::default(),
        now,
    };
    let mut statuses = status::of_objects(&view);
    for (key, status) in &mut statuses {
        if key.kind == Kind::Tenant {
            let record = memory.records.objects.get(key);
            let generation = record.map_or(0, |record| record.generation);
            for extra in extras.iter().rev() {
                extra.add_to(status, generation);
            }
            if let Some(trouble) = trouble {
                unreached(status, trouble, generation);
            }
            status::set_phase(status);
        }
    }
    statuses
}

impl Context {
    /// Whether a tenant's keys are there, or the authority that others gave it.
    pub fn has_keys(&self, tenant: &TenantName) -> bool {
        let beside = &self.settings.namespace;
        self.applier.keys(tenant, beside).is_some()
            || self.applier.asks_for_authority(tenant, beside)
            || self.supplies.uid(Supply::Authority, tenant).is_some()
    }

    /// Reads the objects of a tenant of which only the name was kept, where there is room for them by now.
    async fn read_what_there_is_room_for(&self, tenant: &str) -> Result<(), RoundError> {
        for key in self.objects.unread(tenant) {
            let namespace = key.namespace.as_deref().unwrap_or_default();
            let (client, kind) = (self.client.clone(), resource(key.kind));
            let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &kind);
            let named = ListParams::default().fields(&format!("metadata.name={}", key.name));
            let found = match timeout(REQUEST_TIME_OUT, api.list(&named)).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => return Err(RoundError::Object(key, error.to_string())),
                Err(_) => return Err(RoundError::Object(key, NO_ANSWER.to_owned())),
            };
            // Of one that went meanwhile its watch tells.
            for object in found {
                self.objects.read(key.kind, object);
            }
        }
        Ok(())
    }

    /// Deletes the authority that others gave a tenant, if there is one.
    ///
    /// # Errors
    /// The lease, or the API server.
    pub async fn destroy_authority(&self, tenant: &TenantName) -> Result<(), ApplyError> {
        let Some(uid) = self.supplies.uid(Supply::Authority, tenant) else {
            return Ok(());
        };
        let beside = &self.settings.namespace;
        self.applier.destroy_authority(tenant, beside, uid).await
    }

    /// Whether requests may still reach a tenant that the edge was told to close.
    pub fn is_reached(&self, tenant: &TenantName) -> bool {
        self.routers.any() && !self.edge(tenant).serves
    }

    /// Whether a tenant is placed here.
    fn placement(&self, tenant: &DynamicObject) -> Placement {
        let own = ObjectKey {
            kind: Kind::Region,
            namespace: None,
            name: self.settings.region.clone(),
        };
        let own = self.objects.wide_one(&own);
        Placement::of(tenant, own.as_deref(), self.objects.said(), &self.settings)
    }

    /// How the edge serves a tenant.
    pub fn edge(&self, tenant: &TenantName) -> Edge {
        let keys = self.applier.keys(tenant, &self.settings.namespace);
        let wanted = Position {
            secrets: keys.map_or(0, |seen| seen.version),
            pods: self.pods.version_of(tenant).unwrap_or(0),
        };
        Edge {
            trouble: self.routers.trouble(),
            serves: self.routers.serve(tenant, wanted).is_ok(),
        }
    }
}
