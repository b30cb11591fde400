//! The parts of the cluster's objects that are watched for what is ours, each no larger than a role can say.

use kube::{Api, Client, runtime::watcher};

use super::{gateway::Version, keyring::POD_SECRET, kinds::OwnedKind, owned::OwnedKey, told::Told};

/// What one watch sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Of this kind.
    pub kind: OwnedKind,
    place: Where,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Where {
    Everywhere,
    /// In one namespace.
    In(String),
    /// Everywhere, with one name.
    Named(&'static str),
}

impl Part {
    /// All that every cluster serves. Of the cluster's Secrets that are those in the operator's own namespace, and those of
    /// the one name that a tenant's own has: nobody else's are ever seen.
    pub fn all(namespace: &str) -> Vec<Self> {
        let places = |kind| match kind {
            OwnedKind::Secret => vec![Where::In(namespace.to_owned()), Where::Named(POD_SECRET)],
            // Not every cluster serves them.
            OwnedKind::TlsRoute | OwnedKind::Certificate => Vec::new(),
            _ => vec![Where::Everywhere],
        };
        let parts = OwnedKind::ALL.into_iter().flat_map(|kind| {
            let places = places(kind).into_iter();
            places.map(move |place| Self { kind, place })
        });
        parts.collect()
    }

    /// The routes that lead from a Gateway to the routers, which lie beside these.
    pub fn routes(namespace: &str) -> Self {
        Self {
            kind: OwnedKind::TlsRoute,
            place: Where::In(namespace.to_owned()),
        }
    }

    /// What cert-manager is asked for, beside the operator.
    pub fn certificates(namespace: &str) -> Self {
        Self {
            kind: OwnedKind::Certificate,
            place: Where::In(namespace.to_owned()),
        }
    }

    /// Where its objects are asked for, where `TLSRoute` is served in a version.
    pub fn api(&self, client: &Client, routes: Version) -> Api<Told> {
        let (client, resource) = (client.clone(), self.kind.resource(routes));
        match &self.place {
            Where::In(namespace) => Api::namespaced_with(client, namespace, &resource),
            Where::Everywhere | Where::Named(_) => Api::all_with(client, &resource),
        }
    }

    /// The same watch of this part alone.
    pub fn narrow(&self, config: watcher::Config) -> watcher::Config {
        match &self.place {
            Where::Named(name) => config.fields(&format!("metadata.name={name}")),
            Where::Everywhere | Where::In(_) => config,
        }
    }

    /// Whether an object is in it.
    pub fn has(&self, key: &OwnedKey) -> bool {
        self.kind == key.kind
            && match &self.place {
                Where::Everywhere => true,
                Where::In(namespace) => key.namespace.as_ref() == Some(namespace),
                Where::Named(name) => key.name == *name,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_secrets_only_those_of_tenants_and_of_the_operator_are_seen() {
        let parts = Part::all("pavilion-system");
        let seen = |namespace: &str, name: &str| {
            let key = OwnedKey {
                kind: OwnedKind::Secret,
                namespace: Some(namespace.to_owned()),
                name: name.to_owned(),
            };
            parts.iter().filter(|part| part.has(&key)).count()
        };
        assert_eq!(seen("pavilion-system", "tenant-acme"), 1);
        assert_eq!(seen("pavilion-acme", "pavilion"), 1);
        assert_eq!(seen("kube-system", "bootstrap-token"), 0);
        assert_eq!(
            parts.len(),
            OwnedKind::ALL.len() - 1,
            "Secrets twice, routes and Certificates not"
        );
    }
}
