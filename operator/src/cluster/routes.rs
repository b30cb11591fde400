//! What routers serve, told by every replica.
//!
//! Two watches ([`known`]) see the Secrets that say what a tenant shows and lets in ([`entry`]) and the pods
//! that answer for tenants ([`address`]); together they come to a table ([`table`]), which is published
//! whenever it changes ([`snapshot`]) and streamed to whoever proves to be a router ([`service`],
//! [`door`]). Nothing here is written but the certificates of that conversation, by the leader
//! ([`identities`]), who also asks routers how far they are ([`routers`]).
//!
//! Guarantees: the table is made of what is in the cluster alone, so every replica comes to the same
//! one. What one tenant's Secret says wrong costs that tenant its routes and no other.

mod address;
mod door;
mod entry;
mod file;
mod held;
mod identities;
mod known;
mod metrics;
mod routers;
mod service;
mod snapshot;
mod table;

use std::{net::SocketAddr, sync::Arc};

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Api, Client, runtime::watcher};
use pavilion_process::{Health, Metrics};
use tokio::{sync::watch, task::AbortHandle};

pub use self::{address::Address, held::Held, known::Position, routers::Routers};
use self::{
    door::Door,
    identities::Identities,
    known::Known,
    metrics::RouteMetrics,
    snapshot::{Published, publish},
};
use super::{lease::Fence, triggers::Triggers, watching::follow};

/// The label that says what a Secret of the operator's is for, and its value for those of tenants.
const KEYRINGS: &str = "pavilion.dev/role=keyring";
const DATA_PLANES: &str = "app.kubernetes.io/component=data-plane";
const ROUTERS: &str = "app.kubernetes.io/name=pavilion,app.kubernetes.io/component=router";

/// All of it, at work. Ends when dropped.
pub struct Routes {
    client: Client,
    namespace: String,
    routers: Arc<Routers>,
    held: Arc<Held>,
    tasks: Vec<AbortHandle>,
}

impl Routes {
    /// Begins to watch, and to tell routers at `listen` once there is something to tell. The check
    /// `routes` says whether it does. Call it inside a runtime.
    pub fn start(
        client: &Client,
        namespace: &str,
        listen: SocketAddr,
        triggers: &Triggers,
        (health, metrics): (&Health, &Metrics),
    ) -> Self {
        let check = health.register_check("routes");
        check.set_failed(
            "the first lists of Secrets and pods are not there yet; the API server may be away",
        );
        let counted = metrics.register(RouteMetrics::register);
        let known = Arc::new(Known::new(counted.clone()));
        let routers = Arc::new(Routers::new(triggers.clone()));
        let held = Arc::new(Held::new(triggers.clone()));
        let (tell, published) = watch::channel(Published::default());
        let door = Door {
            secrets: Api::namespaced(client.clone(), namespace),
            listen,
            published,
            check,
            health: health.clone(),
            registry: metrics.clone(),
            metrics: counted.clone(),
        };
        let mut started = Self {
            client: client.clone(),
            namespace: namespace.to_owned(),
            routers: Arc::clone(&routers),
            held: Arc::clone(&held),
            tasks: Vec::new(),
        };
        started.watch(&known);
        started.watch_routers(&routers);
        started.spawn(publish(known, held, tell, counted));
        started.spawn(door.open());
        started
    }

    /// What only the replica that writes does: keeps the certificates of the stream, and asks routers
    /// how far they are. To be called once the lease is held.
    pub fn lead(&mut self, fence: Fence) {
        let identities = Identities::new(&self.client, &self.namespace, fence);
        self.spawn(identities.keep());
        self.spawn(Arc::clone(&self.routers).ask());
    }

    /// What routers serve. Only the replica that writes knows.
    pub fn routers(&self) -> Arc<Routers> {
        Arc::clone(&self.routers)
    }

    /// Who has which host.
    pub fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held)
    }

    fn watch(&mut self, known: &Arc<Known>) {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let config = watcher::Config::default().labels(KEYRINGS);
        let hearing = Arc::clone(known);
        self.spawn(follow(secrets, config, "Secret", move |news| {
            hearing.hear_secret(news);
        }));
        let pods: Api<Pod> = Api::all(self.client.clone());
        let config = watcher::Config::default().labels(DATA_PLANES);
        let hearing = Arc::clone(known);
        self.spawn(follow(pods, config, "Pod", move |news| {
            hearing.hear_pod(news);
        }));
    }

    fn watch_routers(&mut self, routers: &Arc<Routers>) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let config = watcher::Config::default().labels(ROUTERS);
        let hearing = Arc::clone(routers);
        self.spawn(follow(pods, config, "Pod", move |news| hearing.hear(news)));
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task).abort_handle());
    }
}

impl Drop for Routes {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
