//! Which step of the end of a tenant comes next, by what is there of it.

use std::time::Duration;

use pavilion_crds::DeletionPolicy;

/// How long routes may take to be withdrawn; the pod refuses by itself after that.
const WITHDRAWAL: Duration = Duration::from_secs(15);
/// How long the last checkpoint is waited for.
pub const EVIDENCE: Duration = Duration::from_mins(1);
/// How long the pod may take to end, its drain included.
pub const END_OF_POD: Duration = Duration::from_mins(3);

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
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
pub struct Facts {
    /// Its pod.
    pub programs: Programs,
    /// What everything but its keys lies in.
    pub namespace: Namespace,
    /// Whether the last checkpoint of its log is kept.
    pub evidence: bool,
    /// Whether its keys are there.
    pub keys: bool,
    /// Since it was deleted.
    pub waited: Duration,
    /// What fails is not waited for any more.
    pub given_up: bool,
}

/// The programs of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programs {
    /// Requests reach them.
    Routed,
    /// They run, and no new requests reach them.
    Withdrawn,
    /// There are none.
    Gone,
}

/// The namespace of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// It is there.
    There,
    /// It is being deleted.
    Ending,
    /// There is none.
    Gone,
}

/// What is to be done next of a tenant with that policy.
pub fn next(policy: DeletionPolicy, facts: &Facts) -> Step {
    let destroys = policy == DeletionPolicy::Delete;
    if destroys && facts.namespace != Namespace::There {
        let done = facts.namespace == Namespace::Gone && !facts.keys;
        return if done { Step::Release } else { Step::Destroy };
    }
    if facts.programs == Programs::Routed && facts.waited < WITHDRAWAL {
        return Step::Withdraw;
    }
    if destroys && !facts.evidence && !facts.given_up {
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
            given_up: false,
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
    fn evidence_is_waited_for_while_there_is_hope_and_nothing_is_destroyed_of_what_is_retained() {
        let late = Facts {
            waited: END_OF_POD,
            ..running()
        };
        assert_eq!(next(DeletionPolicy::Delete, &late), Step::KeepEvidence);
        let hopeless = Facts {
            given_up: true,
            ..late
        };
        assert_eq!(next(DeletionPolicy::Delete, &hopeless), Step::Destroy);
        assert_eq!(next(DeletionPolicy::Retain, &hopeless), Step::Release);
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
