//! kube-proxy: services, by rules of nftables in the namespace of the node.

use anyhow::Result;
use serde_json::json;

use crate::credentials::Credentials;
use crate::directory::write;
use crate::node::Node;
use crate::plan::Plan;
use crate::process::Program;
use crate::tools::Tools;

/// kube-proxy, as it runs on the node.
pub fn program(node: &Node, plan: &Plan, tools: &Tools, pki: &Credentials) -> Result<Program> {
    let file = node.path("etc/kube-proxy.json");
    let configuration = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": plan.pods(),
        "hostnameOverride": node.name(),
        "bindAddress": node.address.to_string(),
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": ["primary"],
        "clientConnection": {"kubeconfig": pki.kubeconfig("kube-proxy")},
        // Tables of connections are the whole machine's: left as they are.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"},
    });
    write(&file, serde_json::to_vec_pretty(&configuration)?)?;
    let arguments = [format!("--config={}", file.display())];
    Ok(Program::new(
        "kube-proxy",
        tools.program("kube-proxy")?,
        arguments,
    ))
}
