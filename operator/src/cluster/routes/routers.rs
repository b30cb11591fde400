//! What router pods serve, asked of them by the replica that writes.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use pavilion_bundle::TenantName;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{address::is_ready, known::Position};
use crate::{
    cluster::{triggers::Triggers, watching::News},
    host::{Report, ask_at},
};

/// Where a router says how it is.
const HEALTH_PORT: u16 = 9100;

/// How often routers are asked: while somebody waits, and otherwise.
const SOON: Duration = Duration::from_millis(200);
const SELDOM: Duration = Duration::from_secs(10);

/// Who has waited this long gets no further by asking often.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why a tenant's routes are not served, in words for its owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unserved(String);

/// All routers.
pub struct Routers {
    state: Mutex<State>,
    /// Somebody began to wait, or a router came or went.
    wake: Notify,
    triggers: Triggers,
    /// Where they say how they are.
    port: u16,
}

#[derive(Debug, Default)]
struct State {
    pods: BTreeMap<String, Router>,
    waiting: BTreeMap<TenantName, Waiting>,
    /// Whether the first list is there.
    listed: bool,
}

#[derive(Clone, Debug, Default)]
struct Router {
    uid: String,
    ip: Option<IpAddr>,
    is_ready: bool,
    /// How far it is; `None` while it has not said.
    served: Option<Position>,
    trouble: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    wanted: Position,
    since: Instant,
}

impl Routers {
    /// None yet. Tenants that wait are looked at again by `triggers`.
    pub fn new(triggers: Triggers) -> Self {
        Self {
            state: Mutex::default(),
            wake: Notify::new(),
            triggers,
            port: HEALTH_PORT,
        }
    }

    /// Takes note of what the watch of router pods tells.
    pub fn hear(&self, news: News<Pod>) {
        {
            let mut state = self.lock();
            let State { pods, listed, .. } = &mut *state;
            match news {
                News::Seen(pod) => {
                    let name = pod.name_any();
                    let before = pods.remove(&name);
                    pods.insert(name, Router::see(&pod, before));
                }
                News::Gone(pod) => {
                    pods.remove(&pod.name_any());
                }
                News::Listed(places) => {
                    pods.retain(|name, _| places.iter().any(|(_, listed)| listed == name));
                    *listed = true;
                }
            }
        }
        self.wake.notify_one();
    }

    /// Whether there is one at all; before the first list nobody knows that there is none.
    pub fn any(&self) -> bool {
        let state = self.lock();
        !state.listed || !state.pods.is_empty()
    }

    /// How far every router is that takes requests; `None` while there is none, or one has not said.
    pub fn served_by_all(&self) -> Option<Position> {
        let state = self.lock();
        let mut ready = state.pods.values().filter(|pod| pod.is_ready);
        let first = ready.next()?.served?;
        ready.try_fold(first, |lowest, pod| Some(lowest.and(pod.served?)))
    }

    /// Whether every router serves what was changed up to `wanted`. If not, the tenant is looked at again
    /// as soon as they do.
    ///
    /// # Errors
    /// What is missing.
    pub fn serve(&self, tenant: &TenantName, wanted: Position) -> Result<(), Unserved> {
        let is_served = self
            .served_by_all()
            .is_some_and(|served| served.covers(wanted));
        let mut state = self.lock();
        if is_served {
            state.waiting.remove(tenant);
            return Ok(());
        }
        let since = Instant::now();
        let waiting = state.waiting.get(tenant).copied();
        let waiting = waiting.filter(|waiting| waiting.wanted == wanted);
        let waiting = waiting.unwrap_or(Waiting { wanted, since });
        state.waiting.insert(tenant.clone(), waiting);
        let why = state.unserved(wanted);
        drop(state);
        self.wake.notify_one();
        Err(Unserved(why))
    }

    /// Nobody waits for this tenant's routes any more.
    pub fn forget(&self, tenant: &TenantName) {
        self.lock().waiting.remove(tenant);
    }

    /// What is amiss with routers, if anything is.
    pub fn trouble(&self) -> Option<String> {
        let state = self.lock();
        if !state.pods.values().any(|pod| pod.is_ready) {
            return Some(state.none());
        }
        let mut pods = state.pods.iter();
        pods.find_map(|(name, pod)| Some(format!("router {name}: {}", pod.trouble.as_ref()?)))
    }

    /// Asks all of them, again and again. Never ends.
    pub async fn ask(self: Arc<Self>) {
        loop {
            self.ask_once().await;
            for tenant in self.served_now() {
                self.triggers.tenant(&tenant);
            }
            let pause = self.pause(Instant::now());
            if pause == SOON {
                sleep(pause).await;
            } else {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = self.wake.notified() => {}
                }
            }
        }
    }

    async fn ask_once(&self) {
        let pods = self.lock().pods.clone();
        let asked = pods.into_iter().filter_map(|(name, pod)| {
            let place = SocketAddr::new(pod.ip?, self.port);
            Some(async move { (name, pod.uid, ask_at(place).await) })
        });
        let reports = join_all(asked).await;
        let mut state = self.lock();
        for (name, uid, report) in reports {
            if let Some(pod) = state.pods.get_mut(&name).filter(|pod| pod.uid == uid) {
                pod.told(report, self.port);
            }
        }
    }

    /// The tenants that waited for what is served now.
    fn served_now(&self) -> Vec<TenantName> {
        let Some(served) = self.served_by_all() else {
            return Vec::new();
        };
        let waiting = &mut self.lock().waiting;
        let done = waiting.extract_if(.., |_, waiting| served.covers(waiting.wanted));
        done.map(|(tenant, _)| tenant).collect()
    }

    fn pause(&self, now: Instant) -> Duration {
        let state = self.lock();
        let mut waiting = state.waiting.values();
        if waiting.any(|waiting| now.duration_since(waiting.since) < PATIENCE) {
            SOON
        } else {
            SELDOM
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment, so a panic elsewhere leaves nothing half made.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn none(&self) -> String {
        let pods = self.pods.len();
        if pods == 0 {
            "there is no router pod; look at the router's Deployment".to_owned()
        } else {
            format!("none of {pods} router pods is ready; look at their logs")
        }
    }

    /// Why something is not served.
    fn unserved(&self, wanted: Position) -> String {
        let mut ready = self.pods.iter().filter(|(_, pod)| pod.is_ready).peekable();
        if ready.peek().is_none() {
            return self.none();
        }
        let behind = ready.find(|(_, pod)| !pod.served.is_some_and(|at| at.covers(wanted)));
        match behind {
            Some((
                name,
                Router {
                    trouble: Some(why), ..
                },
            )) => format!("router {name}: {why}"),
            Some((name, _)) => format!("router {name} does not serve the newest routes yet"),
            None => "routers are asked again in a moment".to_owned(),
        }
    }
}

impl Router {
    /// A pod as it is now; what it said before stays, unless it is another pod.
    fn see(pod: &Pod, before: Option<Self>) -> Self {
        let uid = pod.uid().unwrap_or_default();
        let before = before
            .filter(|before| before.uid == uid)
            .unwrap_or_default();
        let ip = pod
            .status
            .as_ref()
            .and_then(|status| status.pod_ip.as_ref());
        Self {
            uid,
            ip: ip.and_then(|ip| ip.parse().ok()),
            is_ready: is_ready(pod) && pod.metadata.deletion_timestamp.is_none(),
            ..before
        }
    }

    fn told(&mut self, report: Option<Report>, port: u16) {
        let Some(report) = report else {
            self.served = None;
            self.trouble = Some(format!("does not answer on port {port}"));
            return;
        };
        let seen = report.detail.get("routesSeen");
        let position = |kind: &str| seen.and_then(|seen| seen[kind].as_u64());
        self.served = position("secrets")
            .zip(position("pods"))
            .map(|(secrets, pods)| Position { secrets, pods });
        let refused = report.refused.as_ref().map(|refused| &refused.reason);
        let refused = refused.map(|why| format!("refuses its newest routes: {why}"));
        let amiss = report.checks.iter().find(|check| !check.reason.is_empty());
        let amiss = amiss.map(|check| format!("{}: {}", check.name, check.reason));
        self.trouble = refused.or(amiss);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::StreamExt;
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::cluster::triggers::triggers;

    fn pod(name: &str, ready: &str) -> News<Pod> {
        pod_at("192.0.2.1", name, ready)
    }

    fn pod_at(ip: &str, name: &str, ready: &str) -> News<Pod> {
        let pod = json!({
            "metadata": {"name": name, "namespace": "pavilion-system", "uid": name},
            "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
        });
        News::Seen(serde_json::from_value(pod).unwrap())
    }

    fn told(routers: &Routers, name: &str, report: &serde_json::Value) {
        let report = serde_json::from_value(report.clone()).unwrap();
        let mut state = routers.lock();
        state
            .pods
            .get_mut(name)
            .unwrap()
            .told(Some(report), HEALTH_PORT);
    }

    fn at(secrets: u64, pods: u64) -> Position {
        Position { secrets, pods }
    }

    #[tokio::test]
    async fn a_tenant_is_looked_at_again_once_every_ready_router_serves_its_routes() {
        let (triggers, mut triggered) = triggers();
        let routers = Routers::new(triggers);
        let acme: TenantName = "acme".parse().unwrap();
        let none = routers.serve(&acme, at(5, 7)).unwrap_err().to_string();
        assert!(none.contains("there is no router pod"), "{none}");
        for (name, ready) in [("one", "True"), ("two", "True"), ("three", "False")] {
            routers.hear(pod(name, ready));
        }
        assert_eq!(routers.served_by_all(), None);
        told(
            &routers,
            "one",
            &json!({"detail": {"routesSeen": {"secrets": 5, "pods": 9}}}),
        );
        told(
            &routers,
            "two",
            &json!({"detail": {"routesSeen": {"secrets": 4, "pods": 9}}}),
        );
        assert_eq!(routers.served_by_all(), Some(at(4, 9)));
        let why = routers.serve(&acme, at(5, 7)).unwrap_err().to_string();
        assert!(why.contains("router two does not serve"), "{why}");
        assert_eq!(routers.pause(Instant::now()), SOON);
        assert!(routers.served_now().is_empty());
        told(
            &routers,
            "two",
            &json!({"detail": {"routesSeen": {"secrets": 6, "pods": 7}}}),
        );
        for tenant in routers.served_now() {
            routers.triggers.tenant(&tenant);
        }
        assert_eq!(triggered.next().await.unwrap(), "acme");
        assert_eq!(routers.serve(&acme, at(5, 7)), Ok(()));
        assert_eq!(routers.pause(Instant::now()), SELDOM);
    }

    #[tokio::test]
    async fn what_keeps_a_router_is_told_in_its_words() {
        let routers = Routers::new(triggers().0);
        routers.hear(pod("one", "True"));
        assert_eq!(routers.trouble(), None);
        told(
            &routers,
            "one",
            &json!({"checks": [{"name": "operator", "ok": true, "reason": "no operator has been heard for a while"}]}),
        );
        let trouble = routers.trouble().unwrap();
        assert_eq!(
            trouble,
            "router one: operator: no operator has been heard for a while"
        );
        routers
            .lock()
            .pods
            .get_mut("one")
            .unwrap()
            .told(None, HEALTH_PORT);
        assert!(routers.trouble().unwrap().contains("port 9100"));
        routers.hear(pod("one", "False"));
        assert!(
            routers
                .trouble()
                .unwrap()
                .contains("none of 1 router pods is ready")
        );
    }

    #[tokio::test]
    async fn routers_are_asked_where_they_are() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut routers = Routers::new(triggers().0);
        routers.port = listener.local_addr().unwrap().port();
        let router = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /status HTTP/1.1"));
            let body = r#"{"detail":{"routesSeen":{"secrets":3,"pods":4}}}"#;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).await.unwrap();
        });
        routers.hear(pod_at("127.0.0.1", "one", "True"));
        routers.ask_once().await;
        assert_eq!(routers.served_by_all(), Some(at(3, 4)));
        router.await.unwrap();
        routers.ask_once().await;
        assert_eq!(routers.served_by_all(), None, "it does not answer any more");
    }
}
