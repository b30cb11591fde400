//! The causes in order. A condition that only follows from another is left out, so what stands first comes first.

use pavilion_catalogue::manifest;
use pavilion_crds::{ChildStatus, Condition};

use super::cause::Cause;
use super::instead::Instead;
use crate::objects::{Document, is_good, is_unwatched};

/// Conditions of a tenant that tell about what comes after its objects were accepted.
const LATER: [&str; 2] = ["CertificateValid", "Programmed"];
/// Conditions that sum up others.
const SUMS: [&str; 2] = ["PoliciesReady", "Ready"];
/// The programs in the order they start in: one that is not there explains why the next waits.
const STARTS: [&str; 3] = ["signer", "auditor", "verifier"];

/// Why a tenant is not Ready, by what its own status and those of its objects say; nothing for one that is.
pub fn of(tenant: &Document, documents: &[Document]) -> Vec<Cause> {
    if tenant.is_ready() {
        return Vec::new();
    }
    if tenant.conditions().is_empty() {
        return vec![Cause::plain(
            tenant,
            "has no status: no operator has looked at it yet",
        )];
    }
    let mut causes = Vec::new();
    causes.extend(unwatched(tenant));
    let objects = documents.iter().filter(|document| !document.is_tenant());
    causes.extend(
        std::iter::once(tenant)
            .chain(objects.clone())
            .filter_map(behind),
    );
    causes.extend(own(tenant, |type_| !LATER.contains(&type_)));
    causes.extend(objects.filter_map(|object| refused(object, tenant)));
    causes.extend(own(tenant, |type_| type_ == "CertificateValid"));
    causes.extend(program(tenant));
    causes.extend(own(tenant, |type_| type_ == "Programmed"));
    if causes.is_empty() {
        causes.push(summary(tenant));
    }
    causes
}

/// That nobody watches, said once.
fn unwatched(tenant: &Document) -> Option<Cause> {
    let condition = tenant
        .conditions()
        .iter()
        .find(|condition| is_unwatched(condition))?;
    Some(Cause {
        code: Some(condition.reason.clone()),
        ..Cause::plain(tenant, "is watched by nobody").and(&condition.message)
    })
}

/// That what is said of an object is said of an older generation of it.
fn behind(object: &Document) -> Option<Cause> {
    let newest = object.number("/metadata/generation")?;
    let seen = object.number("/status/observedGeneration")?;
    (seen < newest).then(|| {
        let says = format!(
            "was changed: generation {newest} is not looked at yet, below is said of {seen}"
        );
        Cause::plain(object, says)
    })
}

/// The tenant's own conditions of some types that stand in the way by themselves.
fn own(tenant: &Document, of_type: impl Fn(&str) -> bool) -> Vec<Cause> {
    let conditions = tenant.conditions().iter();
    conditions
        .filter(|condition| of_type(&condition.type_) && !SUMS.contains(&condition.type_.as_str()))
        .filter(|condition| stands_in_the_way(condition) && !follows(condition))
        .map(|condition| {
            let mut cause = Cause::of(tenant, condition);
            if condition.type_ == "Accepted" {
                cause.instead = Some(Instead::of(tenant, tenant, condition));
            }
            cause
        })
        .collect()
}

fn stands_in_the_way(condition: &Condition) -> bool {
    !is_good(condition) && !is_unwatched(condition)
}

/// Whether it only follows from something that is said elsewhere.
fn follows(condition: &Condition) -> bool {
    let reason = condition.reason.as_str();
    let asked = [manifest::SUSPENDED.code, manifest::HIBERNATED.code];
    let suspended = asked.contains(&reason) && condition.type_ != "Suspended";
    suspended || reason == manifest::PROGRESSING.code || reason == manifest::SET_REFUSED.code
}

/// An object of the tenant that is not accepted by its own fault.
fn refused(object: &Document, tenant: &Document) -> Option<Cause> {
    let accepted = object.condition("Accepted")?;
    (stands_in_the_way(accepted) && !follows(accepted)).then(|| Cause {
        instead: Some(Instead::of(object, tenant, accepted)),
        ..Cause::of(object, accepted)
    })
}

/// The first program that is not ready, unless that is as it was asked to be or nobody watches.
fn program(tenant: &Document) -> Option<Cause> {
    let mut conditions = tenant.conditions().iter();
    let excused = ["Suspended", "Terminating"]
        .map(|type_| tenant.holds(type_))
        .contains(&true)
        || conditions.any(is_unwatched);
    let mut away: Vec<ChildStatus> = tenant
        .programs()
        .into_iter()
        .filter(|program| !program.ready && !excused)
        .collect();
    away.sort_by_key(|program| {
        let place = STARTS.iter().position(|name| *name == program.name);
        place.unwrap_or(STARTS.len())
    });
    let (first, others) = away.split_first()?;
    let mut cause = Cause::plain(tenant, format!("has no {} that is ready", first.name));
    cause.code = Some(manifest::DATA_PLANE_UNAVAILABLE.code.to_owned());
    if let Some(reason) = &first.reason {
        cause = cause.and(format!("{}: {reason}", first.name));
    }
    if first.restarts > 0 {
        cause = cause.and(format!(
            "{} was started again {} times",
            first.name, first.restarts
        ));
    }
    if !others.is_empty() {
        let names: Vec<&str> = others.iter().map(|program| program.name.as_str()).collect();
        cause = cause.and(format!("not ready either: {}", names.join(", ")));
    }
    Some(cause)
}

/// The operator's own summary, where no condition says more.
fn summary(tenant: &Document) -> Cause {
    let first = tenant
        .conditions()
        .iter()
        .filter(|condition| stands_in_the_way(condition))
        .min_by_key(|condition| !SUMS.contains(&condition.type_.as_str()));
    let ready = tenant
        .condition("Ready")
        .filter(|ready| stands_in_the_way(ready));
    match ready.or(first) {
        Some(condition) => Cause::of(tenant, condition),
        None => Cause::plain(tenant, "has no condition Ready"),
    }
}

#[cfg(test)]
mod tests;
