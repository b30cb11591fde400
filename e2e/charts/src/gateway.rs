//! A Gateway as a platform team may have it: Contour, and Envoy as it says. Others wrote both.

mod definitions;

use std::{
    fs::{self, File},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Child, Command},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{NAMESPACE, Outcome, tools_with};

pub use definitions::{Definitions, VERSION};

/// The namespace of the platform team.
pub const PLATFORM: &str = "platform-of-tests";
/// What their Gateway and its class are called.
pub const GATEWAY: &str = "public";

/// What Contour is called in a `GatewayClass`.
const CONTROLLER: &str = "projectcontour.io/gateway-controller";

/// Envoy listens this far above the port of the Gateway's listener (Contour's internal/gatewayapi/listeners.go).
const ABOVE: u16 = 8000;

/// What no test is about; for some of it the definitions are too old or too new.
const LEFT_OUT: [&str; 4] = [
    "extensionservices",
    "tcproutes",
    "grpcroutes",
    "backendtlspolicies",
];

/// Controller and proxy of the Gateway, as processes; they are killed when dropped.
#[derive(Debug)]
pub struct Contour {
    controller: Child,
    proxy: Child,
    port: u16,
    _folder: TempDir,
}

impl Contour {
    /// Starts them for the cluster that `KUBECONFIG` names. The Gateway need not be there yet. `envoy` is the program, where
    /// it is to run; from there this machine is reached at `told_at`.
    ///
    /// # Errors
    /// What cannot be started.
    pub fn start(mut envoy: Command, told_at: IpAddr) -> Result<Self> {
        let folder = TempDir::new()?;
        let program = tools_with("contour")?.program("contour")?;
        let told_at = SocketAddr::new(told_at, free_port()?);
        let controller = serve(&program, told_at, folder.path())?;
        let bootstrap = folder.path().join("envoy.json");
        let made = Command::new(&program)
            .arg("bootstrap")
            .arg(&bootstrap)
            .arg(format!("--xds-address={}", told_at.ip()))
            .arg(format!("--xds-port={}", told_at.port()))
            .arg("--admin-address")
            .arg(folder.path().join("admin.sock"))
            .output()?;
        let made = Outcome::from(made);
        ensure!(made.succeeded, "{}", made.said);
        let log = File::create(folder.path().join("envoy.log"))?;
        let proxy = envoy
            .args(["--service-cluster", "gateway", "--service-node", "gateway"])
            .args(["--disable-hot-restart", "--concurrency", "1", "-c"])
            .arg(&bootstrap)
            .stderr(log)
            .spawn()
            .context("Envoy cannot be started")?;
        Ok(Self {
            controller,
            proxy,
            port: free_port()?,
            _folder: folder,
        })
    }

    /// The port at which relying parties come in.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The Gateway with one listener that opens nothing, which takes the routes of some namespaces.
    pub fn gateway(&self, namespaces: &Value) -> Value {
        json!({
            "apiVersion": VERSION, "kind": "Gateway", "metadata": {"name": GATEWAY, "namespace": PLATFORM},
            "spec": {"gatewayClassName": GATEWAY, "listeners": [{
                "name": "tenants", "protocol": "TLS", "port": self.port - ABOVE, "tls": {"mode": "Passthrough"},
                "allowedRoutes": {"kinds": [{"kind": "TLSRoute"}], "namespaces": namespaces},
            }]},
        })
    }
}

impl Drop for Contour {
    fn drop(&mut self) {
        for child in [&mut self.proxy, &mut self.controller] {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The class of the Gateway.
pub fn class() -> Value {
    json!({
        "apiVersion": VERSION, "kind": "GatewayClass", "metadata": {"name": GATEWAY},
        "spec": {"controllerName": CONTROLLER},
    })
}

/// The namespaces whose routes the Gateway is to take: that of the documentation.
pub fn ours() -> Value {
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}});
    json!({"from": "Selector", "selector": selector})
}

/// A port that nobody has at this moment.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("0.0.0.0:0")?;
    Ok(listener.local_addr()?.port())
}

/// This machine's address as whoever is at another one sees it.
///
/// # Errors
/// When no way leads there.
pub fn seen_from(other: IpAddr) -> Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // Nothing is sent: the kernel only says which way it would go.
    socket.connect((other, 9))?;
    Ok(socket.local_addr()?.ip())
}

fn serve(program: &Path, told_at: SocketAddr, folder: &Path) -> Result<Child> {
    let config = folder.join("contour.yaml");
    let gateway = json!({"gateway": {"gatewayRef": {"namespace": PLATFORM, "name": GATEWAY}}});
    fs::write(&config, gateway.to_string())?;
    let kubeconfig = std::env::var_os("KUBECONFIG").context("KUBECONFIG names no cluster")?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config-path").arg(config);
    command.arg("--kubeconfig").arg(kubeconfig);
    command.args(["--insecure", "--disable-leader-election"]);
    command.arg(format!("--xds-address={}", told_at.ip()));
    command.arg(format!("--xds-port={}", told_at.port()));
    for name in ["health", "http", "stats", "debug-http"] {
        command.arg(format!("--{name}-address=127.0.0.1"));
        command.arg(format!("--{name}-port={}", free_port()?));
    }
    command.args(LEFT_OUT.map(|feature| format!("--disable-feature={feature}")));
    let log = File::create(folder.join("contour.log"))?;
    command.stdout(log.try_clone()?).stderr(log);
    command.spawn().context("Contour cannot be started")
}
