//! An operator as it runs in a pod, started beside this program.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::sleep;

use super::site::{NAMESPACE, Site};
use super::tenants::REGION;

const PATIENCE: Duration = Duration::from_mins(2);
/// Everything it counts as a write.
const WRITES: [&str; 4] = [
    "objects_made_total",
    "objects_changed_total",
    "objects_deleted_total",
    "status_writes_total",
];

/// A replica; it is killed when dropped.
pub struct Operator {
    child: Child,
    folder: TempDir,
}

impl Operator {
    /// Starts one.
    pub fn start(site: &Site, identity: &str, workers: usize) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("pavilion-operator");
        let folder = TempDir::new()?;
        let mut command = Command::new(&program);
        command.arg("run").arg("--kubeconfig").arg(&site.kubeconfig);
        command.args(["--region", REGION, "--namespace", NAMESPACE]);
        command.args(["--identity", identity, "--workers", &workers.to_string()]);
        for image in ["verifier", "signer", "auditor", "probe"] {
            let reference = format!("pavilion.local/{image}:bench");
            command.args([&format!("--{image}-image"), &reference]);
        }
        command.args(["--health", &format!("unix:{}", health(&folder).display())]);
        command.args(["--routes-listen", "127.0.0.1:0", "--log-level", "error"]);
        let child = command.stdout(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child, folder })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn lives(&self) -> bool {
        std::fs::read_link(format!("/proc/{}/exe", self.pid())).is_ok()
    }

    /// A page of its health endpoint.
    pub async fn page(&self, name: &str) -> Result<String> {
        let mut stream = UnixStream::connect(health(&self.folder)).await?;
        let request =
            format!("GET /{name} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        Ok(page)
    }

    /// Waits until a page is as it is to be.
    pub async fn until(&self, page: &str, fits: impl Fn(&str) -> bool) -> Result<()> {
        let since = Instant::now();
        while !self.page(page).await.is_ok_and(|text| fits(&text)) {
            ensure!(since.elapsed() < PATIENCE, "{page} is not as it is to be");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The sum of a counter over all its labels.
    pub async fn count(&self, name: &str) -> Result<u64> {
        let page = self.page("metrics").await?;
        let mut sum = 0;
        for line in page.lines() {
            let rest = line
                .strip_prefix("pavilion_")
                .and_then(|line| line.strip_prefix(name));
            if rest.is_some_and(|rest| rest.starts_with(['{', ' '])) {
                let number = line.rsplit(' ').next().context("a line without a number")?;
                sum += number.parse::<u64>()?;
            }
        }
        Ok(sum)
    }

    /// How often it wrote anything.
    pub async fn writes(&self) -> Result<u64> {
        let mut writes = 0;
        for name in WRITES {
            writes += self.count(name).await?;
        }
        Ok(writes)
    }

    /// Stops it in order.
    pub async fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let since = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(since.elapsed() < PATIENCE, "the operator does not stop");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Kills it.
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid())?).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }
}

/// Where it tells how it is.
fn health(folder: &TempDir) -> PathBuf {
    folder.path().join("health.sock")
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
