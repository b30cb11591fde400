//! What the operator was told about the cluster it runs in.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use pavilion_process::LogLevel;

use crate::arguments::{GatewayName, Run};

/// The part of the command line that objects are built from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's and the router's namespace.
    pub namespace: String,
    /// The region this cluster is.
    pub region: String,
    /// The port relying parties use.
    pub public_port: u16,
    /// The Gateway that the edge stands behind.
    pub gateway: Option<GatewayName>,
    /// The images of a tenant's programs.
    pub images: Images,
    /// When the kubelet fetches them: `Always`, `IfNotPresent` or `Never`.
    pub image_pull_policy: String,
    /// The Secrets, in a tenant's namespace, with which it does.
    pub image_pull_secrets: Vec<String>,
    /// Who resolves names.
    pub dns: Dns,
    /// The storage class of a tenant's volumes; the cluster's default if not given.
    pub storage_class: Option<String>,
    /// How long programs may take to finish what is in flight, in seconds.
    pub drain_seconds: u64,
    /// How often a tenant's isolation is tried, in seconds.
    pub probe_every_seconds: u64,
    /// How much a tenant's programs log.
    pub log_level: LogLevel,
}

/// The images of a tenant's programs.
#[derive(Clone, Debug)]
pub struct Images {
    /// Of the verifier.
    pub verifier: String,
    /// Of the signer.
    pub signer: String,
    /// Of the auditor.
    pub auditor: String,
    /// Of the probe.
    pub probe: String,
}

/// Who resolves names in the cluster.
#[derive(Clone, Debug)]
pub struct Dns {
    /// Its pods or addresses.
    pub peers: Vec<NetworkPolicyPeer>,
    /// Where they listen, by UDP and TCP.
    pub ports: Vec<u16>,
}

impl From<&Run> for Settings {
    fn from(options: &Run) -> Self {
        Self {
            namespace: options.namespace.clone(),
            region: options.region.clone(),
            public_port: options.public_port,
            gateway: options.gateway.clone(),
            images: Images {
                verifier: options.verifier_image.clone(),
                signer: options.signer_image.clone(),
                auditor: options.auditor_image.clone(),
                probe: options.probe_image.clone(),
            },
            image_pull_policy: options.image_pull_policy.name().to_owned(),
            image_pull_secrets: options.image_pull_secret.clone(),
            dns: Dns {
                peers: options.dns_peer.iter().map(|peer| peer.0.clone()).collect(),
                ports: options.dns_port.iter().map(|port| port.get()).collect(),
            },
            storage_class: options.storage_class.clone(),
            drain_seconds: options.drain.as_seconds(),
            probe_every_seconds: options.probe_every.as_seconds(),
            log_level: options.log_level,
        }
    }
}
