//! What an object is called, everywhere the same.

use std::{fmt, str::FromStr};

use pavilion_crds::{Kind, NAMESPACE_PREFIX};
use serde::{Deserialize, Serialize};

/// Kind, namespace and name of an object. Written `Policy pavilion-acme/over18` for people and in
/// records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// The namespace; `None` for a Tenant.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// The key of a tenant.
    pub fn tenant(name: impl Into<String>) -> Self {
        Self {
            kind: Kind::Tenant,
            namespace: None,
            name: name.into(),
        }
    }

    /// The tenant this object is, or belongs to; `None` when its namespace is not a tenant's.
    pub fn tenant_name(&self) -> Option<&str> {
        match &self.namespace {
            None => Some(&self.name),
            Some(namespace) => namespace.strip_prefix(NAMESPACE_PREFIX),
        }
    }

    /// Where its status document lies, below `status/`. A tenant's name has no dot, so this is
    /// unambiguous.
    pub fn status_file(&self) -> String {
        let kind = self.kind.name().to_lowercase();
        match self.tenant_name().filter(|_| self.namespace.is_some()) {
            Some(tenant) => format!("{kind}/{tenant}.{}.json", self.name),
            None => format!("{kind}/{}.json", self.name),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.name();
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{}", self.name),
            None => write!(f, "{kind} {}", self.name),
        }
    }
}

/// A text that is no object key.
#[derive(Debug, thiserror::Error)]
#[error("not an object key")]
pub struct ObjectKeyError;

impl FromStr for ObjectKey {
    type Err = ObjectKeyError;

    fn from_str(text: &str) -> Result<Self, ObjectKeyError> {
        let (kind, rest) = text.split_once(' ').ok_or(ObjectKeyError)?;
        let kind = Kind::find(kind).ok_or(ObjectKeyError)?;
        let (namespace, name) = match rest.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, rest),
        };
        Ok(Self {
            kind,
            namespace,
            name: name.to_owned(),
        })
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = ObjectKeyError;

    fn try_from(text: String) -> Result<Self, ObjectKeyError> {
        text.parse()
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_reads_back_from_what_people_see() {
        for text in ["Tenant acme", "Policy pavilion-acme/over18"] {
            assert_eq!(text.parse::<ObjectKey>().unwrap().to_string(), text);
        }
        assert!("Pod default/x".parse::<ObjectKey>().is_err());
        assert!("Tenant".parse::<ObjectKey>().is_err());
    }

    #[test]
    fn status_documents_of_two_tenants_never_share_a_file() {
        let file = |text: &str| text.parse::<ObjectKey>().unwrap().status_file();
        assert_eq!(file("Tenant acme"), "tenant/acme.json");
        assert_eq!(
            file("Policy pavilion-acme/over18"),
            "policy/acme.over18.json"
        );
        assert_eq!(
            file("RelyingParty pavilion-beta/shop"),
            "relyingparty/beta.shop.json"
        );
    }
}
