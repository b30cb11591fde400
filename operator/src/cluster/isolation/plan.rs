//! How much a tenant may take. The figures follow from its plan, so that a pod of the plan always fits.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec, ResourceQuota, ResourceQuotaSpec},
    apimachinery::pkg::api::resource::Quantity,
};
use pavilion_bundle::TenantName;
use pavilion_crds::Share;

use crate::cluster::{
    kinds::OwnedKind,
    owned::{Owned, metadata},
    sizing::{Sizing, amounts, quantity},
};

/// How many there may be in the namespace, whatever the plan. Nothing that opens a door (a `NodePort`, a load
/// balancer), and few volumes beside the three that keep the token, the log and short-lived state. None of our kinds: as
/// long as the cluster has not counted them it refuses every one, which for a kind that is new to it may be minutes.
const COUNTS: [(&str, u32); 10] = [
    ("persistentvolumeclaims", 4),
    ("pods", 8),
    ("services", 4),
    ("services.nodeports", 0),
    ("services.loadbalancers", 0),
    ("secrets", 64),
    ("configmaps", 64),
    ("replicationcontrollers", 0),
    ("resourcequotas", 4),
    ("count/jobs.batch", 8),
];

/// The tenant's pod, and one more while it is replaced.
const PODS: u64 = 2;
/// Beside them: containers that say nothing of their own, like probes.
const OTHERS: u64 = 4;
/// Of such a container.
const DEFAULT_REQUEST: Share = Share::of(50, 64);
const DEFAULT_LIMIT: Share = Share::of(1_000, 256);

/// Disk of a node, which no plan speaks of: programs write to volumes alone.
const EPHEMERAL: &str = "ephemeral-storage";
/// Of a container that says nothing of its own, and the most of any.
const EPHEMERAL_REQUEST: &str = "64Mi";
const EPHEMERAL_LIMIT: &str = "512Mi";
const EPHEMERAL_MAXIMUM: &str = "2Gi";
/// Of the whole namespace.
const EPHEMERAL_REQUESTS: &str = "4Gi";
const EPHEMERAL_LIMITS: &str = "16Gi";

pub(super) fn quota(tenant: &TenantName, sizing: &Sizing) -> Owned {
    let pod = sizing.pod();
    let whole = |of_pod: Share, of_other: Share| of_pod.times(PODS).and(of_other.times(OTHERS));
    let requests = whole(pod.requests, DEFAULT_REQUEST);
    let limits = whole(pod.limits, DEFAULT_LIMIT);
    let amounts = [
        ("requests.cpu", quantity(requests.cpu)),
        ("requests.memory", quantity(requests.memory)),
        ("limits.cpu", quantity(limits.cpu)),
        ("limits.memory", quantity(limits.memory)),
        ("requests.storage", quantity(sizing.storage())),
        ("requests.ephemeral-storage", quantity(EPHEMERAL_REQUESTS)),
        ("limits.ephemeral-storage", quantity(EPHEMERAL_LIMITS)),
    ];
    let counts = COUNTS.map(|(name, count)| (name, quantity(count)));
    let hard = amounts.into_iter().chain(counts);
    let hard: BTreeMap<_, _> = hard
        .map(|(name, amount)| (name.to_owned(), amount))
        .collect();
    let quota = ResourceQuota {
        metadata: metadata(tenant, "pavilion"),
        spec: Some(ResourceQuotaSpec {
            hard: Some(hard),
            ..ResourceQuotaSpec::default()
        }),
        status: None,
    };
    Owned::namespaced(OwnedKind::ResourceQuota, tenant, &quota)
}

pub(super) fn limits(tenant: &TenantName, sizing: &Sizing) -> Owned {
    let programs = sizing.plan.programs.each();
    let largest = programs.iter().fold(DEFAULT_LIMIT, |largest, one| Share {
        cpu: largest.cpu.max(one.limits.cpu),
        memory: largest.memory.max(one.limits.memory),
    });
    let limits = LimitRange {
        metadata: metadata(tenant, "pavilion"),
        spec: Some(LimitRangeSpec {
            limits: vec![LimitRangeItem {
                type_: "Container".to_owned(),
                default_request: Some(with_disk(DEFAULT_REQUEST, EPHEMERAL_REQUEST)),
                default: Some(with_disk(DEFAULT_LIMIT, EPHEMERAL_LIMIT)),
                max: Some(with_disk(largest, EPHEMERAL_MAXIMUM)),
                ..LimitRangeItem::default()
            }],
        }),
    };
    Owned::namespaced(OwnedKind::LimitRange, tenant, &limits)
}

fn with_disk(share: Share, disk: &str) -> BTreeMap<String, Quantity> {
    let mut amounts = amounts(share);
    amounts.insert(EPHEMERAL.to_owned(), quantity(disk));
    amounts
}
