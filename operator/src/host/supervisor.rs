//! All programs of this host, brought to the desired state.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use futures::future::join_all;
use jiff::Timestamp;
use pavilion_bundle::{Closed, TenantName};
use pavilion_catalogue::Entry;
use pavilion_json::{Digest, JsonError};
use tokio::{task::JoinHandle, time::sleep};

use super::{
    Child, ChildId, ChildState, Gate, Platform, Program, Programs, StateDir, Surroundings,
    certificates::CertificateFailure,
    routes::{self, Routed},
    tenant::{Shown, TenantHost, Workshop},
};
use crate::{desired::Desired, records::Records};

/// How much longer than its drain a program may take to stop.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How long the router may take to let go of a tenant that stops.
const WITHDRAWAL: Duration = Duration::from_secs(2);

/// Why the desired state could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The state directory.
    #[error("the state directory: {0}")]
    Io(#[from] io::Error),
    /// A document without a JSON form.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// A server certificate.
    #[error("the server certificate: {0}")]
    Certificate(#[from] CertificateFailure),
}

/// The programs of this host.
#[derive(Debug)]
pub struct Host {
    state: Arc<StateDir>,
    platform: Platform,
    programs: Programs,
    surroundings: Surroundings,
    desired: Desired,
    router: Option<Child>,
    /// Those that run.
    tenants: BTreeMap<TenantName, TenantHost>,
    /// What the edge shows for each, also for one that hibernates.
    shown: BTreeMap<TenantName, Shown>,
    /// What stops, and the tenant it belongs to.
    leaving: Vec<Leaving>,
    routes: Option<Digest>,
}

#[derive(Debug)]
struct Leaving {
    tenant: TenantName,
    stopped: Vec<Gate>,
    task: JoinHandle<()>,
}

/// What is known of the programs of this host.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The shared edge.
    pub router: ChildState,
    /// By name; a tenant that hibernates is not in it.
    pub tenants: BTreeMap<TenantName, ObservedTenant>,
    /// When the certificate ends that the edge shows for a tenant.
    pub certificates: BTreeMap<TenantName, Timestamp>,
    /// Why the certificate that a tenant supplies is not the one that is shown.
    pub refused_certificates: BTreeMap<TenantName, (&'static Entry, String)>,
    /// Whether the edge serves the newest routes.
    pub routes_served: bool,
}

/// What is known of a tenant's programs.
#[derive(Clone, Debug)]
pub struct ObservedTenant {
    /// Verifier, signer, auditor.
    pub children: [(Program, ChildState); 3],
}

impl ObservedTenant {
    /// The state of one program.
    pub fn child(&self, program: Program) -> Option<&ChildState> {
        self.children
            .iter()
            .find(|(name, _)| *name == program)
            .map(|(_, state)| state)
    }
}

impl Host {
    /// A host on which nothing runs.
    pub fn new(
        state: Arc<StateDir>,
        platform: Platform,
        programs: Programs,
        surroundings: Surroundings,
    ) -> Self {
        Self {
            state,
            platform,
            programs,
            surroundings,
            desired: Desired::default(),
            router: None,
            tenants: BTreeMap::new(),
            shown: BTreeMap::new(),
            leaving: Vec::new(),
            routes: None,
        }
    }

    /// What this host is to be.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Starts the router, with no routes before any tenant can answer.
    ///
    /// # Errors
    /// When its files cannot be written.
    pub fn start_router(
        &mut self,
        records: &mut Records,
        keep: impl FnOnce(&Records) -> io::Result<()>,
    ) -> Result<(), ApplyError> {
        self.state.make_dir("router")?;
        self.publish_routes(records, keep)?;
        let config = self.platform.router()?;
        self.state.write_if_changed("router/config.json", &config)?;
        let id = ChildId {
            tenant: None,
            program: Program::Router,
        };
        let spec = self.workshop().child(
            id,
            "router/config.json",
            "router/health.sock",
            &config,
            Vec::new(),
        );
        self.router = Some(Child::start(spec, Vec::new(), self.surroundings.clone()));
        Ok(())
    }

    /// Makes `desired` the state of this host: what is new starts, what changed is started again or
    /// reads its new document, what is gone stops. A tenant that cannot be written down stays as it
    /// is and is named.
    pub fn apply(&mut self, desired: Desired, now: Timestamp) -> Vec<(TenantName, ApplyError)> {
        self.desired = desired;
        let tenants = &self.desired.tenants;
        self.shown.retain(|tenant, _| tenants.contains_key(tenant));
        let runs = |name: &TenantName| tenants.get(name).is_some_and(|tenant| !tenant.hibernate);
        let leaving: Vec<TenantName> = self
            .tenants
            .keys()
            .filter(|tenant| !runs(tenant))
            .cloned()
            .collect();
        let wanted: Vec<TenantName> = tenants.keys().cloned().collect();
        for tenant in leaving {
            self.withdraw(&tenant);
        }
        self.leaving.retain(|leaving| !leaving.task.is_finished());
        let outcomes = wanted.into_iter().map(|tenant| {
            let outcome = self.bring_up(&tenant, now);
            (tenant, outcome)
        });
        outcomes
            .filter_map(|(tenant, outcome)| outcome.err().map(|error| (tenant, error)))
            .collect()
    }

    fn workshop(&self) -> Workshop<'_> {
        Workshop {
            state: &self.state,
            platform: &self.platform,
            programs: &self.programs,
            surroundings: &self.surroundings,
        }
    }

    fn bring_up(&mut self, name: &TenantName, now: Timestamp) -> Result<(), ApplyError> {
        let Some(desired) = self.desired.tenants.get(name) else {
            return Ok(());
        };
        if desired.hibernate {
            let shown = self.workshop().certify(name, desired, now)?;
            self.shown.insert(name.clone(), shown);
            return Ok(());
        }
        let written = self.workshop().write(name, desired, now)?;
        self.shown.insert(name.clone(), written.shown);
        let earlier = self
            .leaving
            .iter()
            .filter(|leaving| leaving.tenant == *name);
        let before: Vec<Gate> = earlier
            .flat_map(|leaving| leaving.stopped.clone())
            .collect();
        if let Some(mut host) = self.tenants.remove(name) {
            for child in self.workshop().update(&mut host, written, &before) {
                let stopped = vec![child.when_stopped()];
                self.let_go(name.clone(), stopped, child.stop());
            }
            self.tenants.insert(name.clone(), host);
            return Ok(());
        }
        let host = self.workshop().start(written, &before);
        self.tenants.insert(name.clone(), host);
        Ok(())
    }

    /// Stops a tenant once the router has let go of its routes. Its data stays.
    fn withdraw(&mut self, name: &TenantName) {
        let Some(host) = self.tenants.remove(name) else {
            return;
        };
        tracing::info!("{name}: no request reaches it any more, programs stop, data stays");
        let stopped = host.when_stopped();
        let hosts_gone = self.router.as_ref().map(|router| {
            router.hurry();
            router.when_served_changes()
        });
        self.let_go(name.clone(), stopped, async move {
            if let Some(mut gate) = hosts_gone {
                tokio::select! {
                    () = gate.wait() => {}
                    () = sleep(WITHDRAWAL) => {}
                }
            }
            host.stop().await;
        });
    }

    fn let_go(
        &mut self,
        tenant: TenantName,
        stopped: Vec<Gate>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        self.leaving.push(Leaving {
            tenant,
            stopped,
            task: tokio::spawn(stop),
        });
    }

    /// Writes the route table when it changed: the hosts of all tenants, closed where they are to be or cannot
    /// answer yet. `keep` makes the new number durable before it is used.
    ///
    /// # Errors
    /// When it cannot be written; the router keeps what it has.
    pub fn publish_routes(
        &mut self,
        records: &mut Records,
        keep: impl FnOnce(&Records) -> io::Result<()>,
    ) -> Result<bool, ApplyError> {
        let mut routed = BTreeMap::new();
        for (name, shown) in &self.shown {
            let Some(desired) = self.desired.tenants.get(name) else {
                continue;
            };
            let host = self.tenants.get_mut(name);
            let answers = host.is_some_and(TenantHost::can_answer);
            let closed = desired.closed();
            let tenant = Routed {
                desired,
                certificate: shown.certificate,
                closed: closed.or((!answers).then_some(Closed::Starting)),
            };
            routed.insert(name, tenant);
        }
        let (bytes, digest) = routes::table(&routed, records)?;
        if self.routes == Some(digest) {
            return Ok(false);
        }
        keep(records)?;
        self.state.write("router/routes.json", &bytes)?;
        self.routes = Some(digest);
        if let Some(router) = &self.router {
            router.hurry();
        }
        Ok(true)
    }

    /// What is known of the programs.
    pub fn observe(&self) -> Observed {
        let router = self.router.as_ref().map(Child::state).unwrap_or_default();
        let served = router
            .report
            .as_ref()
            .and_then(|report| report.served.as_ref())
            .map(|served| served.digest.clone());
        Observed {
            router,
            tenants: self
                .tenants
                .iter()
                .map(|(name, host)| {
                    let children = host.states();
                    (name.clone(), ObservedTenant { children })
                })
                .collect(),
            certificates: self
                .shown
                .iter()
                .map(|(name, shown)| (name.clone(), shown.until))
                .collect(),
            refused_certificates: BTreeMap::new(),
            routes_served: served == self.routes.map(|routes| routes.to_string()),
        }
    }

    /// Stops everything in order: the edge first, so that nothing new comes in, then each tenant.
    pub async fn stop(mut self) {
        if let Some(router) = self.router.take() {
            router.stop().await;
        }
        let tenants = std::mem::take(&mut self.tenants);
        join_all(tenants.into_values().map(TenantHost::stop)).await;
        for leaving in self.leaving {
            // It cannot fail; a panic of it would be a bug and ends nothing else.
            let _ = leaving.task.await;
        }
    }
}
