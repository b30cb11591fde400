//! One look at a tenant: dereference → validate → build → apply → status.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use kube::{Client, core::DynamicObject, runtime::controller::Action};
use pavilion_bundle::TenantName;
use pavilion_catalogue::{Entry, manifest};
use pavilion_crds::Kind;
use serde_json::Value;

use super::{
    apply::{Applier, ApplyError},
    isolation,
    judge::{dereference, judge, region},
    memory::{InForce, Memory, MemoryError},
    metrics::ClusterMetrics,
    objects::Objects,
    owned::Owned,
    retries::Retries,
    settings::Settings,
    statuses::{Extra, StatusError, Statuses, reason},
};
use crate::{
    desired::Desired,
    host::Observed,
    object_key::ObjectKey,
    refusal::Refusal,
    status::{self, OperatorFacts, View},
};

/// Why a look ended early. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// What is remembered of the tenant.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Its objects.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Its status.
    #[error(transparent)]
    Status(#[from] StatusError),
}

impl RoundError {
    /// The stable word for it.
    pub fn entry(&self) -> &'static Entry {
        match self {
            Self::Memory(_) | Self::Status(StatusError::Api(..)) => &manifest::API_REFUSED,
            Self::Status(StatusError::Lease(_)) => &manifest::LEASE_OVER,
            Self::Apply(error) => reason(error),
        }
    }
}

/// Everything a look needs.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// The objects of our kinds.
    pub objects: Arc<Objects>,
    /// Writes the objects of tenants.
    pub applier: Applier,
    /// Writes statuses.
    pub statuses: Statuses,
    /// About the cluster.
    pub settings: Settings,
    /// What the operator counts.
    pub metrics: ClusterMetrics,
    /// When to try again.
    pub retries: Retries,
    /// What is remembered, of tenants that were looked at.
    pub memories: Mutex<HashMap<String, Memory>>,
}

/// One look at a tenant.
///
/// # Errors
/// What could not be done; it is tried again.
pub async fn reconcile(
    object: Arc<DynamicObject>,
    context: Arc<Context>,
) -> Result<Action, RoundError> {
    context.metrics.round();
    let name = object.metadata.name.clone().unwrap_or_default();
    let now = Timestamp::now();
    let placed = Extra::placed(region(&object), &context.settings.region);
    // The schema allows no name that is none; who bypassed it gets no data plane.
    let tenant: Option<TenantName> = name.parse().ok();
    let Some(tenant) = tenant.filter(|_| placed.holds()) else {
        return elsewhere(&context, &name, &object, &placed, now).await;
    };
    let before = context.remembered(&tenant).await?;
    let mut seen = before.clone();
    let set = dereference(&context.objects, &name, &mut seen);
    let judged = judge(
        &set,
        &context.objects,
        &tenant,
        &seen,
        &context.settings,
        now,
    );
    let (memory, seen, refusals) = match judged {
        Ok(memory) => (memory.clone(), memory, Vec::new()),
        // What was accepted before stays in force, and is put right where somebody changed it.
        Err(refusals) => (before, seen, refusals),
    };
    let wanted = build(&tenant, &memory, &context.settings)?;
    let (applied, isolated) = match &wanted {
        Some(wanted) => {
            let applied = context.applier.apply(&tenant, wanted).await;
            let isolated = Extra::isolated(applied.as_ref().map(|_| ()));
            (applied.map(drop), isolated)
        }
        None => (Ok(()), Extra::not_isolated_yet()),
    };
    let statuses = statuses(&tenant, &seen, &refusals, &[placed, isolated], now);
    context.statuses.write(&name, statuses, now).await?;
    applied?;
    context.remember(&tenant, memory);
    context.retries.forget(&name);
    Ok(Action::await_change())
}

/// What to do after a failure.
pub fn after_failure(object: &DynamicObject, error: &RoundError, context: &Context) -> Action {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    context.metrics.failed(error.entry().code);
    let pause = context.retries.next(name);
    tracing::warn!(%error, code = error.entry().code, again_in_ms = pause.as_millis(), "{name} is not as it is to be");
    Action::requeue(pause)
}

/// Everything a tenant needs, in the order in which it is applied; `None` for a tenant of which nothing
/// was ever accepted. That is not the same as needing nothing: what is there of it stays.
fn build(
    tenant: &TenantName,
    memory: &Memory,
    settings: &Settings,
) -> Result<Option<Vec<Owned>>, MemoryError> {
    let Some(InForce { desired, .. }) = &memory.in_force else {
        return Ok(None);
    };
    let mut owned = isolation::build(tenant, desired, settings);
    owned.extend(memory.object(tenant)?);
    Ok(Some(owned))
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
    refusals: &[Refusal],
    extras: &[Extra],
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
        observed: &Observed::default(),
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
        }
    }
    statuses
}

impl Context {
    async fn remembered(&self, tenant: &TenantName) -> Result<Memory, MemoryError> {
        let known = self.lock().get(tenant.as_str()).cloned();
        match known {
            Some(memory) => Ok(memory),
            None => Memory::load(&self.client, tenant).await,
        }
    }

    fn remember(&self, tenant: &TenantName, memory: Memory) {
        self.lock().insert(tenant.to_string(), memory);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Memory>> {
        // Values are replaced whole, so a panic elsewhere leaves nothing half made.
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
