//! Which priority classes and runtime classes there are. A pod of one that is not there would not be made, and
//! the one before it would be gone.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::{node::v1::RuntimeClass, scheduling::v1::PriorityClass};
use kube::{ResourceExt, core::ApiResource};
use pavilion_catalogue::{Entry, manifest};
use pavilion_crds::PlanSpec;

use super::watching::News;

/// A sort of class of the cluster's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClassKind {
    /// How important a pod is.
    Priority,
    /// What a pod runs in.
    Runtime,
}

impl ClassKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Priority, Self::Runtime];

    /// As the API serves it.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::Priority => ApiResource::erase::<PriorityClass>(&()),
            Self::Runtime => ApiResource::erase::<RuntimeClass>(&()),
        }
    }

    /// As in `kind:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Priority => "PriorityClass",
            Self::Runtime => "RuntimeClass",
        }
    }

    const fn missing(self) -> &'static Entry {
        match self {
            Self::Priority => &manifest::PRIORITY_CLASS_UNKNOWN,
            Self::Runtime => &manifest::RUNTIME_CLASS_UNKNOWN,
        }
    }

    fn named_by(self, plan: &PlanSpec) -> Option<&String> {
        match self {
            Self::Priority => plan.priority_class_name.as_ref(),
            Self::Runtime => plan.runtime_class_name.as_ref(),
        }
    }
}

/// The names of all.
#[derive(Debug, Default)]
pub struct Classes(Mutex<HashSet<(ClassKind, String)>>);

impl Classes {
    /// Takes note of what the watch of one sort tells; whether one came or went.
    pub fn hear(&self, kind: ClassKind, news: News) -> bool {
        let mut known = self.lock();
        match news {
            News::Seen(object) => known.insert((kind, object.name_any())),
            News::Gone(object) => known.remove(&(kind, object.name_any())),
            News::Listed(places) => {
                let before = known.len();
                known.retain(|(of, name)| *of != kind || places.contains(&(None, name.clone())));
                known.len() != before
            }
        }
    }

    /// Whether every class that a plan names is there.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self, plan: &PlanSpec) -> Result<(), (&'static Entry, String)> {
        let known = self.lock();
        for kind in ClassKind::ALL {
            if let Some(name) = kind.named_by(plan)
                && !known.contains(&(kind, name.clone()))
            {
                return Err((
                    kind.missing(),
                    format!("there is no {} {name}", kind.name()),
                ));
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(ClassKind, String)>> {
        // Every change is one call on the set, so a panic elsewhere leaves nothing half made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kube::core::DynamicObject;
    use serde_json::json;

    use super::*;

    fn class(name: &str) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
    }

    fn plan() -> PlanSpec {
        serde_json::from_value(json!({"priorityClassName": "high", "runtimeClassName": "gvisor"}))
            .unwrap()
    }

    #[test]
    fn a_class_that_is_not_there_is_named_and_one_of_the_other_sort_does_not_do() {
        let classes = Classes::default();
        classes.check(&PlanSpec::default()).unwrap();
        let reason = |classes: &Classes| classes.check(&plan()).unwrap_err().0.code;
        assert_eq!(reason(&classes), "PriorityClassUnknown");
        assert!(classes.hear(ClassKind::Priority, News::Seen(class("high"))));
        assert!(!classes.hear(ClassKind::Priority, News::Seen(class("high"))));
        classes.hear(ClassKind::Priority, News::Seen(class("gvisor")));
        assert_eq!(reason(&classes), "RuntimeClassUnknown");
        classes.hear(ClassKind::Runtime, News::Seen(class("gvisor")));
        classes.check(&plan()).unwrap();
        assert!(classes.hear(ClassKind::Runtime, News::Listed(HashSet::new())));
        assert_eq!(reason(&classes), "RuntimeClassUnknown");
    }
}
