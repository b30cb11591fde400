//! What others supply for tenants, each in a Secret: the authority that cert-manager gave, beside the operator, and the
//! certificate of a tenant's hosts, in the tenant's namespace.
//!
//! Only their metadata is watched. The replica that writes reads one once it changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    core::{ObjectMeta, PartialObjectMeta},
    runtime::watcher,
};
use pavilion_bundle::TenantName;
use pavilion_crds::{NAMESPACE_PREFIX, TLS_SECRET};
use tokio::time::timeout;
use zeroize::{Zeroize, Zeroizing};

use super::{
    apply::REQUEST_TIME_OUT,
    owned::{TENANT_LABEL, namespace_of},
    triggers::Triggers,
    watching::News,
};

/// The label of the Secrets with authorities, and its value.
pub const AUTHORITY_ROLE: (&str, &str) = ("pavilion.dev/role", "trust-root");

/// What is supplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Supply {
    /// A tenant's authority.
    Authority,
    /// The certificate of its hosts.
    Certificate,
}

/// What such a Secret holds, all PEM. The key is wiped when dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Content {
    /// `tls.crt`.
    pub chain: String,
    /// `tls.key`.
    pub key: Zeroizing<String>,
    /// `ca.crt`.
    pub authority: Option<String>,
}

/// Why a Secret has nothing to use.
#[derive(Debug, thiserror::Error)]
pub enum SupplyError {
    /// There is none.
    #[error("there is no Secret {0}")]
    Absent(String),
    /// An entry is missing or no text.
    #[error("the Secret {0} has no text {1}")]
    Lacks(String, &'static str),
    /// The API server.
    #[error("the Secret {0} cannot be read: {1}")]
    Api(String, String),
}

/// What is there.
pub struct Supplies {
    client: Client,
    /// The operator's.
    namespace: String,
    seen: Mutex<HashMap<(Supply, TenantName), Seen>>,
}

struct Seen {
    version: String,
    uid: String,
    /// Once it was read.
    content: Option<Arc<Content>>,
}

impl Supply {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Authority, Self::Certificate];

    /// Where its metadata is watched, and how.
    pub fn watch(
        self,
        client: &Client,
        namespace: &str,
    ) -> (Api<PartialObjectMeta<Secret>>, watcher::Config) {
        let (client, config) = (client.clone(), watcher::Config::default());
        match self {
            Self::Authority => {
                let (label, value) = AUTHORITY_ROLE;
                let config = config.labels(&format!("{label}={value}"));
                (Api::namespaced(client, namespace), config)
            }
            Self::Certificate => {
                let config = config.fields(&format!("metadata.name={TLS_SECRET}"));
                (Api::all(client), config)
            }
        }
    }

    /// Whose one is; `None` for one that is no tenant's.
    fn tenant(self, metadata: &ObjectMeta) -> Option<TenantName> {
        let tenant: TenantName = match self {
            Self::Authority => metadata.labels.as_ref()?.get(TENANT_LABEL)?.parse().ok()?,
            Self::Certificate => {
                let namespace = metadata.namespace.as_ref()?;
                namespace.strip_prefix(NAMESPACE_PREFIX)?.parse().ok()?
            }
        };
        (metadata.name.as_ref()? == &self.name(&tenant)).then_some(tenant)
    }

    fn name(self, tenant: &TenantName) -> String {
        match self {
            Self::Authority => authority_of(tenant),
            Self::Certificate => TLS_SECRET.to_owned(),
        }
    }
}

/// What a tenant's Certificate and its Secret are called.
pub fn authority_of(tenant: &TenantName) -> String {
    format!("root-{tenant}")
}

impl Supplies {
    /// None yet.
    pub fn new(client: &Client, namespace: &str) -> Self {
        Self {
            client: client.clone(),
            namespace: namespace.to_owned(),
            seen: Mutex::default(),
        }
    }

    /// Takes note of what a watch tells.
    pub fn hear(&self, supply: Supply, news: News<PartialObjectMeta<Secret>>, triggers: &Triggers) {
        match news {
            News::Seen(object) => self.see(supply, object.metadata, triggers),
            News::Gone(object) => {
                let Some(tenant) = supply.tenant(&object.metadata) else {
                    return;
                };
                let (key, mut seen) = ((supply, tenant.clone()), self.lock());
                let uid = object.metadata.uid;
                if seen
                    .get(&key)
                    .is_some_and(|known| Some(&known.uid) == uid.as_ref())
                {
                    seen.remove(&key);
                    triggers.tenant(&tenant);
                }
            }
            News::Listed(places) => self.lock().retain(|(of, tenant), _| {
                let place = (Some(self.namespace_of(*of, tenant)), of.name(tenant));
                let kept = *of != supply || places.contains(&place);
                if !kept {
                    triggers.tenant(tenant);
                }
                kept
            }),
        }
    }

    fn see(&self, supply: Supply, metadata: ObjectMeta, triggers: &Triggers) {
        let Some(tenant) = supply.tenant(&metadata) else {
            return;
        };
        let version = metadata.resource_version.unwrap_or_default();
        let (key, mut seen) = ((supply, tenant.clone()), self.lock());
        if seen.get(&key).is_none_or(|known| known.version != version) {
            let found = Seen {
                version,
                uid: metadata.uid.unwrap_or_default(),
                content: None,
            };
            seen.insert(key, found);
            triggers.tenant(&tenant);
        }
    }

    /// The Secret that there is, by its uid.
    pub fn uid(&self, supply: Supply, tenant: &TenantName) -> Option<String> {
        let seen = self.lock();
        let found = seen.get(&(supply, tenant.clone()));
        found.map(|found| found.uid.clone())
    }

    /// What a tenant's Secret holds.
    ///
    /// # Errors
    /// Why it holds nothing to use.
    pub async fn of(
        &self,
        supply: Supply,
        tenant: &TenantName,
    ) -> Result<Arc<Content>, SupplyError> {
        let (namespace, name) = (self.namespace_of(supply, tenant), supply.name(tenant));
        let place = format!("{namespace}/{name}");
        let key = (supply, tenant.clone());
        match self.lock().get(&key) {
            None => return Err(SupplyError::Absent(place)),
            Some(Seen {
                content: Some(content),
                ..
            }) => return Ok(Arc::clone(content)),
            Some(_) => {}
        }
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &namespace);
        let found = match timeout(REQUEST_TIME_OUT, api.get_opt(&name)).await {
            Ok(Ok(Some(found))) => found,
            Ok(Ok(None)) => return Err(SupplyError::Absent(place)),
            Ok(Err(error)) => return Err(SupplyError::Api(place, error.to_string())),
            Err(_) => {
                let late = "the API server did not answer in time".to_owned();
                return Err(SupplyError::Api(place, late));
            }
        };
        let version = found.metadata.resource_version.clone();
        let content = content(found).map_err(|entry| SupplyError::Lacks(place, entry))?;
        let content = Arc::new(content);
        let mut seen = self.lock();
        let known = seen.get_mut(&key);
        if let Some(known) = known.filter(|known| Some(&known.version) == version.as_ref()) {
            known.content = Some(Arc::clone(&content));
        }
        Ok(content)
    }

    fn namespace_of(&self, supply: Supply, tenant: &TenantName) -> String {
        match supply {
            Supply::Authority => self.namespace.clone(),
            Supply::Certificate => namespace_of(tenant),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Supply, TenantName), Seen>> {
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is needed of a Secret; all else in it is wiped. Fails by the entry that is missing.
fn content(secret: Secret) -> Result<Content, &'static str> {
    let mut data = secret.data.unwrap_or_default();
    let mut text = |entry: &'static str| {
        let ByteString(bytes) = data.remove(entry)?;
        String::from_utf8(bytes)
            .map_err(|error| error.into_bytes().zeroize())
            .ok()
    };
    let key = text("tls.key").map(Zeroizing::new);
    let (chain, authority) = (text("tls.crt"), text("ca.crt"));
    for ByteString(other) in data.values_mut() {
        other.zeroize();
    }
    Ok(Content {
        chain: chain.ok_or("tls.crt")?,
        key: key.ok_or("tls.key")?,
        authority: authority.filter(|text| !text.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn metadata(value: Value) -> ObjectMeta {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_secret_is_a_tenants_by_its_place_and_name_whatever_else_it_says() {
        let certificate = |namespace: &str, name: &str| {
            let found = metadata(json!({"namespace": namespace, "name": name}));
            Supply::Certificate
                .tenant(&found)
                .map(|tenant| tenant.to_string())
        };
        let acme = Some("acme".to_owned());
        assert_eq!(certificate("pavilion-acme", "pavilion-tls"), acme);
        assert_eq!(certificate("pavilion-acme", "tls"), None);
        assert_eq!(certificate("default", "pavilion-tls"), None);
        let authority = |name: &str, tenant: &str| {
            let found = metadata(json!({"name": name, "labels": {TENANT_LABEL: tenant}}));
            Supply::Authority
                .tenant(&found)
                .map(|tenant| tenant.to_string())
        };
        assert_eq!(authority("root-acme", "acme"), acme);
        assert_eq!(authority("root-beta", "acme"), None);
    }

    #[test]
    fn what_a_secret_lacks_is_named() {
        let secret = |entries: &[&str]| Secret {
            data: Some(
                entries
                    .iter()
                    .map(|entry| ((*entry).to_owned(), ByteString(b"pem".to_vec())))
                    .collect(),
            ),
            ..Secret::default()
        };
        assert_eq!(content(Secret::default()).unwrap_err(), "tls.crt");
        assert_eq!(
            content(secret(&["tls.crt", "other"])).unwrap_err(),
            "tls.key"
        );
        let whole = content(secret(&["tls.crt", "tls.key"])).unwrap();
        assert_eq!((whole.chain.as_str(), whole.authority), ("pem", None));
    }
}
