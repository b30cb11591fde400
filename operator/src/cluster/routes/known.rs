//! What the watches have seen.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Resource, ResourceExt};
use pavilion_bundle::TenantName;
use pavilion_rpc::routes::Seen;
use tokio::sync::Notify;

use super::{address::Address, entry::Entry, metrics::RouteMetrics};
use crate::cluster::watching::{News, Place, place, version};

/// Up to which change of each kind something goes: the newest resource version of it. Those of one
/// kind are ordered (Kubernetes 1.35, KEP-5504); those of two are not seen in one order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Of the tenants' Secrets.
    pub secrets: u64,
    /// Of the tenants' pods.
    pub pods: u64,
}

/// What is known of a watch's objects.
#[derive(Debug)]
struct Objects<T> {
    all: BTreeMap<Place, Object<T>>,
    /// The newest resource version.
    position: u64,
    /// Whether the first list is there.
    told: bool,
}

#[derive(Debug)]
struct Object<T> {
    uid: String,
    version: u64,
    /// `None` for one of no use.
    content: Option<T>,
}

#[derive(Debug, Default)]
struct State {
    secrets: Objects<Entry>,
    pods: Objects<Address>,
}

/// All that routes are made of.
#[derive(Debug)]
pub struct Known {
    state: Mutex<State>,
    changed: Notify,
    metrics: RouteMetrics,
}

/// A moment of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// What tenants' Secrets say.
    pub entries: Vec<Entry>,
    /// Where tenants' pods are.
    pub addresses: BTreeMap<TenantName, IpAddr>,
    /// Up to which change.
    pub position: Position,
}

impl Known {
    /// Nothing yet.
    pub fn new(metrics: RouteMetrics) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            metrics,
        }
    }

    /// Takes note of what the watch of tenants' Secrets tells.
    pub fn hear_secret(&self, news: News<Secret>) {
        let mut state = self.lock();
        state.secrets.hear(news, |secret| {
            let name = secret.name_any();
            let read = Entry::read(secret);
            read.inspect_err(|why| tracing::error!("Secret {name} {why}; its tenant has no routes"))
                .ok()
        });
        self.metrics.unusable(state.secrets.unusable());
        drop(state);
        self.changed.notify_one();
    }

    /// Takes note of what the watch of tenants' pods tells.
    pub fn hear_pod(&self, news: News<Pod>) {
        self.lock().pods.hear(news, |pod| Address::of(pod));
        self.changed.notify_one();
    }

    /// Completes when something has been heard since the last time.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Everything at this moment; `None` until both first lists are there.
    pub fn material(&self) -> Option<Material> {
        let state = self.lock();
        let State { secrets, pods } = &*state;
        if !secrets.told || !pods.told {
            return None;
        }
        let addresses = pods.contents().map(|at| (at.tenant.clone(), at.ip));
        Some(Material {
            entries: secrets.contents().cloned().collect(),
            addresses: addresses.collect(),
            position: Position {
                secrets: secrets.position,
                pods: pods.position,
            },
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one call on a map, so a panic elsewhere leaves nothing half made.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Objects<T> {
    fn hear<K: Resource>(&mut self, news: News<K>, read: impl FnOnce(&mut K) -> Option<T>) {
        match news {
            News::Seen(mut object) => {
                let (place, version) = (place(&object), version(object.meta()));
                self.position = self.position.max(version);
                if self
                    .all
                    .get(&place)
                    .is_some_and(|known| known.version >= version)
                {
                    return;
                }
                let uid = object.uid().unwrap_or_default();
                let content = read(&mut object);
                let object = Object {
                    uid,
                    version,
                    content,
                };
                self.all.insert(place, object);
            }
            News::Gone(object) => {
                self.position = self.position.max(version(object.meta()));
                let (place, uid) = (place(&object), object.uid().unwrap_or_default());
                if self.all.get(&place).is_some_and(|known| known.uid == uid) {
                    self.all.remove(&place);
                }
            }
            News::Listed(places) => self.keep_only(&places),
        }
    }

    /// What is not in a whole list is gone.
    fn keep_only(&mut self, places: &HashSet<Place>) {
        self.all.retain(|place, _| places.contains(place));
        self.told = true;
    }

    fn contents(&self) -> impl Iterator<Item = &T> {
        self.all
            .values()
            .filter_map(|object| object.content.as_ref())
    }

    fn unusable(&self) -> usize {
        self.all.len() - self.contents().count()
    }
}

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            position: 0,
            told: false,
        }
    }
}

impl Position {
    /// Whether this goes as far as `other`, in each kind.
    pub fn covers(self, other: Self) -> bool {
        self.secrets >= other.secrets && self.pods >= other.pods
    }

    /// How far both go.
    pub fn and(self, other: Self) -> Self {
        Self {
            secrets: self.secrets.min(other.secrets),
            pods: self.pods.min(other.pods),
        }
    }
}

impl From<Position> for Seen {
    fn from(position: Position) -> Self {
        Self {
            secrets: position.secrets,
            pods: position.pods,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::cluster::routes::{
        address::tests::pod,
        entry::tests::{route, secret},
    };

    const READY: [(&str, &str, i64); 1] = [("Ready", "True", 5)];

    fn listed<K>(objects: &[(&str, &str)]) -> News<K> {
        let places = objects
            .iter()
            .map(|(namespace, name)| (Some((*namespace).to_owned()), (*name).to_owned()));
        News::Listed(places.collect())
    }

    #[test]
    fn nothing_is_said_before_both_first_lists_are_there() {
        let known = Known::new(RouteMetrics::default());
        known.hear_pod(News::Seen(pod("acme", "10.1.2.3", 7, &READY)));
        known.hear_pod(listed(&[("pavilion-acme", "data-plane-0")]));
        assert_eq!(known.material(), None);
        known.hear_secret(listed(&[]));
        let material = known.material().unwrap();
        assert_eq!(
            material.position,
            Position {
                secrets: 0,
                pods: 7
            }
        );
        assert_eq!(material.addresses.len(), 1);
    }

    #[test]
    fn what_is_older_or_of_another_object_changes_nothing() {
        let known = Known::new(RouteMetrics::default());
        let document = route("acme", &["a.example"]);
        known.hear_secret(News::Seen(secret("acme", &document, 9, 2)));
        known.hear_secret(listed(&[("pavilion-system", "tenant-acme")]));
        known.hear_pod(listed(&[]));
        // The one before it, which was deleted.
        known.hear_secret(News::Gone(secret("acme", &document, 5, 1)));
        let mut broken = document.clone();
        broken["maxBodyBytes"] = json!(0);
        known.hear_secret(News::Seen(secret("acme", &broken, 8, 2)));
        assert_eq!(known.material().unwrap().entries.len(), 1);
        known.hear_secret(News::Seen(secret("acme", &broken, 10, 2)));
        let material = known.material().unwrap();
        assert_eq!((material.entries.len(), material.position.secrets), (0, 10));
        known.hear_secret(News::Gone(secret("acme", &broken, 11, 2)));
        assert_eq!(known.material().unwrap().position.secrets, 11);
    }

    #[test]
    fn what_a_new_list_does_not_have_is_gone() {
        let known = Known::new(RouteMetrics::default());
        known.hear_secret(listed(&[]));
        for tenant in ["acme", "beta"] {
            known.hear_pod(News::Seen(pod(tenant, "10.1.2.3", 7, &READY)));
        }
        known.hear_pod(listed(&[("pavilion-beta", "data-plane-0")]));
        let addresses = known.material().unwrap().addresses;
        let tenants: Vec<_> = addresses.keys().map(TenantName::as_str).collect();
        assert_eq!(tenants, ["beta"]);
    }

    #[test]
    fn a_position_covers_another_in_both_kinds() {
        let position = |secrets, pods| Position { secrets, pods };
        assert!(position(3, 5).covers(position(3, 4)));
        assert!(!position(3, 5).covers(position(4, 5)));
        assert_eq!(position(3, 5).and(position(4, 4)), position(3, 4));
    }
}
