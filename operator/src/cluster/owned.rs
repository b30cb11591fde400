//! One object that is made for a tenant: its name and all that is applied of it.

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::core::ApiResource;
use pavilion_bundle::TenantName;
use pavilion_crds::NAMESPACE_PREFIX;
use pavilion_json::Digest;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use super::kinds::OwnedKind;

const METADATA: &str = "metadata";

/// The label by which our objects are found, and its value.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "pavilion-operator");

/// The label that names an object's tenant.
pub const TENANT_LABEL: &str = "pavilion.dev/tenant";

/// What an object is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnedKey {
    /// Its kind.
    pub kind: OwnedKind,
    /// Its namespace; `None` for a Namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// An object as it is to be. Nothing of it changes once it is made, so that its digest is taken once.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// What it is called.
    pub key: OwnedKey,
    content: Value,
    digest: Option<Digest>,
}

/// An object as it is sent to the API server.
#[derive(Debug)]
pub struct Sent<'a> {
    owned: &'a Owned,
    resource: ApiResource,
}

/// Its metadata.
struct Named<'a>(&'a Owned);

impl std::fmt::Display for OwnedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.kind.name();
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{}", self.name),
            None => write!(f, "{kind} {}", self.name),
        }
    }
}

/// The namespace of a tenant.
pub fn namespace_of(tenant: &TenantName) -> String {
    format!("{NAMESPACE_PREFIX}{tenant}")
}

/// The metadata that every object of a tenant has.
pub fn metadata(tenant: &TenantName, name: &str) -> ObjectMeta {
    let labels = [MANAGED_BY, (TENANT_LABEL, tenant.as_str())];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels.into()),
        ..ObjectMeta::default()
    }
}

impl Owned {
    /// An object in the tenant's namespace.
    pub fn namespaced(kind: OwnedKind, tenant: &TenantName, object: &impl Serialize) -> Self {
        Self::new(kind, Some(namespace_of(tenant)), object)
    }

    /// An object of the tenant's in the operator's namespace, where nothing of the tenant's gets at it.
    pub fn beside_the_operator(kind: OwnedKind, namespace: &str, object: &impl Serialize) -> Self {
        Self::new(kind, Some(namespace.to_owned()), object)
    }

    /// The namespace itself.
    pub fn namespace(object: &Namespace) -> Self {
        Self::new(OwnedKind::Namespace, None, object)
    }

    fn new(kind: OwnedKind, namespace: Option<String>, object: &impl Serialize) -> Self {
        // The types of the API all have a JSON form.
        let mut content = serde_json::to_value(object).unwrap_or_default();
        let mut name = String::new();
        if let Some(fields) = content.as_object_mut() {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        if let Some(metadata) = content["metadata"].as_object_mut()
            && let Some(Value::String(text)) = metadata.remove("name")
        {
            name = text;
        }
        let key = OwnedKey {
            kind,
            namespace,
            name,
        };
        let digest = digest(&content);
        Self {
            key,
            content,
            digest,
        }
    }

    /// Everything that is applied of it, without `apiVersion`, `kind`, name and namespace.
    pub fn content(&self) -> &Value {
        &self.content
    }

    /// The digest of what is applied; the same for an object that has just this of ours.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// What is sent to the API server, which serves its kind as `resource`.
    pub fn sent_as(&self, resource: ApiResource) -> Sent<'_> {
        Sent {
            owned: self,
            resource,
        }
    }
}

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("apiVersion", &self.resource.api_version)?;
        members.serialize_entry("kind", &self.resource.kind)?;
        members.serialize_entry(METADATA, &Named(self.owned))?;
        for (name, member) in self.owned.content.as_object().into_iter().flatten() {
            if name != METADATA {
                members.serialize_entry(name, member)?;
            }
        }
        members.end()
    }
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(owned) = self;
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("name", &owned.key.name)?;
        if let Some(namespace) = &owned.key.namespace {
            members.serialize_entry("namespace", namespace)?;
        }
        let rest = owned.content.get(METADATA).and_then(Value::as_object);
        for (name, member) in rest.into_iter().flat_map(Map::iter) {
            members.serialize_entry(name, member)?;
        }
        members.end()
    }
}

/// The digest of some fields of an object; `None` when they have no canonical form, which then never
/// equals anything.
pub(super) fn digest(fields: &Value) -> Option<Digest> {
    let bytes = pavilion_json::canonical_value(fields).ok()?;
    Some(Digest::of(&bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::cluster::gateway::Version;

    #[test]
    fn what_is_sent_is_the_object_with_its_name_and_place() {
        let tenant = "acme".parse().unwrap();
        let object = json!({
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "pavilion", "labels": {"a": "1"}},
            "spec": {"hard": {"pods": "8"}},
        });
        let owned = Owned::namespaced(OwnedKind::ResourceQuota, &tenant, &object);
        let resource = OwnedKind::ResourceQuota.resource(Version::default());
        let mut expected = object;
        expected["metadata"]["namespace"] = json!("pavilion-acme");
        assert_eq!(
            serde_json::to_value(owned.sent_as(resource)).unwrap(),
            expected
        );
    }

    #[test]
    fn what_is_applied_is_the_same_whatever_it_is_called() {
        let digest = |name: &str, label: &str| {
            let metadata = json!({"name": name, "labels": {"a": label}});
            let object = json!({"metadata": metadata, "spec": {}});
            Owned::beside_the_operator(OwnedKind::Secret, "here", &object).digest()
        };
        assert!(digest("one", "1").is_some());
        assert_eq!(digest("one", "1"), digest("other", "1"));
        assert_ne!(digest("one", "1"), digest("one", "2"));
    }
}
