//! An installation with a tenant that answers.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use pavilion_e2e_charts::{CRDS_RELEASE, Helm, NAMESPACE, RELEASE, chart, verdict};
use pavilion_e2e_cluster::{Cluster, Directory};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::command::{kubectl, kubectl_with, run};

/// The quickstart's tenant.
pub const TENANT: &str = "acme";
/// Its namespace.
pub const TENANT_NAMESPACE: &str = "pavilion-acme";

/// How Pavilion is installed.
pub const PAVILION_SETTINGS: [&str; 4] = [
    "--set=region.name=eu-central,region.jurisdiction=DE",
    "--set=router.service.type=NodePort",
    "--set=images.pullPolicy=Never",
    "--set=isolation.everySeconds=5",
];

/// How long anything may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(3);
const PAUSE: Duration = Duration::from_millis(200);

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// What a test has to itself.
pub struct Stage {
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    /// The charts installed and the quickstart Ready, however a test before left them.
    pub async fn set() -> Self {
        let stage = Self {
            _turn: ONE_AT_A_TIME.lock().await,
        };
        install();
        apply_quickstart();
        until_ready();
        stage
    }
}

/// Installs both charts, or brings them to this checkout's, and waits until operator and edge run.
pub fn install() {
    install_with(&[]);
}

/// The same with further settings.
pub fn install_with(settings: &[&str]) {
    let [_, helm] = Helm::both().unwrap();
    let crds = chart("pavilion-crds").display().to_string();
    let line = ["upgrade", "--install", CRDS_RELEASE, &crds];
    let wait = ["--namespace", NAMESPACE, "--create-namespace", "--wait"];
    helm.succeed(&[&line[..], &wait].concat()).unwrap();
    let pavilion = chart("pavilion").display().to_string();
    let line = ["upgrade", "--install", RELEASE, &pavilion];
    let arguments = [
        &line[..],
        &wait,
        &PAVILION_SETTINGS,
        settings,
        &["--timeout=3m"],
    ];
    let arguments = arguments.concat();
    let outcome = helm.run(&arguments).unwrap();
    if !outcome.succeeded {
        let pods = kubectl(&format!("-n {NAMESPACE} get pods -o wide"));
        let events = kubectl(&format!("-n {NAMESPACE} get events"));
        panic!("{}\n{pods}\n{events}", outcome.said);
    }
}

/// As the documentation says.
pub fn apply_quickstart() {
    kubectl("apply -f examples/quickstart");
    // What a test before set stays: the quickstart says nothing of it.
    let patch = r#"{"spec": {"suspend": false, "hibernate": false}}"#;
    kubectl_with(&["patch", "tenant", "acme", "--type=merge", "-p", patch]);
}

/// The tenant as it is now.
pub fn tenant() -> Value {
    serde_json::from_str(&kubectl("get tenant acme -o json")).unwrap()
}

/// Status and reason of a condition of it, like `False Suspended`; empty while there is none.
pub fn condition(type_: &str) -> String {
    verdict(&tenant()["status"], type_)
}

/// Waits until the tenant is Ready; how long that took. `kubectl wait` takes no `True` that was said of a generation before
/// (its condition's `observedGeneration`), so an edit just before is waited for.
pub fn until_ready() -> Duration {
    let since = Instant::now();
    let ready = [
        "wait",
        "--for=condition=Ready",
        "tenant/acme",
        "--timeout=2m",
    ];
    let outcome = run(&crate::command::tool("kubectl"), &ready);
    if !outcome.succeeded {
        let status = kubectl("get tenant acme -o yaml");
        let pods = kubectl("get pods -A -o wide");
        let events = kubectl(&format!("-n {TENANT_NAMESPACE} get events"));
        panic!("{}\n{status}\n{pods}\n{events}", outcome.said);
    }
    since.elapsed()
}

/// The address of the edge from outside the cluster.
pub fn edge() -> String {
    let node = kubectl(
        "get nodes -o jsonpath={.items[0].status.addresses[?(@.type==\"InternalIP\")].address}",
    );
    let path = "-o jsonpath={.spec.ports[0].nodePort}";
    let port = kubectl(&format!(
        "-n {NAMESPACE} get service pavilion-router {path}"
    ));
    format!("{}:{}", node.trim(), port.trim())
}

/// The harness's cluster that KUBECONFIG names, if it is one of those.
pub fn cluster() -> Option<Cluster> {
    let kubeconfig = PathBuf::from(std::env::var_os("KUBECONFIG").unwrap());
    Cluster::by_kubeconfig(&Directory::usual().unwrap(), &kubeconfig)
}

/// Looks until something holds; how long that took.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(PAUSE);
    }
    since.elapsed()
}
