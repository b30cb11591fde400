//! One document as an object of one of our kinds.

use std::collections::BTreeMap;

use pavilion_catalogue::{Entry, manifest};
use pavilion_crds::{API_VERSION, Kind, NAMESPACE_PREFIX};
use serde_json::Value;

use super::yaml::Tree;
use crate::{object_key::ObjectKey, refusal::Refusal};

/// An object as its author wrote it.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it is called.
    pub key: ObjectKey,
    /// The whole object without `status`.
    pub value: Value,
    /// Where it stands.
    pub source: Source,
}

/// Where an object stands.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The file's name in the manifest folder.
    pub file: String,
    /// The document in the file, from 1.
    pub document: usize,
    lines: BTreeMap<String, u64>,
}

impl Object {
    /// A fault of this object.
    pub fn refuse(
        &self,
        field: impl Into<String>,
        entry: &'static Entry,
        message: impl Into<String>,
    ) -> Refusal {
        let field = field.into();
        Refusal {
            line: self.source.line(&field),
            document: Some(self.source.document),
            object: Some(self.key.clone()),
            field,
            ..Refusal::of_file(&self.source.file, entry, message)
        }
    }

    /// Its spec.
    pub fn spec(&self) -> &Value {
        &self.value["spec"]
    }
}

impl Source {
    /// The line of a field, or of the nearest field around it that is there.
    pub fn line(&self, field: &str) -> Option<u64> {
        let mut path = field;
        loop {
            if let Some(line) = self.lines.get(path).filter(|line| **line > 0) {
                return Some(*line);
            }
            path = path.rfind(['.', '[']).map_or("", |end| &path[..end]);
            if path.is_empty() {
                return self.lines.get("").copied().filter(|line| *line > 0);
            }
        }
    }
}

/// Whether a document is the Namespace of a tenant. A cluster needs it before the objects in it; a host has
/// no namespaces, and reads the same files.
pub(super) fn is_namespace(tree: &Tree) -> bool {
    let text = |pointer: &str| tree.value.pointer(pointer).and_then(Value::as_str);
    let name = text("/metadata/name").unwrap_or_default();
    text("/apiVersion") == Some("v1")
        && text("/kind") == Some("Namespace")
        && name.starts_with(NAMESPACE_PREFIX)
}

/// Kind and name of a document; its fields are checked later.
pub(super) fn read(file: &str, document: usize, tree: Tree) -> Result<Object, Box<Refusal>> {
    let Tree { mut value, lines } = tree;
    let source = Source {
        file: file.to_owned(),
        document,
        lines,
    };
    let refuse = |field: &str, entry, message: String| {
        Box::new(Refusal {
            line: source.line(field),
            document: Some(document),
            field: field.to_owned(),
            ..Refusal::of_file(file, entry, message)
        })
    };
    if let Some(fields) = value.as_object_mut() {
        // A manifest taken from a cluster has one; it is the cluster's, not the author's.
        fields.remove("status");
    }
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    if text("/apiVersion") != Some(API_VERSION) {
        let message = format!("must be {API_VERSION}");
        return Err(refuse("apiVersion", &manifest::KIND_UNKNOWN, message));
    }
    let Some(kind) = text("/kind").and_then(Kind::find) else {
        let message = format!("must be one of {}", Kind::ALL.map(Kind::name).join(", "));
        return Err(refuse("kind", &manifest::KIND_UNKNOWN, message));
    };
    let Some(name) = text("/metadata/name").filter(|name| !name.is_empty()) else {
        let message = "must be a string".to_owned();
        return Err(refuse("metadata.name", &manifest::NAME_INVALID, message));
    };
    let key = ObjectKey {
        kind,
        namespace: text("/metadata/namespace")
            .filter(|_| kind.is_namespaced())
            .map(|text| printable(text, 63)),
        name: printable(name, 253),
    };
    Ok(Object { key, value, source })
}

/// A name fit for messages and file names; an unfit one is refused later, as it was written.
fn printable(text: &str, max: usize) -> String {
    text.chars()
        .take(max + 1)
        .map(|c| {
            if c.is_ascii_graphic() && c != '/' {
                c
            } else {
                '?'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::yaml;
    use super::*;

    fn object(text: &str) -> Result<Object, Box<Refusal>> {
        read("a.yaml", 1, yaml::parse(text).unwrap().remove(0))
    }

    #[test]
    fn what_is_not_ours_is_refused_by_name() {
        for (text, expected) in [
            (
                "kind: Tenant",
                "a.yaml:1: apiVersion: must be pavilion.dev/v1alpha1 [KindUnknown]",
            ),
            (
                "apiVersion: v1\nkind: Pod",
                "a.yaml:1: apiVersion: must be pavilion.dev/v1alpha1 [KindUnknown]",
            ),
            (
                "apiVersion: pavilion.dev/v1alpha1\nkind: Pod",
                "a.yaml:2: kind: must be one of Region, Plan, Tenant, TrustAnchor, RelyingParty, Policy [KindUnknown]",
            ),
            (
                "apiVersion: pavilion.dev/v1alpha1\nkind: Tenant\nmetadata: {name: 7}",
                "a.yaml:3: metadata.name: must be a string [NameInvalid]",
            ),
            (
                "- a",
                "a.yaml:1: apiVersion: must be pavilion.dev/v1alpha1 [KindUnknown]",
            ),
        ] {
            assert_eq!(object(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_fault_is_placed_at_the_nearest_line() {
        let text = "apiVersion: pavilion.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec:\n  ingress:\n    hosts: [a]\nstatus: {}";
        let object = object(text).unwrap();
        assert_eq!(object.source.line("spec.ingress.hosts[0]"), Some(6));
        assert_eq!(object.source.line("spec.ingress.tls.keyFile"), Some(6));
        assert_eq!(object.source.line("spec.regions"), Some(5));
        assert!(object.value.get("status").is_none());
        let refusal = object.refuse("spec.regions", &manifest::FIELD_INVALID, "is missing");
        assert_eq!(
            refusal.to_string(),
            "a.yaml:5: Tenant acme: spec.regions: is missing [FieldInvalid]"
        );
    }
}
