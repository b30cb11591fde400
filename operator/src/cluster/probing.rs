//! Whether a tenant is isolated, by what was tried: from its own pod, and by a neighbour that nobody confines.
//!
//! What is tried ([`tries`]) follows from the [`surroundings`] and from the tenant. The probes are asked about it
//! ([`ask`]) at each look at the tenant, which keeps them trying; nothing of that is written to the API server. What
//! they tell comes to one [`verdict`].

mod ask;
mod neighbours;
mod surroundings;
mod tries;
mod verdict;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::OptionFuture;
use kube::Client;
use pavilion_bundle::TenantName;
use pavilion_probe::Told;

pub use surroundings::Surroundings;
pub use verdict::Isolation;

use self::{
    neighbours::Neighbours,
    tries::{Facts, Tries},
    verdict::{Seen, judge},
};
use super::{
    isolation::{PROBE_PORT, fetches},
    memory::Memory,
    metrics::ClusterMetrics,
    pods::TenantPod,
};
use crate::host::{Observed, Program};

/// What is known about how tenants are isolated.
pub struct Probing {
    surroundings: Surroundings,
    neighbours: Arc<Neighbours>,
    /// The word for how each tenant is, as it is counted.
    counted: Mutex<HashMap<TenantName, &'static str>>,
    metrics: ClusterMetrics,
}

impl Probing {
    /// Follows the neighbours of an operator in this namespace.
    pub fn start(
        client: &Client,
        namespace: &str,
        surroundings: Surroundings,
        metrics: ClusterMetrics,
    ) -> Self {
        Self {
            surroundings,
            neighbours: Neighbours::follow(client, namespace),
            counted: Mutex::default(),
            metrics,
        }
    }

    /// Asks both probes about a tenant and judges.
    pub async fn of(
        &self,
        tenant: &TenantName,
        pod: Option<&TenantPod>,
        memory: &Memory,
        observed: &Observed,
    ) -> Isolation {
        let found = pod.and_then(|pod| Some((pod, pod.address?)));
        let isolation = match found {
            Some((pod, address)) => self.ask(tenant, pod, address, memory, observed).await,
            None => Isolation::not_all_runs(),
        };
        self.count(tenant, Some(isolation.word()));
        isolation
    }

    /// Counts a tenant that is gone no longer.
    pub fn forget(&self, tenant: &TenantName) {
        self.count(tenant, None);
    }

    async fn ask(
        &self,
        tenant: &TenantName,
        pod: &TenantPod,
        address: IpAddr,
        memory: &Memory,
        observed: &Observed,
    ) -> Isolation {
        let neighbour = self.neighbours.any();
        let in_force = memory.in_force.as_ref();
        let is_ready = |program: &Program| {
            let tenant = observed.tenants.get(tenant);
            let child = tenant.and_then(|tenant| tenant.child(*program));
            child.is_some_and(crate::host::ChildState::is_ready)
        };
        let facts = Facts {
            pod: address,
            node: pod.node,
            ready: Program::OF_TENANT.into_iter().filter(is_ready).collect(),
            names_allowed: in_force.is_some_and(|in_force| fetches(&in_force.desired)),
        };
        let tries = Tries::of(&self.surroundings, neighbour, &facts);
        let inside = SocketAddr::new(address, PROBE_PORT);
        let neighbour = neighbour.map(|address| SocketAddr::new(address, PROBE_PORT));
        let (of_pod, of_neighbour) = (tries.of_pod(tenant), tries.of_neighbour(tenant, &facts));
        let inside = pod.probe_runs.then(|| ask::ask(inside, &of_pod));
        let outside = neighbour.map(|address| ask::ask(address, &of_neighbour));
        let (inside, outside): (Option<Option<Told>>, Option<Option<Told>>) =
            tokio::join!(OptionFuture::from(inside), OptionFuture::from(outside));
        judge(&Seen {
            tries: &tries,
            complete: facts.ready.len() == Program::OF_TENANT.len(),
            neighbour_runs: neighbour.is_some(),
            inside: inside.flatten().as_ref(),
            neighbour: outside.flatten().as_ref(),
        })
    }

    fn count(&self, tenant: &TenantName, now: Option<&'static str>) {
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match now {
            Some(word) => counted.insert(tenant.clone(), word),
            None => counted.remove(tenant),
        };
        self.metrics.isolation(before, now);
    }
}
