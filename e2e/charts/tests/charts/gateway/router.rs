//! A router on this machine, in the place of those in the cluster: it follows the operator's routes, and stands behind
//! the routers' Service.

use std::{
    fs::{self, File},
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command},
};

use k8s_openapi::{
    ByteString,
    api::core::v1::{Node, Secret, Service},
};
use kube::{Api, ResourceExt, api::ListParams};
use pavilion_e2e::program;
use pavilion_e2e_charts::{
    NAMESPACE,
    gateway::{free_port, seen_from},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    operator::{Operator, eventually},
    stage::{LABEL, Stage},
};

/// What it proves with who it is.
const IDENTITY: &str = "pavilion-router-identity";

/// One that runs; it is killed when dropped.
pub struct Router {
    child: Child,
    _folder: TempDir,
}

impl Router {
    /// Starts it and waits until it serves.
    pub async fn start(stage: &Stage, operator: &Operator) -> Self {
        let folder = TempDir::new().unwrap();
        take_identity(stage, folder.path()).await;
        let address = SocketAddr::new(own_address(stage).await, free_port().unwrap());
        let health = free_port().unwrap();
        let config = json!({
            "process": {
                "health": format!("tcp:127.0.0.1:{health}"), "logLevel": "warn", "drainSeconds": 1, "workerThreads": 1,
            },
            "listen": [address],
            "routes": "routes.json",
            "operator": {
                "address": listening(operator).await, "serverName": "operator.pavilion.internal",
                "caFile": "ca.crt", "certificateFile": "tls.crt", "keyFile": "tls.key",
            },
            // Nobody waits for a tenant that has no pod.
            "timeOuts": {"awayMs": 0},
        });
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let child = Command::new(program("pavilion-router"))
            .arg("--config=config.json")
            .current_dir(folder.path())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let router = Self {
            child,
            _folder: folder,
        };
        eventually("the router is ready", async || {
            let page = reqwest::get(format!("http://127.0.0.1:{health}/readyz")).await;
            page.is_ok_and(|page| page.status().is_success())
        })
        .await;
        stand_behind_the_service(stage, address).await;
        router
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As its pod would mount it.
async fn take_identity(stage: &Stage, folder: &Path) {
    let secrets: Api<Secret> = Api::namespaced(stage.admin.clone(), NAMESPACE);
    let mut data = None;
    eventually(IDENTITY, async || {
        let found = secrets.get_opt(IDENTITY).await.unwrap();
        data = found.and_then(|secret| secret.data);
        data.is_some()
    })
    .await;
    for (name, ByteString(bytes)) in data.unwrap() {
        let file = folder.join(name);
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Where a replica tells its routes.
async fn listening(operator: &Operator) -> String {
    let mut address = String::new();
    eventually("the replica takes routers", async || {
        let status = operator.get("status").await;
        let status: Value = serde_json::from_str(&status).unwrap_or_default();
        let said = status["detail"]["listen"].as_str().unwrap_or_default();
        said.clone_into(&mut address);
        !address.is_empty()
    })
    .await;
    address
}

/// This machine's address towards the nodes: no Service leads to a loopback.
async fn own_address(stage: &Stage) -> IpAddr {
    let nodes: Api<Node> = Api::all(stage.admin.clone());
    let nodes = nodes.list(&ListParams::default()).await.unwrap();
    let addresses = nodes.items[0].status.clone().unwrap().addresses.unwrap();
    let inside = addresses.iter().find(|one| one.type_ == "InternalIP");
    seen_from(inside.unwrap().address.parse().unwrap()).unwrap()
}

async fn stand_behind_the_service(stage: &Stage, address: SocketAddr) {
    let (name, service) = ("chart-test-router", "pavilion-router");
    let services: Api<Service> = Api::namespaced(stage.admin.clone(), NAMESPACE);
    let uid = services.get(service).await.unwrap().uid();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/service-name": service,
            "endpointslice.kubernetes.io/managed-by": "chart-test", LABEL: "true",
        }, "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": service, "uid": uid}]},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address.ip()], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "port": address.port(), "protocol": "TCP"}],
    });
    stage
        .apply("EndpointSlice", Some(NAMESPACE), name, slice)
        .await;
}
