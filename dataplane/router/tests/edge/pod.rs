//! A tenant's program in a pod: behind mutual TLS, with files that are mounted on both sides.

use std::net::SocketAddr;
use std::path::Path;

use pavilion_bundle::{RouteTable, TlsTarget, Upstream as Target};
use pavilion_json::Digest;
use pavilion_process::Context;
use pavilion_process::mutual_tls::{Listener, Settings};

use crate::roots::{CLIENT, Mount, Root, SERVER};
use crate::stage::{Stage, context, routes};
use crate::upstream::Upstream;

/// A running pod, to which `a.example` leads.
pub struct Pod {
    pub root: Root,
    /// What the edge shows and trusts.
    pub edge: Mount,
    /// What the pod shows and trusts.
    pub own: Mount,
    pub context: Context,
    pub address: SocketAddr,
    pub program: Upstream,
}

/// A listener for mutual TLS that nothing answers at yet.
pub struct Door {
    pub root: Root,
    /// What the edge shows and trusts.
    pub edge: Mount,
    /// What the listener shows and trusts.
    pub own: Mount,
    pub context: Context,
    pub listener: Listener,
}

impl Door {
    pub async fn open(stage: &Stage) -> Self {
        let root = Root::new();
        let at = |name: &str| stage.folder.path().join(name);
        let edge = Mount::new(&at("edge"), &root.pem, &root.client());
        let own = Mount::new(&at("pod"), &root.pem, &root.server());
        let settings = Settings {
            address: "127.0.0.1:0".parse().unwrap(),
            certificate_file: own.certificate(),
            key_file: own.key(),
            client_ca_file: own.ca(),
            client_name: CLIENT.to_owned(),
        };
        let context = context();
        let listener = Listener::bind(&settings, &context).await.unwrap();
        Self {
            root,
            edge,
            own,
            context,
            listener,
        }
    }
}

impl Pod {
    /// A pod that nothing leads to yet.
    pub async fn start(stage: &Stage) -> Self {
        let door = Door::open(stage).await;
        Self {
            address: door.listener.address().unwrap(),
            program: Upstream::behind(door.listener, "pod"),
            root: door.root,
            edge: door.edge,
            own: door.own,
            context: door.context,
        }
    }

    /// A pod that `a.example` leads to in version 2 of the table.
    pub async fn serving(stage: &Stage) -> Self {
        let pod = Self::start(stage).await;
        route(stage, 2, &pod.target()).await;
        pod
    }

    pub fn target(&self) -> TlsTarget {
        target(&self.edge, self.address)
    }

    /// How many handshakes came to `result`.
    pub fn handshakes(&self, result: &str) -> usize {
        let page = self.context.metrics.render().unwrap();
        let line = format!("pavilion_mutual_tls_handshakes_total{{result=\"{result}\"}} ");
        let count = page.lines().find_map(|own| own.strip_prefix(&line));
        count.unwrap().parse().unwrap()
    }

    /// Waits until the pod has taken up the files that are mounted now.
    pub async fn until_renewed(&self, stage: &Stage) {
        let digest = |path| Digest::of(&std::fs::read(path).unwrap()).to_string();
        let (ca, certificate) = (digest(self.own.ca()), digest(self.own.certificate()));
        stage
            .until(|_| {
                let files = self.context.health.status().detail["listenFiles"].clone();
                files["clientCaFile"] == ca && files["certificateFile"] == certificate
            })
            .await;
    }
}

/// A place, and the files of the edge for it.
pub fn target(edge: &Mount, address: SocketAddr) -> TlsTarget {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    TlsTarget {
        address,
        server_name: SERVER.parse().unwrap(),
        ca_file: text(&edge.ca()),
        certificate_file: text(&edge.certificate()),
        key_file: text(&edge.key()),
    }
}

/// The table in which `a.example` leads to `target`.
pub fn table(folder: &Path, version: u64, target: &TlsTarget) -> RouteTable {
    let mut table = routes(folder, version);
    table.routes[0].upstreams = vec![Target::over_tls("/", target.clone())];
    table
}

/// Puts that table in force.
pub async fn route(stage: &Stage, version: u64, target: &TlsTarget) {
    stage.reroute(&table(stage.folder.path(), version, target));
    stage
        .until(|stage| stage.context.health.status().served.unwrap().version == version)
        .await;
}
