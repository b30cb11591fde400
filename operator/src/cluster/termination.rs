//! The end of a tenant, step by step. Each step is found again by what is there, so that an operator that
//! takes over in the middle goes on where the one before was.

use std::time::Duration;

use jiff::Timestamp;
use kube::{core::DynamicObject, runtime::controller::Action};
use pavilion_bundle::TenantName;
use pavilion_crds::DeletionPolicy;

use super::{
    apply::Applied,
    evidence,
    observe::{Edge, observe},
    reconcile::{Context, RoundError},
    remembered::Remembered,
    statuses::Extra,
    wanted::{Phase, Wanted},
};
use crate::object_key::ObjectKey;

/// How long routes may take to be withdrawn; the pod refuses by itself after that.
const WITHDRAWAL: Duration = Duration::from_secs(15);
/// How long the last checkpoint is waited for.
const EVIDENCE: Duration = Duration::from_mins(1);
/// How long the pod may take to end, its drain included.
const END_OF_POD: Duration = Duration::from_mins(3);
/// How often a step is looked at although nothing was heard.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Have the edge refuse its requests.
    Withdraw,
    /// Keep the last checkpoint of its log.
    KeepEvidence,
    /// Stop its programs.
    Stop,
    /// Delete its namespace, with the log and the token, and its keys, the authority that others gave it among them.
    Destroy,
    /// Let the Tenant go.
    Release,
}

/// What is there of a tenant that is being deleted.
#[derive(Clone, Copy, Debug)]
struct Facts {
    programs: Programs,
    namespace: Namespace,
    evidence: bool,
    keys: bool,
    waited: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Programs {
    /// Requests reach them.
    Routed,
    /// They run, and no new requests reach them.
    Withdrawn,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespace {
    There,
    Ending,
    Gone,
}

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
    tell(object, tenant, context, step, now).await?;
    match step {
        Step::Withdraw => {
            apply(tenant, context, Phase::Withdrawn, now).await?;
        }
        Step::KeepEvidence => {
            // Of a tenant that hibernated nothing runs that could tell it.
            apply(tenant, context, Phase::Withdrawn, now).await?;
            let patient = facts.waited < EVIDENCE;
            evidence::keep(object, tenant, context, patient, now).await?;
        }
        Step::Stop => {
            apply(tenant, context, Phase::Stopped, now).await?;
        }
        Step::Destroy => {
            let beside = &context.settings.namespace;
            context.applier.destroy(tenant, beside).await?;
            context.destroy_authority(tenant).await?;
        }
        Step::Release => {
            // That there is no pod may be because one is just being replaced.
            if policy(object) == DeletionPolicy::Retain
                && apply(tenant, context, Phase::Released, now).await? != Applied::default()
            {
                return Ok(Action::requeue(LOOK_EVERY));
            }
            context.finalizers.release(object).await?;
            context.remembrance.forget(tenant);
            context.applier.forget(tenant);
            context.routers.forget(tenant);
            context.closing.forget(tenant);
            context.probing.forget(tenant);
            tracing::info!("{tenant} is gone");
            return Ok(Action::await_change());
        }
    }
    Ok(Action::requeue(LOOK_EVERY))
}

fn next(policy: DeletionPolicy, facts: &Facts) -> Step {
    let destroys = policy == DeletionPolicy::Delete;
    if destroys && facts.namespace != Namespace::There {
        let done = facts.namespace == Namespace::Gone && !facts.keys;
        return if done { Step::Release } else { Step::Destroy };
    }
    if facts.programs == Programs::Routed && facts.waited < WITHDRAWAL {
        return Step::Withdraw;
    }
    if destroys && !facts.evidence {
        return Step::KeepEvidence;
    }
    if facts.programs != Programs::Gone && facts.waited < END_OF_POD {
        return Step::Stop;
    }
    if destroys {
        Step::Destroy
    } else {
        Step::Release
    }
}

async fn facts(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    now: Timestamp,
) -> Result<Facts, RoundError> {
    let namespace = context.applier.namespace(tenant);
    let since = object.metadata.deletion_timestamp.as_ref();
    let waited = since.map_or(Duration::ZERO, |since| {
        Duration::try_from(now.duration_since(since.0)).unwrap_or_default()
    });
    Ok(Facts {
        programs: match context.pods.of(tenant) {
            None => Programs::Gone,
            Some(_) if is_withdrawn(tenant, context, now).await? => Programs::Withdrawn,
            Some(_) => Programs::Routed,
        },
        namespace: match namespace {
            None => Namespace::Gone,
            Some(seen) if seen.deleting => Namespace::Ending,
            Some(_) => Namespace::There,
        },
        evidence: evidence::is_kept(object, tenant, context).await?,
        keys: context.has_keys(tenant),
        waited,
    })
}

/// Whether the edge was told to refuse the tenant's requests, and does.
async fn is_withdrawn(
    tenant: &TenantName,
    context: &Context,
    now: Timestamp,
) -> Result<bool, RoundError> {
    let wanted = wanted(tenant, context, Phase::Withdrawn, now).await?;
    let beside = &context.settings.namespace;
    let told = wanted.is_none_or(|wanted| {
        let objects = &wanted.objects;
        context.applier.has_route_of(objects, tenant, beside)
    });
    Ok(told && !context.is_reached(tenant))
}

async fn wanted(
    tenant: &TenantName,
    context: &Context,
    phase: Phase,
    now: Timestamp,
) -> Result<Option<Wanted>, RoundError> {
    let Remembered { memory, keys } = context.remembrance.of(&context.client, tenant).await?;
    Wanted::build(context, tenant, &memory, keys, phase, now).await
}

async fn apply(
    tenant: &TenantName,
    context: &Context,
    phase: Phase,
    now: Timestamp,
) -> Result<Applied, RoundError> {
    match wanted(tenant, context, phase, now).await? {
        Some(wanted) => Ok(context.applier.apply(tenant, &wanted).await?),
        None => Ok(Applied::default()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Facts {
        Facts {
            programs: Programs::Routed,
            namespace: Namespace::There,
            evidence: false,
            keys: true,
            waited: Duration::ZERO,
        }
    }

    /// The steps from a running tenant on, when each has its effect.
    fn steps(policy: DeletionPolicy) -> Vec<Step> {
        let (mut facts, mut steps) = (running(), Vec::new());
        loop {
            let step = next(policy, &facts);
            steps.push(step);
            match step {
                Step::Withdraw => facts.programs = Programs::Withdrawn,
                Step::KeepEvidence => facts.evidence = true,
                Step::Stop => facts.programs = Programs::Gone,
                Step::Destroy if facts.namespace == Namespace::Ending => {
                    facts.namespace = Namespace::Gone;
                }
                Step::Destroy => (facts.namespace, facts.keys) = (Namespace::Ending, false),
                Step::Release => return steps,
            }
        }
    }

    #[test]
    fn what_is_kept_is_only_stopped() {
        let steps = steps(DeletionPolicy::Retain);
        assert_eq!(steps, [Step::Withdraw, Step::Stop, Step::Release]);
    }

    #[test]
    fn keys_go_after_the_evidence_is_kept_and_the_tenant_when_its_namespace_is_gone() {
        use Step::{Destroy, KeepEvidence, Release, Stop, Withdraw};
        let expected = [Withdraw, KeepEvidence, Stop, Destroy, Destroy, Release];
        assert_eq!(steps(DeletionPolicy::Delete), expected);
    }

    #[test]
    fn no_step_but_the_last_is_waited_for_without_end() {
        let late = Facts {
            evidence: true,
            waited: END_OF_POD,
            ..running()
        };
        assert_eq!(next(DeletionPolicy::Delete, &late), Step::Destroy);
        assert_eq!(next(DeletionPolicy::Retain, &late), Step::Release);
    }

    #[test]
    fn a_namespace_that_was_deleted_first_takes_the_keys_with_it() {
        let gone = Facts {
            namespace: Namespace::Gone,
            ..running()
        };
        assert_eq!(next(DeletionPolicy::Delete, &gone), Step::Destroy);
        let ending = Facts {
            namespace: Namespace::Ending,
            keys: false,
            ..running()
        };
        assert_eq!(next(DeletionPolicy::Delete, &ending), Step::Destroy);
    }
}
