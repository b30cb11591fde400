//! The end of a tenant, step by step. Each step is found again by what is there, so that an operator that
//! takes over in the middle goes on where the one before was. Each but the last has its time, whatever fails meanwhile.

mod steps;

use std::time::Duration;

use jiff::Timestamp;
use kube::{core::DynamicObject, runtime::controller::Action};
use pavilion_bundle::TenantName;
use pavilion_crds::DeletionPolicy;

use self::steps::{END_OF_POD, EVIDENCE, Facts, Namespace, Programs, Step, next};
use super::{
    apply::Applied,
    evidence,
    memory::Memory,
    observe::{Edge, observe},
    reconcile::{Context, RoundError},
    remembered::Remembered,
    statuses::Extra,
    wanted::{Phase, Wanted},
};
use crate::object_key::ObjectKey;

/// How often a step must have failed in a row, when the time of all of them is over, until the next is taken without it.
/// By then it has been tried for more than a minute.
const TRIES: u32 = 10;
/// How often a step is looked at although nothing was heard.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is to become of a Tenant that was deleted; the schema's default for one that says nothing.
pub fn policy(tenant: &DynamicObject) -> DeletionPolicy {
    let policy = tenant.data["spec"]["deletionPolicy"].clone();
    serde_json::from_value(policy).unwrap_or_default()
}

/// One step of the end.
///
/// # Errors
/// What could not be done; it is tried again.
pub async fn go_on(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    now: Timestamp,
) -> Result<Action, RoundError> {
    let facts = facts(object, tenant, context, now).await?;
    let step = next(policy(object), &facts);
    let told = tell(object, tenant, context, step, now).await;
    let over = take(step, &facts, object, tenant, context, now).await?;
    told?;
    if over {
        return Ok(Action::await_change());
    }
    context.retries.forget(tenant.as_str());
    Ok(Action::requeue(LOOK_EVERY))
}

/// Takes a step. Whether it was the last.
async fn take(
    step: Step,
    facts: &Facts,
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    now: Timestamp,
) -> Result<bool, RoundError> {
    match step {
        Step::Withdraw => {
            apply(object, tenant, context, Phase::Withdrawn, now).await?;
        }
        Step::KeepEvidence => {
            let patient = facts.waited < EVIDENCE;
            // Of a tenant that hibernated nothing runs that could tell it.
            let applied = apply(object, tenant, context, Phase::Withdrawn, now).await;
            if patient {
                applied?;
            }
            evidence::keep(object, tenant, context, patient, now).await?;
        }
        Step::Stop => {
            apply(object, tenant, context, Phase::Stopped, now).await?;
        }
        Step::Destroy => {
            if facts.namespace == Namespace::There && !facts.evidence {
                tracing::error!("{tenant}: the last checkpoint of its log could not be kept");
            }
            let beside = &context.settings.namespace;
            context.applier.destroy(tenant, beside).await?;
            context.destroy_authority(tenant).await?;
        }
        Step::Release => {
            if policy(object) == DeletionPolicy::Retain
                && !is_released(facts, object, tenant, context, now).await?
            {
                return Ok(false);
            }
            context.finalizers.release(object).await?;
            context.forget(tenant);
            tracing::info!("{tenant} is gone");
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nothing of a tenant runs that is kept, nor has a host. That there is no pod may be because one is just being
/// replaced.
async fn is_released(
    facts: &Facts,
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    now: Timestamp,
) -> Result<bool, RoundError> {
    match apply(object, tenant, context, Phase::Released, now).await {
        Err(error) if facts.given_up => {
            tracing::error!(%error, "{tenant} is let go, and not all of it is stopped");
            Ok(true)
        }
        applied => Ok(applied? == Applied::default()),
    }
}

async fn facts(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    now: Timestamp,
) -> Result<Facts, RoundError> {
    let namespace = match context.applier.namespace(tenant) {
        None => Namespace::Gone,
        Some(seen) if seen.deleting => Namespace::Ending,
        Some(_) => Namespace::There,
    };
    let is_there = namespace == Namespace::There;
    let since = object.metadata.deletion_timestamp.as_ref();
    let waited = since.map_or(Duration::ZERO, |since| {
        Duration::try_from(now.duration_since(since.0)).unwrap_or_default()
    });
    let failures = context.retries.failures(tenant.as_str());
    let given_up = waited >= END_OF_POD && failures >= TRIES;
    Ok(Facts {
        programs: match context.pods.of(tenant) {
            None => Programs::Gone,
            // What keeps this from being known keeps the step from being taken, too, which tells of it.
            Some(_)
                if is_withdrawn(object, tenant, context, now)
                    .await
                    .is_ok_and(|is| is) =>
            {
                Programs::Withdrawn
            }
            Some(_) => Programs::Routed,
        },
        namespace,
        evidence: is_there && is_kept(object, tenant, context, given_up).await?,
        keys: context.has_keys(tenant),
        waited,
        given_up,
    })
}

/// Whether the last checkpoint of its log was kept, if it is to be.
async fn is_kept(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    given_up: bool,
) -> Result<bool, RoundError> {
    if policy(object) != DeletionPolicy::Delete {
        return Ok(false);
    }
    match evidence::is_kept(object, tenant, context).await {
        Err(error) if given_up => {
            tracing::warn!(%error, "{tenant}: nobody can tell what is kept of its log");
            Ok(false)
        }
        kept => kept,
    }
}

/// Whether the edge was told to refuse the tenant's requests, and does.
async fn is_withdrawn(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    now: Timestamp,
) -> Result<bool, RoundError> {
    let (_, wanted) = wanted(object, tenant, context, Phase::Withdrawn, now).await?;
    let beside = &context.settings.namespace;
    let told = wanted.is_none_or(|wanted| {
        let objects = &wanted.objects;
        context.applier.has_route_of(objects, tenant, beside)
    });
    Ok(told && !context.is_reached(tenant))
}

/// What is remembered of a tenant, and what it needs.
async fn wanted(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    phase: Phase,
    now: Timestamp,
) -> Result<(Memory, Option<Wanted>), RoundError> {
    let Remembered { memory, keys } = context
        .remembrance
        .of(&context.client, object, tenant)
        .await?;
    let wanted = Wanted::build(context, tenant, &memory, keys, phase, now).await?;
    Ok((memory, wanted))
}

async fn apply(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    phase: Phase,
    now: Timestamp,
) -> Result<Applied, RoundError> {
    let (memory, Some(wanted)) = wanted(object, tenant, context, phase, now).await? else {
        return Ok(Applied::default());
    };
    let applied = context.applier.apply(tenant, &wanted, |_| ()).await?;
    let keyring = wanted.keys.keyring;
    context.remembrance.keep(object, tenant, memory, keyring);
    Ok(applied)
}

async fn tell(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    step: Step,
    now: Timestamp,
) -> Result<(), RoundError> {
    let what = match step {
        Step::Withdraw => "the edge begins to refuse its requests",
        Step::KeepEvidence => "the last checkpoint of its log is waited for",
        Step::Stop => "its programs stop",
        Step::Destroy => "its keys are destroyed, and its namespace goes with everything in it",
        Step::Release => return Ok(()),
    };
    let generation = u64::try_from(object.metadata.generation.unwrap_or(0)).unwrap_or(0);
    let status = Extra::terminating(what).alone(generation);
    let key = ObjectKey::tenant(tenant.as_str());
    let status = std::collections::BTreeMap::from([(key, status)]);
    context.statuses.write(tenant.as_str(), status, now).await?;
    Ok(())
}

/// What the programs of a tenant say while it ends.
pub(super) async fn auditor(
    tenant: &TenantName,
    context: &Context,
    now: Timestamp,
) -> Option<crate::host::Report> {
    let pod = context.pods.of(tenant)?;
    let observed = observe(tenant, Some(&pod), Some(now), Edge::default(), true).await;
    let auditor = observed
        .tenants
        .get(tenant)?
        .child(crate::host::Program::Auditor)?;
    auditor.report.clone()
}
