//! What an object is called, everywhere the same.

use std::{fmt, str::FromStr};

use pavilion_bundle::{ObjectName, TenantName};
use pavilion_crds::{Kind, NAMESPACE_PREFIX};
use pavilion_json::Digest;
use serde::{Deserialize, Serialize};

/// The longest name of a file that is not told by a digest, in bytes; file systems take 255.
const MAX_FILE_NAME: usize = 200;

/// Kind, namespace and name of an object. Written `Policy pavilion-acme/over18` for people and in
/// records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// The namespace; `None` for what lives in none.
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

    /// The tenant this object is, or belongs to; `None` when its namespace is not a tenant's, or when it is no
    /// tenant's at all.
    pub fn tenant_name(&self) -> Option<&str> {
        match &self.namespace {
            None => (self.kind == Kind::Tenant).then_some(&self.name),
            Some(namespace) => namespace.strip_prefix(NAMESPACE_PREFIX),
        }
    }

    /// Where its status document lies, below `status/`. A tenant's name has no dot, so the names of two
    /// objects never meet. A name that is not allowed (its object is refused, and has a status that says
    /// so) or too long for a file is told by its digest, after a `~` that no allowed name has.
    pub fn status_file(&self) -> String {
        let kind = self.kind.name().to_lowercase();
        let readable = match (&self.namespace, self.tenant_name()) {
            (Some(_), Some(tenant)) => format!("{tenant}.{}", self.name),
            _ => self.name.clone(),
        };
        if self.is_allowed() && readable.len() <= MAX_FILE_NAME {
            return format!("{kind}/{readable}.json");
        }
        let begin: String = readable
            .chars()
            .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
            .take(64)
            .collect();
        let digest = Digest::of(self.to_string().as_bytes()).short();
        format!("{kind}/{begin}~{digest}.json")
    }

    fn is_allowed(&self) -> bool {
        let is_tenants = self.kind == Kind::Tenant || self.kind.is_namespaced();
        let tenant = self.tenant_name();
        let placed = self.namespace.is_some() == self.kind.is_namespaced()
            && (!is_tenants || tenant.is_some_and(|tenant| tenant.parse::<TenantName>().is_ok()));
        placed && (self.kind == Kind::Tenant || self.name.parse::<ObjectName>().is_ok())
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
        // A refused object must not write over the status of the one it is named like.
        for stray in [
            "Policy zzz/acme.over18",
            "Policy acme.over18",
            "Policy pavilion-/x",
        ] {
            let file = file(stray);
            assert!(file.starts_with("policy/") && file.contains('~'), "{file}");
        }
    }

    #[test]
    fn what_no_tenant_has_is_no_tenant_however_it_is_named() {
        let key: ObjectKey = "Region acme".parse().unwrap();
        assert_eq!(key.tenant_name(), None);
        assert_eq!(key.status_file(), "region/acme.json");
        let key: ObjectKey = "Tenant acme".parse().unwrap();
        assert_eq!(key.tenant_name(), Some("acme"));
    }

    #[test]
    fn the_longest_name_that_is_allowed_fits_a_file() {
        let name = [
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(61),
        ]
        .join(".");
        let key = |name: &str| ObjectKey {
            kind: Kind::Policy,
            namespace: Some(format!("{NAMESPACE_PREFIX}{}", "t".repeat(54))),
            name: name.to_owned(),
        };
        assert_eq!(name.len(), 253);
        let file = key(&name).status_file();
        assert!(file.len() < 200, "{file}");
        assert_ne!(file, key(&name.replace("ddd", "dde")).status_file());
    }
}
