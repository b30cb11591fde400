//! How much a tenant may take. The figures come as a class, not as free text.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec, ResourceQuota, ResourceQuotaSpec},
    apimachinery::pkg::api::resource::Quantity,
};
use pavilion_bundle::TenantName;

use crate::cluster::{
    kinds::OwnedKind,
    owned::{Owned, metadata},
};

/// Of the whole namespace. Room for the tenant's pod, its probes, and one more pod while one is
/// replaced; nothing that opens a door (a `NodePort`, a load balancer), and few volumes beside the three
/// that keep the token, the log and short-lived state.
const QUOTA: [(&str, &str); 17] = [
    ("requests.cpu", "2"),
    ("requests.memory", "2Gi"),
    ("limits.cpu", "8"),
    ("limits.memory", "4Gi"),
    ("requests.ephemeral-storage", "4Gi"),
    ("limits.ephemeral-storage", "16Gi"),
    ("requests.storage", "64Gi"),
    ("persistentvolumeclaims", "4"),
    ("pods", "8"),
    ("services", "4"),
    ("services.nodeports", "0"),
    ("services.loadbalancers", "0"),
    ("secrets", "64"),
    ("configmaps", "64"),
    ("replicationcontrollers", "0"),
    ("resourcequotas", "4"),
    ("count/jobs.batch", "8"),
];

/// Of a container that says nothing of its own.
const DEFAULT_REQUEST: [(&str, &str); 3] = [
    ("cpu", "50m"),
    ("memory", "64Mi"),
    ("ephemeral-storage", "64Mi"),
];
const DEFAULT_LIMIT: [(&str, &str); 3] = [
    ("cpu", "1"),
    ("memory", "256Mi"),
    ("ephemeral-storage", "512Mi"),
];
/// Of any container.
const MAXIMUM: [(&str, &str); 3] = [
    ("cpu", "4"),
    ("memory", "2Gi"),
    ("ephemeral-storage", "2Gi"),
];

pub(super) fn quota(tenant: &TenantName) -> Owned {
    let quota = ResourceQuota {
        metadata: metadata(tenant, "pavilion"),
        spec: Some(ResourceQuotaSpec {
            hard: Some(quantities(&QUOTA)),
            ..ResourceQuotaSpec::default()
        }),
        status: None,
    };
    Owned::namespaced(OwnedKind::ResourceQuota, tenant, &quota)
}

pub(super) fn limits(tenant: &TenantName) -> Owned {
    let limits = LimitRange {
        metadata: metadata(tenant, "pavilion"),
        spec: Some(LimitRangeSpec {
            limits: vec![LimitRangeItem {
                type_: "Container".to_owned(),
                default_request: Some(quantities(&DEFAULT_REQUEST)),
                default: Some(quantities(&DEFAULT_LIMIT)),
                max: Some(quantities(&MAXIMUM)),
                ..LimitRangeItem::default()
            }],
        }),
    };
    Owned::namespaced(OwnedKind::LimitRange, tenant, &limits)
}

fn quantities(list: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    let quantity =
        |(name, amount): &(&str, &str)| ((*name).to_owned(), Quantity((*amount).to_owned()));
    list.iter().map(quantity).collect()
}
