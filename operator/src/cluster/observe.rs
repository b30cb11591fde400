//! What is: what a tenant's programs say of themselves, and what the kubelet says of those that say nothing.

use std::net::SocketAddr;

use futures::future::join_all;
use jiff::Timestamp;
use pavilion_bundle::TenantName;

use super::{
    isolation::HEALTH_PORTS,
    pods::{ProgramInPod, TenantPod},
};
use crate::host::{ChildState, Observed, ObservedTenant, Phase, Program, Report, ask_at};

/// The programs in the order of [`HEALTH_PORTS`].
const ASKED: [Program; 3] = [Program::Verifier, Program::Signer, Program::Auditor];

/// The edge as a tenant is served by it.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// What is amiss with one of its replicas.
    pub trouble: Option<String>,
    /// Whether every replica serves the tenant, or refuses its requests, as it is to now.
    pub serves: bool,
}

/// Asks the programs of a tenant how they are. Of one that is not `closed` the edge must have the pod. Of a pod that nobody
/// has taken nothing is told: nothing of the tenant runs then.
pub async fn observe(
    tenant: &TenantName,
    pod: Option<&TenantPod>,
    certificate_until: Option<Timestamp>,
    edge: Edge,
    closed: bool,
) -> Observed {
    let router = ChildState {
        phase: edge
            .trouble
            .as_ref()
            .map_or(Phase::Ready, |_| Phase::Fallen),
        fell: edge.trouble,
        ..ChildState::default()
    };
    let mut observed = Observed {
        router,
        // A program may call itself ready before the kubelet has asked it, and the edge goes by the kubelet.
        routes_served: edge.serves && (closed || pod.is_some_and(|pod| pod.routable)),
        ..Observed::default()
    };
    if let Some(until) = certificate_until {
        observed.certificates.insert(tenant.clone(), until);
    }
    if let Some(pod) = pod.filter(|pod| !pod.is_blank()) {
        let states = join_all((0..ASKED.len()).map(|index| state(pod, index))).await;
        let mut states = states.into_iter();
        let children = ASKED.map(|program| (program, states.next().unwrap_or_default()));
        let programs = ObservedTenant { children };
        observed.tenants.insert(tenant.clone(), programs);
    }
    observed
}

async fn state(pod: &TenantPod, index: usize) -> ChildState {
    let container = pod
        .containers
        .iter()
        .find(|container| container.program == ASKED[index]);
    let report = match (pod.address, container) {
        (Some(address), Some(container)) if container.running => {
            ask_at(SocketAddr::new(address, HEALTH_PORTS[index])).await
        }
        _ => None,
    };
    judge(pod.trouble.as_deref(), container, report)
}

/// What a program's container and its own words come to.
fn judge(
    pod_trouble: Option<&str>,
    container: Option<&ProgramInPod>,
    report: Option<Report>,
) -> ChildState {
    let Some(container) = container else {
        // No kubelet has taken the pod yet, or nothing of it was started.
        return ChildState {
            phase: pod_trouble.map_or(Phase::Waiting, |_| Phase::Fallen),
            fell: pod_trouble.map(str::to_owned),
            ..ChildState::default()
        };
    };
    let phase = match (&report, container.running) {
        (Some(report), true) if report.ready => Phase::Ready,
        (Some(_), true) if container.ready => Phase::Troubled,
        (_, true) => Phase::Starting,
        (_, false) if container.trouble.is_some() => Phase::Fallen,
        (_, false) => Phase::Waiting,
    };
    ChildState {
        phase,
        pid: None,
        restarts: container.restarts,
        report,
        fell: container.trouble.clone(),
        was_ready: container.ready,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn container(running: bool, trouble: Option<&str>) -> ProgramInPod {
        ProgramInPod {
            program: Program::Signer,
            running,
            ready: false,
            restarts: 3,
            trouble: trouble.map(str::to_owned),
        }
    }

    #[test]
    fn a_program_is_ready_when_it_says_so_itself() {
        let ready = Report {
            ready: true,
            ..Report::default()
        };
        let state = judge(None, Some(&container(true, None)), Some(ready));
        assert!(state.is_ready() && state.restarts == 3);
        let silent = judge(None, Some(&container(true, None)), None);
        assert_eq!(silent.trouble().unwrap(), "does not answer yet");
    }

    #[test]
    fn a_program_that_does_not_run_has_the_kubelets_words() {
        let state = judge(
            None,
            Some(&container(false, Some("ErrImagePull: none"))),
            None,
        );
        assert_eq!(state.trouble().unwrap(), "ErrImagePull: none");
        let unplaced = judge(Some("0/1 nodes are available"), None, None);
        assert_eq!(unplaced.trouble().unwrap(), "0/1 nodes are available");
        assert!(judge(None, None, None).trouble().unwrap().contains("waits"));
    }
}
