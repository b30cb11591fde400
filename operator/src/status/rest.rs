//! What is said of a tenant whose owner wants no requests answered.

use pavilion_bundle::Closed;
use pavilion_catalogue::{Entry, manifest};

use super::{View, conditions::Verdict};
use crate::{desired::DesiredTenant, host::ObservedTenant};

/// Whether its owner wants requests answered.
pub(super) fn open(desired: Option<&DesiredTenant>) -> Verdict {
    match desired.and_then(asked) {
        Some((entry, message)) => Verdict::no(entry, message),
        None => Verdict::yes(&manifest::READY, "its owner wants requests answered"),
    }
}

/// Whether its owner's wish that none are is carried out: the edge refuses them, and of a tenant that hibernates
/// nothing runs.
pub(super) fn suspended(
    view: &View<'_>,
    desired: Option<&DesiredTenant>,
    observed: Option<&ObservedTenant>,
) -> Verdict {
    let progressing = |message: &str| Verdict::no(&manifest::PROGRESSING, message);
    let Some((entry, message)) = desired.and_then(asked) else {
        return Verdict::no(&manifest::READY, "the tenant is not suspended");
    };
    if !view.observed.routes_served {
        return progressing("the edge does not refuse its requests yet");
    }
    if desired.is_some_and(|desired| desired.hibernate) && observed.is_some() {
        return progressing("its programs have not stopped yet");
    }
    Verdict::yes(entry, message)
}

/// What its owner asked for, and what that means.
fn asked(desired: &DesiredTenant) -> Option<(&'static Entry, String)> {
    let entry = match desired.closed()? {
        Closed::Hibernated => &manifest::HIBERNATED,
        _ => &manifest::SUSPENDED,
    };
    let message = if desired.suspend && desired.hibernate {
        "spec.suspend and spec.hibernate are true: the edge answers every request with 503 tenant_suspended, and nothing of the tenant runs".to_owned()
    } else {
        entry.meaning.to_owned()
    };
    Some((entry, message))
}
