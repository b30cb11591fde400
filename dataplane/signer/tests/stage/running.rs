//! A running `pavilion-signer` with a token folder of its own.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pavilion_rpc::signer::signer_client::SignerClient;
use pavilion_rpc::signer::{PublicKey, PublicKeysRequest, Purpose};
use pavilion_rpc::socket;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::transport::Channel;

/// A folder with a configuration in it.
pub struct Home {
    pub folder: TempDir,
    pub config: Value,
}

/// A signer that runs; it is killed when dropped.
pub struct Running {
    pub child: Child,
    socket: PathBuf,
    health: PathBuf,
}

impl Home {
    pub fn new(module: &Path) -> Self {
        let config = json!({
            "process": {"health": "unix:health.sock", "workerThreads": 1, "drainSeconds": 5},
            "socket": "signer.sock",
            "module": module,
            "tokenLabel": "acme",
            "pinFile": "signer/pin",
            "tokenDirectory": "signer/tokens",
            "keysFile": "signer/keys.json",
            "logOrigin": "log.example/acme",
            "sessions": 2
        });
        Self {
            folder: tempfile::tempdir().unwrap(),
            config,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command that runs it, with the state folder as working directory.
    pub fn command(&self) -> Command {
        fs::write(self.path("config.json"), self.config.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pavilion-signer"));
        command
            .args(["--config", "config.json"])
            .current_dir(self.folder.path())
            .env("SOFTHSM2_CONF", "signer/softhsm2.conf")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn spawn(&self) -> Running {
        let log = fs::File::create(self.path("log")).unwrap();
        let child = self
            .command()
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Running {
            child,
            socket: self.path("signer.sock"),
            health: self.path("health.sock"),
        }
    }

    /// Runs it and waits until it is ready.
    pub fn start(&self) -> Running {
        let mut running = self.spawn();
        let until = Instant::now() + Duration::from_secs(30);
        // Until its check is registered, a program without checks counts as ready.
        let ready =
            |answer: &String| answer.starts_with("HTTP/1.1 200") && answer.contains("token");
        while !running.get("/readyz").as_ref().is_some_and(ready) {
            let ended = running.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{ended:?}: {}",
                fs::read_to_string(self.path("log")).unwrap()
            );
            assert!(Instant::now() < until, "not ready in 30 s");
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }
}

impl Running {
    pub fn client(&self) -> SignerClient<Channel> {
        SignerClient::new(socket::channel(&self.socket, Duration::from_secs(10)))
    }

    pub async fn keys(&self) -> Vec<PublicKey> {
        self.client()
            .public_keys(PublicKeysRequest {})
            .await
            .unwrap()
            .into_inner()
            .keys
    }

    pub async fn current(&self, purpose: Purpose) -> PublicKey {
        let keys = self.keys().await;
        keys.into_iter()
            .find(|key| key.current && key.purpose() == purpose)
            .unwrap()
    }

    /// What its health socket answers, head and body.
    pub fn get(&self, path: &str) -> Option<String> {
        let mut stream = UnixStream::connect(&self.health).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
