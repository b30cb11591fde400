//! How much a tenant gets: its plan as it is in force, and how large its volumes were made.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity,
};
use pavilion_crds::{Bytes, PlanSpec, Resources, Share, Storage};
use serde::{Deserialize, Serialize};

/// Of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sizing {
    /// Its plan.
    pub plan: PlanSpec,
    /// What its volumes were made with: the API server lets nobody say otherwise of those of a `StatefulSet`.
    pub made_with: Storage,
    /// The class that they were made of, empty for the cluster's default. The same holds for it. Not remembered by a release
    /// before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// The volume of the token, which a plan has no need to choose.
const TOKEN: Bytes = Bytes::mebi(64);

/// What the probe gets, whatever the plan.
pub const PROBE: Resources = Resources {
    requests: Share::of(5, 16),
    limits: Share::of(200, 48),
};

impl Sizing {
    /// The sizing by a plan, with volumes of a class; those that are there keep their sizes and their class.
    pub fn by(plan: PlanSpec, class: Option<&str>, before: Option<&Self>) -> Self {
        let made_with = before.map_or(plan.storage, |before| before.made_with);
        let known = before.and_then(|before| before.storage_class.clone());
        Self {
            plan,
            made_with,
            storage_class: known.or_else(|| Some(class.unwrap_or_default().to_owned())),
        }
    }

    /// The class of the volumes, where new ones get `class`; none for the cluster's default.
    pub fn class<'a>(&'a self, class: Option<&'a str>) -> Option<&'a str> {
        let class = self.storage_class.as_deref().or(class);
        class.filter(|class| !class.is_empty())
    }

    /// The volumes, by name.
    pub const fn volumes(&self) -> [(&'static str, Bytes); 3] {
        let Storage { log, state } = self.made_with;
        [("token", TOKEN), ("log", log), ("state", state)]
    }

    /// As much as may be claimed: what was, and what the plan says by now.
    pub fn storage(&self) -> Bytes {
        let (made, plan) = (self.made_with, self.plan.storage);
        TOKEN
            .and(made.log.max(plan.log))
            .and(made.state.max(plan.state))
    }

    /// What the whole pod is promised, and the most that it may take.
    pub fn pod(&self) -> Resources {
        let programs = self.plan.programs.each();
        programs.into_iter().fold(PROBE, |sum, one| Resources {
            requests: sum.requests.and(one.requests),
            limits: sum.limits.and(one.limits),
        })
    }
}

/// As Kubernetes has it.
pub fn quantity(amount: impl ToString) -> Quantity {
    Quantity(amount.to_string())
}

/// What a container is promised, and the most that it may take.
pub fn requirements(resources: Resources) -> ResourceRequirements {
    ResourceRequirements {
        requests: Some(amounts(resources.requests)),
        limits: Some(amounts(resources.limits)),
        claims: None,
    }
}

/// By their names.
pub fn amounts(share: Share) -> BTreeMap<String, Quantity> {
    BTreeMap::from([
        ("cpu".to_owned(), quantity(share.cpu)),
        ("memory".to_owned(), quantity(share.memory)),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn plan(storage: &Value) -> PlanSpec {
        serde_json::from_value(json!({"storage": storage})).unwrap()
    }

    #[test]
    fn volumes_keep_the_size_they_were_made_with_and_there_is_room_for_what_the_plan_says_now() {
        let small = Sizing::by(plan(&json!({"log": "2Gi", "state": "512Mi"})), None, None);
        let large = Sizing::by(plan(&json!({"log": "64Gi"})), None, Some(&small));
        assert_eq!(large.volumes(), small.volumes());
        assert_eq!(small.storage().to_string(), "2624Mi");
        assert_eq!(large.storage().to_string(), "66624Mi");
        assert_eq!(Sizing::by(small.plan.clone(), None, Some(&large)), small);
    }

    #[test]
    fn volumes_keep_the_class_they_were_made_of_whatever_new_ones_get() {
        let plan = || plan(&json!({}));
        for (made, kept) in [(Some("fast"), Some("fast")), (None, None)] {
            let before = Sizing::by(plan(), made, None);
            let now = Sizing::by(plan(), Some("slow"), Some(&before));
            assert_eq!(now.class(Some("slow")), kept);
        }
        // Of a release that did not remember it they are of what is asked for, as they were then.
        let mut before = Sizing::by(plan(), Some("fast"), None);
        before.storage_class = None;
        assert_eq!(before.class(Some("fast")), Some("fast"));
        let now = Sizing::by(plan(), Some("fast"), Some(&before));
        assert_eq!(now.class(Some("slow")), Some("fast"));
    }

    #[test]
    fn a_pod_is_promised_what_its_programs_and_the_probe_are() {
        let pod = Sizing::default().pod();
        assert_eq!(pod.requests.cpu.to_string(), "205m");
        assert_eq!(pod.requests.memory.to_string(), "160Mi");
        assert_eq!(
            (pod.limits.cpu.to_string(), pod.limits.memory.to_string()),
            ("4200m".into(), "944Mi".into())
        );
    }
}
