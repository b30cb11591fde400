//! Pods that try who reaches whom: the harness's probe, with somebody's labels.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::{
    Api,
    api::{ListParams, LogParams, PostParams},
};
use pavilion_e2e_cluster::{Seen, reference};
use serde_json::{Value, json};

use crate::operator::PATIENCE;

/// A probe, as confined as a tenant's namespace asks.
pub fn probe(name: &str, labels: &Value, arguments: &[&str]) -> Pod {
    let pod = json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "restartPolicy": "OnFailure",
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

/// Waits until a pod is in a phase and has an address; fails with what is known of the pod when it never is.
pub async fn reached(pods: &Api<Pod>, name: &str, phase: &str) -> Pod {
    let begun = Instant::now();
    loop {
        let pod = pods.get(name).await.unwrap();
        let status = pod.status.clone().unwrap_or_default();
        if status.phase.as_deref() == Some(phase) && status.pod_ip.is_some() {
            return pod;
        }
        if begun.elapsed() > PATIENCE {
            let told = events(pods, name).await;
            panic!("{name} is never {phase}: {}\n{told}", json!(status));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the cluster says about a pod.
async fn events(pods: &Api<Pod>, name: &str) -> String {
    let namespace = pods.namespace().unwrap_or("default");
    let events: Api<Event> = Api::namespaced(pods.clone().into_client(), namespace);
    let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
    let events = events.list(&about).await.unwrap().items.into_iter();
    events
        .filter_map(|event| event.message)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What a probe that tried for a while saw at each address, in their order.
pub async fn seen(pods: &Api<Pod>, name: &str) -> Vec<Seen> {
    reached(pods, name, "Succeeded").await;
    let log = pods.logs(name, &LogParams::default()).await.unwrap();
    Seen::read(&log).unwrap()
}

/// What a probe with these labels sees at each address, in their order. One `window` is enough for ways that are refused;
/// those that are allowed are tried again until each was `met`, which takes longer on a busy machine.
pub async fn tried(
    pods: &Api<Pod>,
    (name, labels): (&str, &Value),
    window: &str,
    ways: &[(String, bool)],
    met: impl Fn(&Seen) -> u32,
) -> Vec<Seen> {
    let begun = Instant::now();
    let mut all = vec![Seen::default(); ways.len()];
    for attempt in 1.. {
        let name = format!("{name}-{attempt}");
        let addresses = ways.iter().map(|(address, _)| address.as_str());
        let arguments: Vec<&str> = ["watch", window].into_iter().chain(addresses).collect();
        let pod = probe(&name, labels, &arguments);
        pods.create(&PostParams::default(), &pod).await.unwrap();
        let seen = seen(pods, &name).await;
        assert_eq!(seen.len(), ways.len());
        for (all, seen) in all.iter_mut().zip(&seen) {
            all.add(seen);
        }
        let mut ways = ways.iter().zip(&all);
        if ways.all(|((_, allowed), seen)| !allowed || met(seen) > 0) || begun.elapsed() > PATIENCE
        {
            break;
        }
    }
    all
}
