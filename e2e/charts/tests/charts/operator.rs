//! The operator as the chart would run it, but outside of the cluster: with the account's token and the
//! arguments of its Deployment.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use kube::{Client, core::DynamicObject};
use pavilion_e2e_charts::NAMESPACE;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{callers, objects::api};

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// How long it writes no object of a tenant once all are as they stay.
const QUIET: Duration = Duration::from_secs(10);
/// How long its lease is good: nobody waits for its end, and the API server of a busy machine may be slow again and again in
/// that time.
const LEASE: &str = "15s";
/// How long it may take to stop when it is told to.
const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// A replica that runs; it ends when dropped.
pub struct Operator {
    child: Child,
    folder: TempDir,
}

impl Operator {
    /// Starts it, without waiting for anything.
    pub async fn start(admin: &Client, identity: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        callers::write_kubeconfig(admin, NAMESPACE, "pavilion-operator", &kubeconfig).await;
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program())
            .args(arguments(admin, &health(&folder)).await)
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .env("POD_NAMESPACE", NAMESPACE)
            .env("POD_NAME", identity)
            .env_remove("KUBECONFIG")
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// Starts it and waits until it writes.
    pub async fn leading(admin: &Client, identity: &str) -> Self {
        let operator = Self::start(admin, identity).await;
        eventually("the operator writes", async || {
            operator.count("leader").await == 1
        })
        .await;
        operator
    }

    /// The kubeconfig of its account.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A page of its health endpoint; empty while there is none.
    pub async fn get(&self, page: &str) -> String {
        let client = reqwest::Client::builder().unix_socket(health(&self.folder));
        let request = client
            .build()
            .unwrap()
            .get(format!("http://operator/{page}"));
        match request.send().await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// The sum of a metric over all its labels.
    pub async fn count(&self, name: &str) -> u64 {
        let metrics = self.get("metrics").await;
        let lines = metrics.lines().filter_map(|line| {
            let rest = line.strip_prefix("pavilion_")?.strip_prefix(name)?;
            let value = rest
                .starts_with(['{', ' '])
                .then(|| rest.rsplit(' ').next());
            value.flatten()
        });
        lines.map(|value| value.parse::<u64>().unwrap()).sum()
    }

    /// How often it wrote an object of a tenant.
    pub async fn object_writes(&self) -> u64 {
        let mut writes = 0;
        for what in ["made", "changed", "deleted"] {
            writes += self.count(&format!("objects_{what}_total")).await;
        }
        writes
    }

    /// Waits until it has looked at so many tenants and whatever it had to write for them is written.
    pub async fn rest(&self, tenants: u64) {
        eventually("every tenant was looked at", async || {
            self.count("rounds_total").await >= tenants
        })
        .await;
        let mut last = (self.object_writes().await, Instant::now());
        eventually("it comes to rest", async || {
            let writes = self.object_writes().await;
            if writes != last.0 {
                last = (writes, Instant::now());
            }
            last.1.elapsed() > QUIET
        })
        .await;
    }

    /// Its exit code and what it said, once it has ended by itself.
    pub async fn end(&mut self) -> (Option<i32>, String) {
        eventually("the operator ends", async || {
            self.child.try_wait().unwrap().is_some()
        })
        .await;
        (self.child.wait().unwrap().code(), self.said())
    }

    /// Tells it to stop and waits until it has.
    pub async fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let (code, said) = self.end().await;
        assert_eq!(code, Some(0), "{said}");
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // Told to stop it gives its lease back, for which the next would have to wait. It may have ended by itself.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < STOPS_WITHIN {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of this build.
fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let programs = here
        .ancestors()
        .map(|folder| folder.join("pavilion-operator"));
    let mut found = programs.filter(|program: &PathBuf| Path::is_file(program));
    found
        .next()
        .expect("build it first: cargo build -p pavilion-operator")
}

/// Where a replica tells how it is.
fn health(folder: &TempDir) -> PathBuf {
    folder.path().join("health.sock")
}

/// What the Deployment says, but for the lease, and for the addresses: there may be another on this machine.
async fn arguments(admin: &Client, health: &Path) -> Vec<String> {
    let deployments = api(admin, "Deployment", Some(NAMESPACE));
    let deployment: DynamicObject = deployments.get("pavilion-operator").await.unwrap();
    let arguments = deployment.data["spec"]["template"]["spec"]["containers"][0]["args"].clone();
    let arguments: Vec<String> = serde_json::from_value(arguments).unwrap();
    let here = |argument: String| {
        if argument.starts_with("--health=") {
            format!("--health=unix:{}", health.display())
        } else if argument.starts_with("--routes-listen=") {
            "--routes-listen=127.0.0.1:0".to_owned()
        } else if argument.starts_with("--lease=") {
            format!("--lease={LEASE}")
        } else {
            argument
        }
    };
    arguments.into_iter().map(here).collect()
}

/// Waits until something holds; fails by name when it never does.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
