//! The tenants' pods as the API server has them: where each is, and what the kubelet says of it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use pavilion_bundle::TenantName;

use super::{
    owned::{TENANT_LABEL, namespace_of},
    pod::{BUNDLE_ANNOTATION, KEYS_ANNOTATION, NAME, PROBE_CONTAINER},
    routes::Address,
    triggers::Triggers,
    watching::{News, Place, version},
};
use crate::host::Program;

/// The pod of each tenant.
#[derive(Debug, Default)]
pub struct Pods {
    /// With the resource version of the last change of what is kept.
    seen: Mutex<HashMap<TenantName, (u64, TenantPod)>>,
}

/// One tenant's pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantPod {
    /// Another one for each pod, also of the same name.
    pub uid: String,
    /// Where it is reached, once it has a place.
    pub address: Option<IpAddr>,
    /// Where its node is.
    pub node: Option<IpAddr>,
    /// Whether the edge sends requests to it: it is ready to the kubelet, or has been, and stays.
    pub routable: bool,
    /// The digest of the bundle that it was last told to serve.
    pub told: Option<String>,
    /// The digest of the keys that it was last told to use.
    pub told_keys: Option<String>,
    /// Why it has no place, or what else the scheduler and the kubelet say of the whole of it.
    pub trouble: Option<String>,
    /// Whether its probe runs.
    pub probe_runs: bool,
    /// Of each program.
    pub containers: Vec<ProgramInPod>,
}

/// A program's container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramInPod {
    /// The program.
    pub program: Program,
    /// Whether its process runs.
    pub running: bool,
    /// Whether the kubelet found it ready.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u64,
    /// Why it does not run.
    pub trouble: Option<String>,
}

impl Pods {
    /// The pod of a tenant, if there is one.
    pub fn of(&self, tenant: &TenantName) -> Option<TenantPod> {
        self.lock().get(tenant).map(|(_, pod)| pod.clone())
    }

    /// The change that made it what it is.
    pub fn version_of(&self, tenant: &TenantName) -> Option<u64> {
        self.lock().get(tenant).map(|(version, _)| *version)
    }

    /// Takes note of what the watch tells.
    pub fn hear(&self, news: News<Pod>, triggers: &Triggers) {
        match news {
            News::Seen(object) => {
                let version = version(&object.metadata);
                if let Some((tenant, pod)) = look(object) {
                    let mut seen = self.lock();
                    let before = seen.get(&tenant).map(|(_, before)| before);
                    // The first that is heard of each is a pod of which there is nothing to tell yet.
                    let tells = before.is_some() || !pod.is_blank();
                    if before != Some(&pod) {
                        seen.insert(tenant.clone(), (version, pod));
                        if tells {
                            triggers.tenant(&tenant);
                        }
                    }
                }
            }
            News::Gone(object) => {
                if let Some((tenant, gone)) = look(object) {
                    let mut seen = self.lock();
                    if seen
                        .get(&tenant)
                        .is_some_and(|(_, pod)| pod.uid == gone.uid)
                    {
                        seen.remove(&tenant);
                        triggers.tenant(&tenant);
                    }
                }
            }
            News::Listed(places) => self.lock().retain(|tenant, _| {
                let place: Place = (Some(namespace_of(tenant)), pod_name());
                let kept = places.contains(&place);
                if !kept {
                    triggers.tenant(tenant);
                }
                kept
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantName, (u64, TenantPod)>> {
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TenantPod {
    /// Whether nobody has taken it yet, nor said why not: as far as the tenant is concerned it is as if there were none.
    pub fn is_blank(&self) -> bool {
        self.address.is_none() && self.trouble.is_none() && self.containers.is_empty()
    }
}

/// The name of a tenant's one pod.
pub fn pod_name() -> String {
    format!("{NAME}-0")
}

/// What is kept of a pod; `None` for one that is no tenant's data plane, whatever its labels say.
fn look(pod: Pod) -> Option<(TenantName, TenantPod)> {
    let routable = Address::of(&pod).is_some();
    let metadata = pod.metadata;
    let tenant: TenantName = metadata.labels?.get(TENANT_LABEL)?.parse().ok()?;
    let ours = metadata.namespace? == namespace_of(&tenant) && metadata.name? == pod_name();
    let owners = metadata.owner_references.unwrap_or_default();
    let made_for_us = owners.iter().any(|owner| {
        owner.kind == "StatefulSet" && owner.name == NAME && owner.controller == Some(true)
    });
    if !(ours && made_for_us) {
        return None;
    }
    let status = pod.status.unwrap_or_default();
    let annotations = metadata.annotations.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let unscheduled = conditions
        .iter()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    let trouble = unscheduled.and_then(|condition| condition.message.clone());
    let statuses = status.init_container_statuses.unwrap_or_default();
    let statuses = statuses
        .iter()
        .chain(status.container_statuses.iter().flatten());
    let is_probe_that_runs = |status: &&ContainerStatus| {
        let state = status.state.as_ref();
        status.name == PROBE_CONTAINER && state.is_some_and(|state| state.running.is_some())
    };
    let pod = TenantPod {
        uid: metadata.uid?,
        address: status.pod_ip.and_then(|address| address.parse().ok()),
        node: status.host_ip.and_then(|address| address.parse().ok()),
        routable,
        told: annotations.get(BUNDLE_ANNOTATION).cloned(),
        told_keys: annotations.get(KEYS_ANNOTATION).cloned(),
        trouble: trouble.or(status.message),
        probe_runs: statuses.clone().any(|status| is_probe_that_runs(&status)),
        containers: statuses.filter_map(container).collect(),
    };
    Some((tenant, pod))
}

fn container(status: &ContainerStatus) -> Option<ProgramInPod> {
    let program = Program::OF_TENANT
        .into_iter()
        .find(|program| program.name() == status.name)?;
    let state = status.state.as_ref();
    let running = state.is_some_and(|state| state.running.is_some());
    let waiting = state.and_then(|state| state.waiting.as_ref());
    let ended = state
        .and_then(|state| state.terminated.as_ref())
        .or_else(|| status.last_state.as_ref()?.terminated.as_ref());
    let waits = waiting.and_then(|waiting| {
        let reason = waiting.reason.clone()?;
        Some(match &waiting.message {
            Some(message) => format!("{reason}: {message}"),
            None => reason,
        })
    });
    let ended = ended.map(|ended| {
        let reason = ended.reason.as_deref().unwrap_or("ended");
        format!("{reason}, exit code {}", ended.exit_code)
    });
    let trouble = match (waits, ended) {
        (Some(waits), Some(ended)) => Some(format!("{waits} (the last time: {ended})")),
        (waits, ended) => waits.or(ended),
    };
    Some(ProgramInPod {
        program,
        running,
        ready: status.ready,
        restarts: u64::try_from(status.restart_count).unwrap_or(0),
        trouble: trouble.filter(|_| !running),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::triggers::triggers;

    fn pod(change: impl FnOnce(&mut Value)) -> Option<(TenantName, TenantPod)> {
        look(object(change))
    }

    fn object(change: impl FnOnce(&mut Value)) -> Pod {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "data-plane-0", "namespace": "pavilion-acme", "uid": "u1",
                "labels": {TENANT_LABEL: "acme"}, "annotations": {BUNDLE_ANNOTATION: "sha-256:aa"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "data-plane", "uid": "s", "controller": true}],
            },
            "spec": {"containers": []},
            "status": {
                "podIP": "10.1.2.3", "conditions": [{"type": "Ready", "status": "True"}],
                "initContainerStatuses": [{"name": "probe", "ready": true, "restartCount": 0, "image": "i", "imageID": "",
                    "state": {"running": {}}}, {"name": "signer", "ready": true, "restartCount": 1, "image": "i", "imageID": "",
                    "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 65, "reason": "Error"}}}],
                "containerStatuses": [{"name": "verifier", "ready": false, "restartCount": 2, "image": "i", "imageID": "",
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                    "lastState": {"terminated": {"exitCode": 78, "reason": "Error"}}}],
            },
        });
        change(&mut pod);
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn a_program_that_does_not_run_says_why_and_one_that_runs_again_does_not() {
        let (tenant, pod) = pod(|_| {}).unwrap();
        assert_eq!(tenant.as_str(), "acme");
        assert_eq!(pod.address, Some("10.1.2.3".parse().unwrap()));
        assert_eq!(pod.told.as_deref(), Some("sha-256:aa"));
        assert!(pod.routable && pod.probe_runs);
        let [signer, verifier] = &pod.containers[..] else {
            unreachable!("two containers");
        };
        assert!(signer.running && signer.ready && signer.trouble.is_none());
        assert_eq!(
            verifier.trouble.as_deref(),
            Some("CrashLoopBackOff: back-off 10s (the last time: Error, exit code 78)")
        );
    }

    #[test]
    fn a_pod_without_a_place_says_why() {
        let (_, pod) = pod(|pod| {
            pod["status"] = json!({"podIP": null, "conditions": [
                {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"},
            ]});
        })
        .unwrap();
        assert_eq!(pod.trouble.as_deref(), Some("0/1 nodes are available"));
        assert!(pod.address.is_none() && !pod.routable);
    }

    #[test]
    fn a_pod_that_nobody_has_taken_yet_is_no_reason_to_look_at_its_tenant_and_what_becomes_of_it_is()
     {
        let (pods, (triggers, mut told)) = (Pods::default(), triggers());
        let mut hears = |version: &str, status: Value| {
            let pod = object(|pod| {
                pod["metadata"]["resourceVersion"] = json!(version);
                pod["status"] = status;
            });
            pods.hear(News::Seen(pod), &triggers);
            told.try_recv().is_ok()
        };
        let place = json!({"podIP": "10.1.2.3"});
        assert!(!hears("1", json!({})));
        assert!(hears("2", place.clone()) && !hears("3", place));
        assert!(hears("4", json!({})), "another took its place");
        assert!(pods.of(&"acme".parse().unwrap()).unwrap().is_blank());
    }

    #[test]
    fn a_pod_that_only_calls_itself_a_tenants_data_plane_is_none() {
        assert!(pod(|pod| pod["metadata"]["namespace"] = json!("pavilion-beta")).is_none());
        assert!(pod(|pod| pod["metadata"]["name"] = json!("data-plane-1")).is_none());
        assert!(pod(|pod| pod["metadata"]["ownerReferences"] = json!([])).is_none());
    }
}
