//! Where a tenant's pod answers.

use std::net::IpAddr;

use k8s_openapi::{
    api::core::v1::{Pod, PodCondition},
    apimachinery::pkg::apis::meta::v1::Time,
};
use pavilion_bundle::TenantName;

use crate::cluster::{
    owned::{TENANT_LABEL, namespace_of},
    pods::pod_name,
};

/// A pod that routes may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whose it is.
    pub tenant: TenantName,
    /// Where it is.
    pub ip: IpAddr,
}

impl Address {
    /// The address of a tenant's pod that is, or has been, ready: a short while without an answer is
    /// told to clients as such, which says more than a host that nobody knows. `None` for any other, and
    /// for one that is to go: it answers what it has, and what comes now waits for the next.
    pub fn of(pod: &Pod) -> Option<Self> {
        let metadata = &pod.metadata;
        let label = metadata.labels.as_ref()?.get(TENANT_LABEL)?;
        let tenant: TenantName = label.parse().ok()?;
        // A label alone can be set by whoever may make a pod anywhere.
        let is_theirs = metadata.namespace.as_deref() == Some(&namespace_of(&tenant));
        let goes = metadata.deletion_timestamp.is_some();
        if !is_theirs || goes || metadata.name != Some(pod_name()) || !was_ready(pod) {
            return None;
        }
        let ip = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
        Some(Self { tenant, ip })
    }
}

/// Whether the pod is ready.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Whether the pod is ready or has been. A condition's time is that of its last change, and a pod begins
/// unready and uninitialised: one that became unready after it was initialised was ready in
/// between. So every replica comes to the same answer, whatever it has seen itself.
fn was_ready(pod: &Pod) -> bool {
    let since = |name| condition(pod, name).and_then(|found| found.last_transition_time.as_ref());
    is_ready(pod)
        || match (since("Ready"), since("Initialized")) {
            (Some(Time(unready)), Some(Time(begun))) => {
                unready > begun
                    && condition(pod, "Initialized").is_some_and(|found| found.status == "True")
            }
            _ => false,
        }
}

fn condition<'a>(pod: &'a Pod, name: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == name)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    /// A tenant's pod with such conditions: name, status, and since when.
    pub fn pod(tenant: &str, ip: &str, version: u64, conditions: &[(&str, &str, i64)]) -> Pod {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(name, status, since)| {
                let since = Timestamp::from_second(*since).unwrap();
                json!({"type": name, "status": status, "lastTransitionTime": since.to_string()})
            })
            .collect();
        serde_json::from_value(json!({
            "metadata": {"name": pod_name(), "namespace": format!("pavilion-{tenant}"), "uid": tenant,
                "resourceVersion": version.to_string(), "labels": {TENANT_LABEL: tenant}},
            "status": {"podIP": ip, "conditions": conditions},
        }))
        .unwrap()
    }

    #[test]
    fn a_pod_is_routed_to_from_when_it_was_ready_for_the_first_time() {
        let at = |conditions: &[(&str, &str, i64)]| {
            Address::of(&pod("acme", "10.1.2.3", 1, conditions)).map(|found| found.ip.to_string())
        };
        let ip = Some("10.1.2.3".to_owned());
        assert_eq!(at(&[]), None);
        assert_eq!(
            at(&[("Initialized", "False", 1), ("Ready", "False", 1)]),
            None
        );
        assert_eq!(
            at(&[("Initialized", "True", 3), ("Ready", "False", 1)]),
            None
        );
        assert_eq!(at(&[("Initialized", "True", 3), ("Ready", "True", 5)]), ip);
        assert_eq!(at(&[("Initialized", "True", 3), ("Ready", "False", 9)]), ip);
        assert_eq!(at(&[("Ready", "True", 5)]), ip);
    }

    #[test]
    fn nothing_more_is_sent_to_a_pod_that_is_to_go() {
        let mut pod = pod("acme", "10.1.2.3", 1, &[("Ready", "True", 5)]);
        assert!(Address::of(&pod).is_some());
        pod.metadata.deletion_timestamp = Some(Time(Timestamp::from_second(9).unwrap()));
        assert_eq!(Address::of(&pod), None);
    }

    #[test]
    fn a_pod_elsewhere_or_of_another_name_answers_for_nobody() {
        let ready = [("Ready", "True", 5)];
        let mut stranger = pod("acme", "10.1.2.3", 1, &ready);
        stranger.metadata.namespace = Some("pavilion-beta".to_owned());
        assert_eq!(Address::of(&stranger), None);
        let mut other = pod("acme", "10.1.2.3", 1, &ready);
        other.metadata.name = Some("debug".to_owned());
        assert_eq!(Address::of(&other), None);
        assert_eq!(Address::of(&pod("acme", "nowhere", 1, &ready)), None);
    }
}
