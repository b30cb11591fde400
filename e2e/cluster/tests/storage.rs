//! A pod that claims a volume gets a folder of its node, which belongs to the group that the pod names.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "other tests use the rest")]
mod machine;

use std::os::unix::fs::MetadataExt;
use std::{fs, path::PathBuf};

use k8s_openapi::api::core::v1::{
    Namespace, PersistentVolume, PersistentVolumeClaim, Pod, ServiceAccount,
};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use pavilion_e2e_cluster::{PATIENCE, reference};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

const NAMESPACE: &str = "storage";
const GROUP: u32 = 65_532;

/// Looks until something is as it should be.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Makes the namespace anew.
async fn namespace(client: &Client) {
    let all = Api::<Namespace>::all(client.clone());
    // From an earlier run; mostly there is none.
    let _ = all.delete(NAMESPACE, &DeleteParams::default()).await;
    until("the old namespace is gone", async || {
        all.get_opt(NAMESPACE).await.unwrap().is_none()
    })
    .await;
    let object = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).unwrap();
    all.create(&PostParams::default(), &object).await.unwrap();
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), NAMESPACE);
    until("the namespace has its service account", async || {
        accounts.get_opt("default").await.unwrap().is_some()
    })
    .await;
}

fn pod() -> Value {
    json!({
        "metadata": {"name": "owner"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": true, "fsGroup": GROUP},
            "containers": [{
                "name": "probe", "image": reference("probe"), "imagePullPolicy": "Never",
                "args": ["serve", ":8080"],
                "volumeMounts": [{"name": "disk", "mountPath": "/disk"}],
            }],
            "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}],
        },
    })
}

#[tokio::test]
async fn a_claimed_volume_belongs_to_the_group_of_its_pod() {
    machine::run(&["up"]);
    let client = machine::cluster("c1").client().await.unwrap();
    namespace(&client).await;
    // No class is named: the cluster has a default.
    let claim = json!({
        "metadata": {"name": "disk"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "8Gi"}},
        },
    });
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), NAMESPACE);
    let claim = serde_json::from_value(claim).unwrap();
    claims.create(&PostParams::default(), &claim).await.unwrap();
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let pod = serde_json::from_value(pod()).unwrap();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    until("the pod runs", async || {
        let status = pods.get("owner").await.unwrap().status.unwrap_or_default();
        status.phase.as_deref() == Some("Running")
    })
    .await;

    let claim = claims.get("disk").await.unwrap();
    let name = claim.spec.unwrap().volume_name.unwrap();
    let volume = Api::<PersistentVolume>::all(client)
        .get(&name)
        .await
        .unwrap();
    let folder = PathBuf::from(volume.spec.unwrap().local.unwrap().path);
    assert!(folder.starts_with(machine::first_node("c1").folder()));
    let found = fs::metadata(&folder).unwrap();
    assert_eq!(found.gid(), GROUP);
    // What the group may, and that files in it stay the group's.
    assert_eq!(found.mode() & 0o2070, 0o2070, "{:o}", found.mode());
}
