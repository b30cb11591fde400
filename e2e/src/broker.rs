//! A broker as its operator runs it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::judges::LogSource;
use crate::{Manifests, program};

/// How long anything may take to come up on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A running `pavilion-operator standalone`; stopped, with all its children, when dropped.
pub struct Broker {
    child: Child,
    address: SocketAddr,
    state: PathBuf,
    arguments: Vec<&'static str>,
    /// Deleted last.
    folder: TempDir,
}

impl Broker {
    /// Starts a broker on these manifests and waits until its tenants are ready.
    pub fn start(manifests: &Manifests) -> Self {
        Self::start_with(manifests, Vec::new())
    }

    /// The same with more arguments for the operator.
    pub fn start_with(manifests: &Manifests, arguments: Vec<&'static str>) -> Self {
        let folder = TempDir::with_prefix("pavilion-").expect("a temporary folder");
        manifests.write_to(&folder.path().join("manifests"));
        let broker = Self::launch(folder, free_port(), arguments);
        for tenant in manifests.tenants() {
            broker.wait_ready(&tenant);
        }
        broker
    }

    /// At this address, or at another one where somebody has it by now.
    fn launch(folder: TempDir, address: SocketAddr, arguments: Vec<&'static str>) -> Self {
        let state = folder.path().join("state");
        let mut broker = Self {
            child: Self::spawn(folder.path(), &state, address, &arguments),
            address,
            state,
            arguments,
            folder,
        };
        while broker.found_its_port_taken() {
            broker.address = free_port();
            broker.restart();
        }
        broker
    }

    /// Whether somebody was faster at its port. That is told at once; otherwise it comes to write what it does.
    fn found_its_port_taken(&mut self) -> bool {
        let in_use = format!("{} is in use", self.address);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !self.is_operated() {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return self.log().contains(&in_use);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Whether the operator has written how it is: until its first round, what one before this one wrote is still there.
    fn is_operated(&self) -> bool {
        let operator = self.status("operator", "operator").unwrap_or_default();
        operator["status"]["pid"] == self.child.id()
    }

    fn spawn(folder: &Path, state: &Path, address: SocketAddr, arguments: &[&str]) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("broker.log"))
            .expect("a log file");
        Command::new(program("pavilion-operator"))
            .arg("standalone")
            .arg("--manifests")
            .arg(folder.join("manifests"))
            .arg("--state")
            .arg(state)
            .arg("--listen")
            .arg(address.to_string())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("pavilion-operator starts")
    }

    /// Where the edge listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The folder that the manifests are in.
    pub fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    /// What the broker has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("broker.log")).unwrap_or_default()
    }

    /// The operator's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A tenant's log as outsiders read it.
    pub fn served_log(&self, tenant: &str) -> LogSource<'static> {
        let port = self.address.port();
        LogSource::Served {
            url: format!("https://verify.{tenant}.localhost:{port}/log"),
            connect: self.address,
            ca: self.authority(tenant),
        }
    }

    /// The authority that made the certificate of a tenant's host.
    pub fn authority(&self, tenant: &str) -> PathBuf {
        self.state.join(format!("tenants/{tenant}/tls/ca.pem"))
    }

    /// The status document of an object, if there is one.
    pub fn status(&self, kind: &str, name: &str) -> Option<Value> {
        let path = self
            .state
            .join("status")
            .join(kind)
            .join(format!("{name}.json"));
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Waits until the tenant is ready.
    pub fn wait_ready(&self, tenant: &str) {
        self.wait_for(&format!("tenant {tenant} to be ready"), || {
            let operator = self.status("operator", "operator").unwrap_or_default();
            let tenant = self.status("tenant", tenant).unwrap_or_default();
            self.is_operated()
                && [operator, tenant]
                    .iter()
                    .all(|object| condition(object, "Ready").as_deref() == Some("True"))
        });
    }

    /// Waits until something holds; fails with the broker's log when it does not come.
    pub fn wait_for(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}; the broker's log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What one of the operator's children counts, as Prometheus would read it.
    pub fn metrics(&self, program: &str, tenant: Option<&str>) -> String {
        let socket = match tenant {
            Some(tenant) => format!("tenants/{tenant}/run/{program}-health.sock"),
            None => format!("{program}/health.sock"),
        };
        let mut stream = UnixStream::connect(self.state.join(socket)).expect("a health socket");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("metrics");
        assert!(text.contains("# EOF"), "{text}");
        text
    }

    /// The pid of one of the operator's children, by program and tenant.
    pub fn child(&self, program: &str, tenant: Option<&str>) -> Option<u32> {
        let children: Value =
            serde_json::from_slice(&std::fs::read(self.state.join("operator/children.json")).ok()?)
                .ok()?;
        let children = children
            .as_array()
            .cloned()
            .or_else(|| children["children"].as_array().cloned())?;
        let found = children.iter().find(|child| {
            child["binary"].as_str() == Some(program)
                && (tenant.is_none() || child["tenant"].as_str() == tenant)
        })?;
        found["pid"]
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok())
    }

    /// Kills one of the operator's children as the kernel would, without warning.
    pub fn kill_child(&self, program: &str, tenant: Option<&str>) -> u32 {
        let pid = self
            .child(program, tenant)
            .unwrap_or_else(|| panic!("no {program}; log:\n{}", self.log()));
        signal(pid, Signal::KILL);
        pid
    }

    /// Kills the operator itself without warning; its children are left behind.
    pub fn kill(&mut self) {
        self.child.kill().expect("the operator is ours to kill");
        self.child.wait().expect("the operator has ended");
    }

    /// Starts the operator again on the same state and address.
    pub fn restart(&mut self) {
        self.child = Self::spawn(
            self.folder.path(),
            &self.state,
            self.address,
            &self.arguments,
        );
    }

    /// Stops the broker as its operator would and waits until it is gone.
    pub fn stop(&mut self) -> ExitStatus {
        signal(self.child.id(), Signal::TERM);
        self.child.wait().expect("the operator ends")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // The second signal ends the drain: the clients of a finished test no longer take part in it.
            signal(self.child.id(), Signal::TERM);
            std::thread::sleep(Duration::from_millis(100));
            self.stop();
        }
        if std::thread::panicking() {
            eprintln!("the broker's log:\n{}", tail(&self.log(), 60));
        }
    }
}

/// The status (`True`, `False`, `Unknown`) of one condition of an object.
pub fn condition(object: &Value, kind: &str) -> Option<String> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    found["status"].as_str().map(str::to_owned)
}

/// A port on the loopback that nobody listens on right now.
pub fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound address")
}

/// Sends a signal to a process this test started.
pub fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    // A process that ended meanwhile needs no signal.
    let _ = kill_process(pid, signal);
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RelyingParty, Wallet};

    #[test]
    fn a_broker_whose_port_somebody_took_is_started_at_another() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("a bound address");
        let folder = TempDir::new().expect("a temporary folder");
        let manifests = Manifests::tenant("acme", &Wallet::default(), &RelyingParty::new("shop"));
        manifests.write_to(&folder.path().join("manifests"));
        let broker = Broker::launch(folder, address, Vec::new());
        assert_ne!(broker.address(), address);
        broker.wait_ready("acme");
    }
}
