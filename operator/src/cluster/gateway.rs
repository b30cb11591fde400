//! The Gateway of the cluster's that the edge may stand behind: one `TLSRoute` for each tenant leads its hosts to the
//! routers, unopened.
//!
//! Which version of `TLSRoute` the cluster serves is watched, so that the Gateway API may come, go and be upgraded while
//! the operator runs. The routes are watched in that version as all other objects of tenants are; beside that is kept
//! what the Gateway's controller says of them. Without a Gateway that is named none is made, and those that were made
//! before are deleted.

mod answer;
mod route;
mod version;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject},
    runtime::watcher,
};
use pavilion_bundle::{HostName, TenantName};
use pavilion_catalogue::manifest;
use tokio::sync::{oneshot, watch};

use self::{answer::Answer, version::DEFINITION};
use super::{
    keyring::name_of,
    kinds::OwnedKind,
    live::Live,
    objects::Objects,
    owned::{MANAGED_BY, Owned, TENANT_LABEL},
    parts::Part,
    reconcile::RoundError,
    settings::Settings,
    told::Told,
    triggers::Triggers,
    watching::{News, Place, follow},
};
use crate::{arguments::GatewayName, status::Verdict};

pub use self::version::Version;

/// What stands before the edge, if anything does.
pub struct Front {
    named: Option<GatewayName>,
    /// Where the routers' Service is, and its port.
    routers: (String, u16),
    /// The version of `TLSRoute` that the cluster serves.
    served: watch::Sender<Option<Version>>,
    answers: Mutex<HashMap<TenantName, Answer>>,
}

impl Front {
    /// The one that the operator was told of; nothing is known of the cluster yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            named: settings.gateway.clone(),
            routers: (settings.namespace.clone(), settings.public_port),
            served: watch::Sender::default(),
            answers: Mutex::default(),
        }
    }

    /// The version that routes are written in: that which is served, if one is.
    pub fn version(&self) -> Version {
        self.served.borrow().unwrap_or_default()
    }

    /// The route of a tenant with these hosts, if there is to be one.
    pub fn route(&self, tenant: &TenantName, hosts: &[&HostName]) -> Option<Owned> {
        let (namespace, port) = &self.routers;
        let gateway = self.named.as_ref().filter(|_| self.is_served())?;
        route::build(tenant, hosts, gateway, (namespace, *port))
    }

    /// Why no Gateway can be used although one is named.
    pub fn missing(&self) -> Option<Verdict> {
        let gateway = self.named.as_ref().filter(|_| !self.is_served())?;
        let message = format!(
            "Gateway {gateway} is named, and this cluster serves no TLSRoute by which it could lead to the edge"
        );
        Some(Verdict::no(&manifest::GATEWAY_API_MISSING, message))
    }

    /// Why the hosts of a tenant, for which all of `wanted` was applied or failed to be, do not lead through the Gateway.
    pub fn trouble(
        &self,
        tenant: &TenantName,
        wanted: &[Owned],
        failed: Option<&RoundError>,
    ) -> Option<Verdict> {
        let gateway = self.named.as_ref()?;
        if let Some(missing) = self.missing() {
            return Some(missing);
        }
        if !wanted
            .iter()
            .any(|owned| owned.key.kind == OwnedKind::TlsRoute)
        {
            return None;
        }
        if let Some(error) = failed.filter(|error| error.is_of(OwnedKind::TlsRoute)) {
            return Some(Verdict::no(&manifest::API_REFUSED, error.to_string()));
        }
        match self.lock().get(tenant) {
            Some(Answer::Taken) => None,
            Some(Answer::Refused(why)) => {
                let message = format!("Gateway {gateway} does not take the route: {why}");
                Some(Verdict::no(&manifest::GATEWAY_REFUSED, message))
            }
            Some(Answer::None) | None => {
                let message = format!("no controller has answered for Gateway {gateway} yet");
                Some(Verdict::no(&manifest::GATEWAY_SILENT, message))
            }
        }
    }

    /// Begins to watch what the cluster serves, and the routes. Completes what is returned when both are known for the
    /// first time.
    pub fn follow(
        self: &Arc<Self>,
        client: &Client,
        objects: &Arc<Objects>,
        live: &Arc<Live>,
        triggers: &Triggers,
    ) -> oneshot::Receiver<()> {
        let (tell, known) = oneshot::channel();
        // Before anything can be said of it.
        let served = self.served.subscribe();
        let (front, objects) = (Arc::clone(self), Arc::clone(objects));
        let definition = front.follow_definition(client.clone(), objects, triggers.clone());
        tokio::spawn(definition);
        let (front, live) = (Arc::clone(self), Arc::clone(live));
        tokio::spawn(front.follow_routes(client.clone(), live, triggers.clone(), served, tell));
        known
    }

    async fn follow_definition(
        self: Arc<Self>,
        client: Client,
        objects: Arc<Objects>,
        triggers: Triggers,
    ) {
        let resource = ApiResource::erase::<CustomResourceDefinition>(&());
        let api: Api<DynamicObject> = Api::all_with(client, &resource);
        let named = watcher::Config::default().fields(&format!("metadata.name={DEFINITION}"));
        follow(api, named, "CustomResourceDefinition", |news| {
            let served = match news {
                News::Seen(definition) => Version::served_by(&definition),
                News::Gone(_) => None,
                News::Listed(places) => self.served.borrow().filter(|_| !places.is_empty()),
            };
            if self.served.send_replace(served) != served {
                tracing::info!(?served, "TLSRoute, as this cluster serves it");
                objects.concerns_everybody(&triggers);
            }
        })
        .await;
    }

    async fn follow_routes(
        self: Arc<Self>,
        client: Client,
        live: Arc<Live>,
        triggers: Triggers,
        mut served: watch::Receiver<Option<Version>>,
        tell: oneshot::Sender<()>,
    ) {
        let part = Part::routes(&self.routers.0);
        let (label, value) = MANAGED_BY;
        let ours = watcher::Config::default().labels(&format!("{label}={value}"));
        let mut tell = Some(tell);
        // The sender is our own, and so for all of the following.
        let _ = served.changed().await;
        loop {
            let version = *served.borrow_and_update();
            let mut hear = |news: News<Told>| {
                let listed = matches!(news, News::Listed(_));
                self.hear(&news, &triggers);
                live.hear(&part, news, &triggers);
                if let Some(tell) = tell.take_if(|_| listed) {
                    // Nobody waits any more.
                    let _ = tell.send(());
                }
            };
            let other = async {
                let _ = served.wait_for(|now| *now != version).await;
            };
            let Some(version) = version else {
                hear(News::Listed(HashSet::new()));
                other.await;
                continue;
            };
            let api = part.api(&client, version);
            tokio::select! {
                () = follow(api, ours.clone(), OwnedKind::TlsRoute.name(), hear) => {}
                () = other => {}
            }
        }
    }

    /// Takes note of what the watch of routes tells of their controllers' answers.
    fn hear(&self, news: &News<Told>, triggers: &Triggers) {
        let Some(gateway) = &self.named else {
            return;
        };
        match news {
            News::Seen(route) => {
                if let Some(tenant) = tenant_of(route) {
                    let answer = Answer::of(route, gateway);
                    let before = self.lock().insert(tenant.clone(), answer.clone());
                    if before.unwrap_or_default() != answer {
                        triggers.tenant(&tenant);
                    }
                }
            }
            News::Gone(route) => {
                if let Some(tenant) = tenant_of(route) {
                    self.lock().remove(&tenant);
                }
            }
            News::Listed(places) => self.keep_only(places),
        }
    }

    fn keep_only(&self, places: &HashSet<Place>) {
        let place = |tenant: &TenantName| (Some(self.routers.0.clone()), name_of(tenant));
        self.lock()
            .retain(|tenant, _| places.contains(&place(tenant)));
    }

    fn is_served(&self) -> bool {
        self.served.borrow().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantName, Answer>> {
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tenant_of(route: &Told) -> Option<TenantName> {
    let labels = route.metadata.labels.as_ref()?;
    labels.get(TENANT_LABEL)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::StreamExt;
    use serde_json::json;

    use super::*;
    use crate::cluster::{apply::ApplyError, told, triggers::triggers};

    fn front(gateway: Option<&str>) -> Front {
        Front {
            named: gateway.map(|name| name.parse().unwrap()),
            routers: ("pavilion-system".to_owned(), 443),
            served: watch::Sender::default(),
            answers: Mutex::default(),
        }
    }

    fn acme() -> TenantName {
        "acme".parse().unwrap()
    }

    fn route(front: &Front) -> Option<Owned> {
        front.route(&acme(), &[&"a.example".parse().unwrap()])
    }

    fn reason(front: &Front) -> Option<&'static str> {
        let wanted: Vec<Owned> = route(front).into_iter().collect();
        let trouble = front.trouble(&acme(), &wanted, None);
        trouble.map(|trouble| trouble.reason)
    }

    /// The route as its watch tells it, with what a controller said.
    fn told(status: &str) -> Told {
        let accepted = json!({"type": "Accepted", "status": status, "reason": "R", "message": "M"});
        told::tests::told(&json!({
            "metadata": {
                "name": "tenant-acme", "namespace": "pavilion-system", "labels": {TENANT_LABEL: "acme"},
            },
            "status": {"parents": [{
                "parentRef": {"namespace": "edge", "name": "public"},
                "controllerName": "example.net/gateways", "conditions": [accepted],
            }]},
        }))
    }

    #[test]
    fn a_route_is_made_where_a_gateway_is_named_and_the_cluster_serves_routes() {
        let unnamed = front(None);
        unnamed.served.send_replace(Some(Version::V1));
        assert_eq!((route(&unnamed), reason(&unnamed)), (None, None));
        assert_eq!(unnamed.missing(), None);
        let named = front(Some("edge/public"));
        assert_eq!(route(&named), None);
        assert_eq!(reason(&named), Some("GatewayApiMissing"));
        assert!(named.missing().unwrap().message.contains("edge/public"));
        named.served.send_replace(Some(Version::V1Alpha2));
        assert!(route(&named).is_some() && named.missing().is_none());
    }

    #[tokio::test]
    async fn a_tenant_is_told_what_the_controller_says_and_looked_at_when_that_changes() {
        let (triggers, mut triggered) = triggers();
        let front = front(Some("edge/public"));
        front.served.send_replace(Some(Version::V1));
        assert_eq!(reason(&front), Some("GatewaySilent"));
        for (status, expected) in [("False", Some("GatewayRefused")), ("True", None)] {
            front.hear(&News::Seen(told(status)), &triggers);
            assert_eq!(reason(&front), expected);
            assert_eq!(triggered.next().await.unwrap(), "acme");
        }
        // The same once more is nothing new.
        front.hear(&News::Seen(told("True")), &triggers);
        drop(triggers);
        assert_eq!(triggered.next().await, None);
        let (triggers, _told) = crate::cluster::triggers::triggers();
        front.hear(&News::Listed(HashSet::new()), &triggers);
        assert_eq!(reason(&front), Some("GatewaySilent"), "it is gone");
    }

    #[test]
    fn a_route_that_the_api_server_refuses_is_told_as_that() {
        let front = front(Some("edge/public"));
        front.served.send_replace(Some(Version::V1));
        let wanted = [route(&front).unwrap()];
        let error = ApplyError::Api(wanted[0].key.clone(), "no".to_owned());
        let error = RoundError::from(error);
        let trouble = front.trouble(&acme(), &wanted, Some(&error)).unwrap();
        assert_eq!(trouble.reason, "ApiRefused");
        assert!(
            trouble
                .message
                .contains("TLSRoute pavilion-system/tenant-acme")
        );
    }
}
