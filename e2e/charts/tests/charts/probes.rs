//! Pods that try who reaches whom: the harness's probe, with somebody's labels.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{LogParams, PostParams},
};
use pavilion_e2e_cluster::reference;
use serde_json::{Value, json};

use crate::operator::eventually;

/// What a probe saw that tried for a while.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// How often it tried.
    pub attempts: u32,
    /// How often somebody took the connection.
    pub connected: u32,
    /// How often another probe greeted it.
    pub greeted: u32,
}

/// A probe, as confined as a tenant's namespace asks.
pub fn probe(name: &str, labels: &Value, arguments: &[&str]) -> Pod {
    let pod = json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "probe", "image": reference("probe"), "imagePullPolicy": "Never", "args": arguments,
                "resources": {
                    "requests": {"cpu": "20m", "memory": "16Mi"},
                    "limits": {"cpu": "500m", "memory": "64Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    });
    serde_json::from_value(pod).unwrap()
}

/// Starts a pod and waits until it is in a phase and has an address.
pub async fn start(pods: &Api<Pod>, pod: &Pod, phase: &str) -> Pod {
    pods.create(&PostParams::default(), pod).await.unwrap();
    reached(pods, pod.metadata.name.as_deref().unwrap(), phase).await
}

/// Waits until a pod is in a phase and has an address.
pub async fn reached(pods: &Api<Pod>, name: &str, phase: &str) -> Pod {
    eventually(&format!("{name} is {phase}"), async || {
        let status = pods.get(name).await.unwrap().status.unwrap_or_default();
        status.phase.as_deref() == Some(phase) && status.pod_ip.is_some()
    })
    .await;
    pods.get(name).await.unwrap()
}

/// What a probe that tried for a while saw.
pub async fn seen(pods: &Api<Pod>, name: &str) -> Seen {
    reached(pods, name, "Succeeded").await;
    let log = pods.logs(name, &LogParams::default()).await.unwrap();
    let number = |key: &str| {
        let mut words = log.split_whitespace();
        let value = words.find_map(|word| word.strip_prefix(key));
        value
            .unwrap_or_else(|| panic!("{name} said {log:?}"))
            .parse()
            .unwrap()
    };
    Seen {
        attempts: number("attempts="),
        connected: number("connected="),
        greeted: number("greeted="),
    }
}
