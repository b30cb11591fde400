//! The namespace, with the strictest Pod Security level.

use k8s_openapi::api::core::v1::Namespace;
use pavilion_bundle::TenantName;

use crate::cluster::owned::{Owned, metadata, namespace_of};

/// The version whose rules are meant, so that an upgrade of the cluster does not change them by itself.
const POD_SECURITY_VERSION: &str = "v1.34";

pub(super) fn build(tenant: &TenantName) -> Owned {
    let mut metadata = metadata(tenant, &namespace_of(tenant));
    let labels = metadata.labels.get_or_insert_default();
    for mode in ["enforce", "audit", "warn"] {
        let label = format!("pod-security.kubernetes.io/{mode}");
        labels.insert(format!("{label}-version"), POD_SECURITY_VERSION.to_owned());
        labels.insert(label, "restricted".to_owned());
    }
    Owned::namespace(&Namespace {
        metadata,
        ..Namespace::default()
    })
}
