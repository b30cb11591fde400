//! Who talks to whom: nobody, and then each opening that is needed, by its own policy.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::networking::v1::{
        IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule,
        NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use pavilion_bundle::TenantName;

use crate::{
    cluster::{
        kinds::OwnedKind,
        owned::{Owned, metadata},
        settings::{Dns, Settings},
    },
    desired::DesiredTenant,
};

/// What a pod of the data plane is found by.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// The component of the pod with verifier, signer and auditor.
pub const DATA_PLANE: &str = "data-plane";

/// Where the verifier takes requests of the router.
pub const API_PORT: u16 = 8443;
/// Where the auditor shows the log to the router.
pub const LOG_PORT: u16 = 8444;
/// Where verifier, signer and auditor tell how they are.
pub const HEALTH_PORTS: [u16; 3] = [9101, 9102, 9103];
/// Where probes are asked how their tries went.
pub const PROBE_PORT: u16 = 9104;
/// Where the kubelet asks whether a tenant's probe runs.
pub const PROBE_HEALTH_PORT: u16 = 9105;
/// Where the neighbour lets in whoever comes.
pub const NEIGHBOUR_DOOR: u16 = 8080;

/// Where no outside address lies: private networks, the node's own, and the metadata services of
/// clouds among them (RFC 6890).
const NOT_OUTSIDE: [&str; 9] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
];

pub(super) fn build(
    tenant: &TenantName,
    desired: &DesiredTenant,
    settings: &Settings,
) -> Vec<Owned> {
    let policy = |name: &str, spec: NetworkPolicySpec| {
        let policy = NetworkPolicy {
            metadata: metadata(tenant, name),
            spec: Some(spec),
        };
        Owned::namespaced(OwnedKind::NetworkPolicy, tenant, &policy)
    };
    let mut policies = vec![
        policy("default-deny", deny_all()),
        policy("from-router", from_router(settings)),
        policy("from-operator", from_operator(settings)),
    ];
    if fetches(desired) {
        policies.push(policy("to-status-lists", to_status_lists(&settings.dns)));
    }
    policies
}

/// Whether something of the tenant's is fetched from outside: every credential may name a status list.
pub fn fetches(desired: &DesiredTenant) -> bool {
    !desired.bundle.trust_anchors.is_empty()
}

fn deny_all() -> NetworkPolicySpec {
    NetworkPolicySpec {
        pod_selector: Some(LabelSelector::default()),
        policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        ..NetworkPolicySpec::default()
    }
}

fn from_router(settings: &Settings) -> NetworkPolicySpec {
    let router = peer(&settings.namespace, "router");
    ingress(router, &[API_PORT, LOG_PORT])
}

fn from_operator(settings: &Settings) -> NetworkPolicySpec {
    let operator = peer(&settings.namespace, "operator");
    ingress(operator, &[&HEALTH_PORTS[..], &[PROBE_PORT]].concat())
}

/// Names are resolved by whoever the cluster has for it; lists are fetched by
/// HTTPS from outside addresses alone. Private ones stay closed also where a `TrustAnchor` allows them,
/// because the API server and other tenants are among them: who has lists there adds an opening for
/// just these.
fn to_status_lists(dns: &Dns) -> NetworkPolicySpec {
    let names = dns.ports.iter();
    let names = names.flat_map(|number| [port("UDP", *number), port("TCP", *number)]);
    let outside = NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: "0.0.0.0/0".to_owned(),
            except: Some(NOT_OUTSIDE.map(str::to_owned).to_vec()),
        }),
        ..NetworkPolicyPeer::default()
    };
    let rule = |peers, ports| NetworkPolicyEgressRule {
        to: Some(peers),
        ports: Some(ports),
    };
    NetworkPolicySpec {
        pod_selector: Some(data_plane()),
        policy_types: Some(vec!["Egress".to_owned()]),
        egress: Some(vec![
            rule(dns.peers.clone(), names.collect()),
            rule(vec![outside], vec![port("TCP", 443)]),
        ]),
        ..NetworkPolicySpec::default()
    }
}

fn ingress(peer: NetworkPolicyPeer, ports: &[u16]) -> NetworkPolicySpec {
    NetworkPolicySpec {
        pod_selector: Some(data_plane()),
        policy_types: Some(vec!["Ingress".to_owned()]),
        ingress: Some(vec![NetworkPolicyIngressRule {
            from: Some(vec![peer]),
            ports: Some(ports.iter().map(|number| port("TCP", *number)).collect()),
        }]),
        ..NetworkPolicySpec::default()
    }
}

/// The pods of a component of ours in the operator's namespace. The label of a namespace's name is
/// set by the API server and cannot be taken on.
fn peer(namespace: &str, component: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(labels(&[("kubernetes.io/metadata.name", namespace)])),
        pod_selector: Some(labels(&[
            ("app.kubernetes.io/name", "pavilion"),
            (COMPONENT, component),
        ])),
        ..NetworkPolicyPeer::default()
    }
}

fn data_plane() -> LabelSelector {
    labels(&[(COMPONENT, DATA_PLANE)])
}

fn labels(list: &[(&str, &str)]) -> LabelSelector {
    let labels = list
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    LabelSelector {
        match_labels: Some(labels.collect::<BTreeMap<_, _>>()),
        ..LabelSelector::default()
    }
}

/// The protocol is written out: the API server would add it, and what is applied is to be the same as
/// what is there.
fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(i32::from(number))),
        end_port: None,
    }
}
