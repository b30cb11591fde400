//! Where a Tenant stands in its life, in one word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{Condition, ConditionStatus};

/// The reason of `Suspended` for a tenant whose programs are stopped too.
const HIBERNATED: &str = "Hibernated";

/// Where a Tenant stands in its life. It sums up the conditions for people; programs go by these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TenantPhase {
    /// Nothing is made for it: it belongs to another region, or nothing of it was accepted yet.
    Pending,
    /// It is not as it is to be yet, or not any more; the conditions say why.
    Provisioning,
    /// It answers.
    Ready,
    /// The edge refuses its requests; its programs run on.
    Suspended,
    /// The edge refuses its requests, and nothing of it runs.
    Hibernated,
    /// It is being deleted.
    Terminating,
}

impl TenantPhase {
    /// The phase that these conditions of a Tenant come to.
    pub fn of(conditions: &[Condition]) -> Self {
        let find = |type_: &str| conditions.iter().find(|found| found.type_ == type_);
        let is = |type_, status| find(type_).is_some_and(|found| found.status == status);
        let (yes, no) = (ConditionStatus::True, ConditionStatus::False);
        if is("Terminating", yes) {
            return Self::Terminating;
        }
        if let Some(closed) = find("Suspended").filter(|found| found.status == yes) {
            return if closed.reason == HIBERNATED {
                Self::Hibernated
            } else {
                Self::Suspended
            };
        }
        if is("Ready", yes) {
            return Self::Ready;
        }
        let unmade = is("Placed", no) || (is("Accepted", no) && !is("Programmed", yes));
        if conditions.is_empty() || unmade {
            Self::Pending
        } else {
            Self::Provisioning
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConditionStatus::{False, True, Unknown};

    fn phase(conditions: &[(&str, ConditionStatus, &str)]) -> TenantPhase {
        let condition = |&(type_, status, reason): &(&str, ConditionStatus, &str)| Condition {
            type_: type_.to_owned(),
            status,
            reason: reason.to_owned(),
            message: String::new(),
            last_transition_time: String::new(),
            observed_generation: 1,
        };
        let conditions: Vec<Condition> = conditions.iter().map(condition).collect();
        TenantPhase::of(&conditions)
    }

    #[test]
    fn a_tenant_of_which_nothing_is_made_is_pending() {
        assert_eq!(phase(&[]), TenantPhase::Pending);
        let elsewhere = [
            ("Placed", False, "PlacedElsewhere"),
            ("Ready", False, "PlacedElsewhere"),
        ];
        assert_eq!(phase(&elsewhere), TenantPhase::Pending);
        let refused = [
            ("Accepted", False, "FieldInvalid"),
            ("Programmed", False, "Progressing"),
            ("Ready", False, "FieldInvalid"),
        ];
        assert_eq!(phase(&refused), TenantPhase::Pending);
    }

    #[test]
    fn one_that_is_on_its_way_or_not_as_it_is_to_be_is_provisioning() {
        let starting = [
            ("Accepted", True, "Accepted"),
            ("Suspended", False, "Ready"),
            ("Ready", False, "Progressing"),
        ];
        assert_eq!(phase(&starting), TenantPhase::Provisioning);
        // What was accepted before serves on.
        let edited = [
            ("Accepted", False, "FieldInvalid"),
            ("Programmed", True, "Ready"),
            ("Ready", False, "FieldInvalid"),
        ];
        assert_eq!(phase(&edited), TenantPhase::Provisioning);
        let unwatched = [("Ready", Unknown, "OperatorStopped")];
        assert_eq!(phase(&unwatched), TenantPhase::Provisioning);
    }

    #[test]
    fn one_that_answers_is_ready_also_when_it_was_deleted_and_is_protected() {
        let protected = [
            ("Terminating", False, "DeletionProtected"),
            ("Ready", True, "Ready"),
        ];
        assert_eq!(phase(&protected), TenantPhase::Ready);
    }

    #[test]
    fn what_its_owner_asked_for_comes_before_what_follows_from_it() {
        let closed = |reason| {
            [
                ("Accepted", True, "Accepted"),
                ("Suspended", True, reason),
                ("Ready", False, reason),
            ]
        };
        assert_eq!(phase(&closed("Suspended")), TenantPhase::Suspended);
        assert_eq!(phase(&closed("Hibernated")), TenantPhase::Hibernated);
        let ending = [
            ("Suspended", True, "Suspended"),
            ("Terminating", True, "Terminating"),
        ];
        assert_eq!(phase(&ending), TenantPhase::Terminating);
    }
}
