//! The kubelet of a node.

use anyhow::Result;
use serde_json::{Value, json};

use crate::credentials::Credentials;
use crate::directory::write;
use crate::node::Node;
use crate::plan::Plan;
use crate::process::Program;
use crate::tools::Tools;

/// The kubelet, as it runs on the node.
pub fn program(node: &Node, plan: &Plan, tools: &Tools, pki: &Credentials) -> Result<Program> {
    let file = node.path("etc/kubelet.json");
    let configuration = configuration(node, plan, pki);
    write(&file, serde_json::to_vec_pretty(&configuration)?)?;
    // A pod that asks for the node's resolver gets one that knows nothing, rather than the machine's.
    write(&node.path("etc/resolv.conf"), "nameserver 127.0.0.1\n")?;
    let arguments = [
        format!("--config={}", file.display()),
        format!(
            "--kubeconfig={}",
            node.path("pki/kubelet.kubeconfig").display()
        ),
        format!("--hostname-override={}", node.name()),
        format!("--node-ip={}", node.address),
    ];
    Ok(Program::new(
        "kubelet",
        tools.program("kubelet")?,
        arguments,
    ))
}

fn configuration(node: &Node, plan: &Plan, pki: &Credentials) -> Value {
    let mut all = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
    });
    for part in [
        machine(node),
        access(node, pki),
        names(node, plan),
        disk(),
        pace(),
    ] {
        if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
            all.extend(part);
        }
    }
    all
}

fn machine(node: &Node) -> Value {
    json!({
        // Since 1.35 the kubelet refuses cgroup v1 unless told otherwise. containerd 1.6 cannot say which driver it
        // uses, so that it is named here; kubelets after 1.37 will no longer take that.
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", node.cgroup()),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "failSwapOn": false,
        // It finds them as it wants them (namespaces.rs) and touches nothing.
        "protectKernelDefaults": true,
        "makeIPTablesUtilChains": false,
        "seccompDefault": true,
    })
}

fn access(node: &Node, pki: &Credentials) -> Value {
    json!({
        "address": node.address.to_string(),
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "tlsCertFile": node.path("pki/kubelet.crt"),
        "tlsPrivateKeyFile": node.path("pki/kubelet.key"),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": pki.file("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
    })
}

fn names(node: &Node, plan: &Plan) -> Value {
    json!({
        "clusterDomain": "cluster.local",
        "clusterDNS": [plan.service(10).to_string()],
        "resolvConf": node.path("etc/resolv.conf"),
    })
}

/// The disk is the machine's, and how full it is is not this node's doing: no pod is evicted and no image removed
/// before it is nearly full. An image that is gone cannot be pulled again.
fn disk() -> Value {
    json!({
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "imageMinimumGCAge": "24h",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    })
}

/// Tests wait for what the kubelet notices.
fn pace() -> Value {
    json!({"syncFrequency": "10s", "fileCheckFrequency": "20s", "nodeStatusUpdateFrequency": "5s"})
}
