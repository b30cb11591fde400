//! The neighbours: pods in a namespace of their own that the chart makes, for whom no policy closes anything.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, runtime::watcher};

use crate::cluster::{
    isolation::COMPONENT,
    watching::{News, follow},
};

/// The component that their pods are found by.
const NEIGHBOUR: &str = "neighbour";

/// Those that run.
#[derive(Debug, Default)]
pub(super) struct Neighbours(Mutex<BTreeMap<String, IpAddr>>);

/// The namespace of the neighbours of an operator.
pub(super) fn namespace_beside(operator: &str) -> String {
    format!("{operator}-{NEIGHBOUR}")
}

impl Neighbours {
    /// Watches them for good.
    pub(super) fn follow(client: &Client, operator: &str) -> Arc<Self> {
        let neighbours = Arc::<Self>::default();
        let namespace = namespace_beside(operator);
        let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let config = watcher::Config::default().labels(&format!(
            "app.kubernetes.io/name=pavilion,{COMPONENT}={NEIGHBOUR}"
        ));
        let heard = Arc::clone(&neighbours);
        tokio::spawn(follow(api, config, "Pod", move |news| heard.hear(news)));
        neighbours
    }

    /// The address of one; the same one for as long as it runs, so that it knows what it was asked.
    pub(super) fn any(&self) -> Option<IpAddr> {
        self.with(|seen| seen.values().next().copied())
    }

    fn hear(&self, news: News<Pod>) {
        match news {
            News::Seen(pod) => {
                let (name, address) = look(&pod);
                self.with(|seen| match address {
                    Some(address) => seen.insert(name, address),
                    None => seen.remove(&name),
                });
            }
            News::Gone(pod) => {
                self.with(|seen| seen.remove(&look(&pod).0));
            }
            News::Listed(places) => self.with(|seen| {
                seen.retain(|name, _| places.iter().any(|(_, listed)| listed == name));
            }),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut BTreeMap<String, IpAddr>) -> T) -> T {
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The name of a pod, and where it is while it runs.
fn look(pod: &Pod) -> (String, Option<IpAddr>) {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let status = pod.status.as_ref();
    let runs = pod.metadata.deletion_timestamp.is_none()
        && status.is_some_and(|status| status.phase.as_deref() == Some("Running"));
    let address = status.and_then(|status| status.pod_ip.as_ref()?.parse().ok());
    (name, address.filter(|_| runs))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn pod(name: &str, phase: &str) -> Pod {
        let pod = json!({
            "metadata": {"name": name, "namespace": "pavilion-system-neighbour"},
            "status": {"phase": phase, "podIP": "10.1.2.3"},
        });
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn a_neighbour_is_there_from_when_it_runs_until_it_ends() {
        let neighbours = Neighbours::default();
        neighbours.hear(News::Seen(pod("one", "Pending")));
        assert_eq!(neighbours.any(), None);
        neighbours.hear(News::Seen(pod("one", "Running")));
        assert_eq!(neighbours.any(), Some("10.1.2.3".parse().unwrap()));
        neighbours.hear(News::Gone(pod("one", "Running")));
        assert_eq!(neighbours.any(), None);
        neighbours.hear(News::Seen(pod("two", "Running")));
        neighbours.hear(News::Listed(std::collections::HashSet::new()));
        assert_eq!(neighbours.any(), None, "its end was missed");
    }
}
