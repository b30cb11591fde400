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
    child: Option<Child>,
    folder: TempDir,
}

impl Router {
    /// Starts it and waits until it serves.
    pub async fn start(stage: &Stage, operator: &Operator) -> Self {
        let folder = TempDir::new().unwrap();
        take_identity(stage, folder.path()).await;
        let (here, told_at) = (own_address(stage).await, listening(operator).await);
        let mut router = Self {
            child: None,
            folder,
        };
        loop {
            let address = SocketAddr::new(here, free_port().unwrap());
            if router.serves_at(address, &told_at).await {
                stand_behind_the_service(stage, address).await;
                return router;
            }
        }
    }

    /// Starts it at an address; false where somebody else took that meanwhile.
    async fn serves_at(&mut self, address: SocketAddr, told_at: &str) -> bool {
        let folder = self.folder.path();
        let config = json!({
            "process": {
                "health": "unix:health.sock", "logLevel": "warn", "drainSeconds": 1, "workerThreads": 1,
            },
            "listen": [address],
            "routes": "routes.json",
            "operator": {
                "address": told_at, "serverName": "operator.pavilion.internal",
                "caFile": "ca.crt", "certificateFile": "tls.crt", "keyFile": "tls.key",
            },
            // Nobody waits for a tenant that has no pod.
            "timeOuts": {"awayMs": 0},
        });
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let mut child = Command::new(program("pavilion-router"))
            .arg("--config=config.json")
            .current_dir(folder)
            .stderr(File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let client = reqwest::Client::builder().unix_socket(folder.join("health.sock"));
        let client = client.build().unwrap();
        let mut ended = None;
        eventually("the router is ready", async || {
            ended = child.try_wait().unwrap();
            let page = client.get("http://router/readyz").send().await;
            ended.is_some() || page.is_ok_and(|page| page.status().is_success())
        })
        .await;
        let said = fs::read_to_string(folder.join("log")).unwrap();
        assert!(ended.is_none() || said.contains("port_taken"), "{said}");
        self.child = Some(child);
        ended.is_none()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
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
