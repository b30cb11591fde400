//! One object that is made for a tenant: its name and all that is applied of it.

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::core::{ApiResource, DynamicObject, TypeMeta};
use pavilion_bundle::TenantName;
use pavilion_crds::NAMESPACE_PREFIX;
use pavilion_json::Digest;
use serde::Serialize;
use serde_json::Value;

use super::kinds::OwnedKind;

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

/// An object as it is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// What it is called.
    pub key: OwnedKey,
    /// Everything that is applied of it, without `apiVersion`, `kind`, name and namespace.
    pub content: Value,
}

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
        Self { key, content }
    }

    /// The digest of what is applied; the same for an object that has just this of ours.
    pub fn digest(&self) -> Option<Digest> {
        digest(&self.content)
    }

    /// What is sent to the API server, which serves its kind as `resource`.
    pub fn object(&self, resource: ApiResource) -> DynamicObject {
        let mut data = self.content.clone();
        let metadata = data["metadata"].take();
        if let Some(fields) = data.as_object_mut() {
            fields.remove("metadata");
        }
        DynamicObject {
            types: Some(TypeMeta {
                api_version: resource.api_version,
                kind: resource.kind,
            }),
            metadata: ObjectMeta {
                name: Some(self.key.name.clone()),
                namespace: self.key.namespace.clone(),
                ..serde_json::from_value(metadata).unwrap_or_default()
            },
            data,
        }
    }
}

/// The digest of some fields of an object; `None` when they have no canonical form, which then never
/// equals anything.
pub(super) fn digest(fields: &Value) -> Option<Digest> {
    pavilion_json::canonical(fields)
        .ok()
        .map(|bytes| Digest::of(&bytes))
}
