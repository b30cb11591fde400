//! Names, namespaces, and which metadata a manifest may carry.

use pavilion_bundle::{ObjectName, TenantName};
use pavilion_catalogue::manifest;
use pavilion_crds::{Kind, NAMESPACE_PREFIX};

use super::Check;
use crate::{manifests::Object, object_key::ObjectKey};

/// What an author may write, and what a cluster adds to an object that is exported from it.
const KNOWN: [&str; 11] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "ownerReferences",
    "finalizers",
];

pub(super) fn check(check: &mut Check<'_>, object: &Object) {
    let metadata = object.value["metadata"].as_object();
    for field in metadata.into_iter().flat_map(|fields| fields.keys()) {
        if !KNOWN.contains(&field.as_str()) {
            let field = format!("metadata.{}", field.chars().take(64).collect::<String>());
            check.refuse(
                object,
                &field,
                &manifest::FIELD_UNKNOWN,
                "is not a field of metadata",
            );
        }
    }
    name(check, object);
    namespace(check, object);
}

fn name(check: &mut Check<'_>, object: &Object) {
    let name = object.key.name.as_str();
    let outcome = match object.key.kind {
        Kind::Tenant => name.parse::<TenantName>().map(drop),
        _ => name.parse::<ObjectName>().map(drop),
    };
    if let Err(error) = outcome {
        check.refuse(
            object,
            "metadata.name",
            &manifest::NAME_INVALID,
            error.to_string(),
        );
    }
}

fn namespace(check: &mut Check<'_>, object: &Object) {
    let field = "metadata.namespace";
    let written = &object.value["metadata"]["namespace"];
    if !object.key.kind.is_namespaced() {
        if !written.is_null() {
            let message = match object.key.kind {
                Kind::Tenant => format!(
                    "a Tenant lives in no namespace; its other objects live in {NAMESPACE_PREFIX}{}",
                    object.key.name
                ),
                kind => format!("a {} lives in no namespace", kind.name()),
            };
            check.refuse(object, field, &manifest::FIELD_INVALID, message);
        }
        return;
    }
    let Some(namespace) = &object.key.namespace else {
        let message = format!("is missing: write {NAMESPACE_PREFIX} and the tenant's name");
        return check.refuse(object, field, &manifest::NAMESPACE_UNKNOWN, message);
    };
    let tenant = object.key.tenant_name().map(ObjectKey::tenant);
    if !tenant.is_some_and(|tenant| check.may_have(&tenant)) {
        let message = format!("there is no Tenant whose namespace is {namespace}");
        check.refuse(object, field, &manifest::NAMESPACE_UNKNOWN, message);
    }
}
