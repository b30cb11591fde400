//! `pavilion-auditor` as a process: its sockets, its exit codes, `kill -9` under load, and a real
//! signer on the other side.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pavilion_rpc::auditor::auditor_client::AuditorClient;
use pavilion_rpc::auditor::{
    AppendRequest, Entry, HealthRequest, Logged, Place, ReceiptRequest, appended, receipt,
};
use pavilion_rpc::{Origin, socket};
use pavilion_tlog::{Checkpoint, Note, Proof, VerifierKey, leaf_hash};
use serde_json::json;
use tonic::transport::Channel;

use crate::directory::audit;
use crate::world::{ORIGIN, finish, open_signing};

/// Appends one entry; its place, or the code it was refused with.
async fn append(client: &mut AuditorClient<Channel>, entry: Vec<u8>) -> Result<Place, String> {
    let entries = vec![Entry {
        entry: entry.into(),
        origin: Some(Origin::of("01JX")),
    }];
    let answer = client.append(AppendRequest { entries }).await;
    let mut answer = answer
        .map_err(|status| status.message().to_owned())?
        .into_inner();
    match answer.outcomes.remove(0).outcome.unwrap() {
        appended::Outcome::Place(place) => Ok(place),
        appended::Outcome::Failure(failure) => Err(failure.code),
    }
}

/// The receipt of one entry, or the code it was refused with.
async fn receipt_of(client: &mut AuditorClient<Channel>, index: u64) -> Result<String, String> {
    let entries = vec![Logged {
        index,
        origin: None,
    }];
    let answer = client.receipt(ReceiptRequest { entries }).await;
    let mut answer = answer
        .map_err(|status| status.message().to_owned())?
        .into_inner();
    match answer.outcomes.remove(0).outcome.unwrap() {
        receipt::Outcome::Proof(proof) => Ok(proof),
        receipt::Outcome::Failure(failure) => Err(failure.code),
    }
}

pub const PATIENCE: Duration = Duration::from_mins(1);

/// A folder in which the programs of one tenant run.
pub struct Home(tempfile::TempDir);

/// A running program; killed when dropped.
pub struct Running(Child);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn start(&self) -> Running {
        self.start_with(&json!({"httpSocket": "log.sock"}))
    }

    /// Starts the auditor with these members beside what it always has.
    pub fn start_with(&self, members: &serde_json::Value) -> Running {
        let mut config = json!({
            "process": {"health": "unix:auditor-health.sock", "tenant": "acme"},
            "socket": "auditor.sock", "directory": "log",
            "origin": ORIGIN, "signerSocket": "signer.sock",
        });
        for (member, value) in members.as_object().unwrap() {
            config[member] = value.clone();
        }
        self.spawn(
            Path::new(env!("CARGO_BIN_EXE_pavilion-auditor")),
            "auditor.json",
            &config,
            &[],
        )
    }

    /// The signer that was built beside the auditor.
    fn start_signer(&self) -> Running {
        let program =
            Path::new(env!("CARGO_BIN_EXE_pavilion-auditor")).with_file_name("pavilion-signer");
        assert!(
            program.exists(),
            "this test needs {}: cargo build -p pavilion-signer (`make test` does)",
            program.display()
        );
        // Where Debian and Ubuntu, Fedora, and a build by hand put the module.
        let module = [
            "/usr/lib/softhsm/libsofthsm2.so",
            "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
            "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
            "/usr/lib64/pkcs11/libsofthsm2.so",
            "/usr/local/lib/softhsm/libsofthsm2.so",
        ]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("this test needs SoftHSM: apt-get install softhsm2");
        let config = json!({
            "process": {"health": "unix:signer-health.sock"}, "socket": "signer.sock",
            "module": module, "tokenLabel": "acme", "pinFile": "pin", "tokenDirectory": "tokens",
            "keysFile": "keys.json", "logOrigin": ORIGIN,
        });
        self.spawn(
            &program,
            "signer.json",
            &config,
            &[("SOFTHSM2_CONF", "softhsm2.conf")],
        )
    }

    fn spawn(
        &self,
        program: &Path,
        name: &str,
        config: &serde_json::Value,
        environment: &[(&str, &str)],
    ) -> Running {
        fs::write(self.path(name), config.to_string()).unwrap();
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open(self.path("stderr"))
            .unwrap();
        let child = Command::new(program)
            .args(["--config", name])
            .current_dir(self.0.path())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn();
        Running(child.unwrap())
    }

    fn client(&self) -> AuditorClient<Channel> {
        AuditorClient::new(socket::channel(self.path("auditor.sock"), PATIENCE))
    }

    /// Asks the health socket.
    pub fn health(&self, path: &str) -> Option<String> {
        http(&self.path("auditor-health.sock"), path)
    }

    /// Waits until `/readyz` says something that has these words in it.
    pub fn wait_for(&self, words: &str) {
        let began = Instant::now();
        while !self
            .health("/readyz")
            .is_some_and(|text| text.contains(words))
        {
            let log = || fs::read_to_string(self.path("stderr")).unwrap_or_default();
            assert!(
                began.elapsed() < PATIENCE,
                "never {words}: {:?}\n{}",
                self.health("/readyz"),
                log()
            );
            sleep(Duration::from_millis(20));
        }
    }
}

impl Running {
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.ended().code()
    }

    pub fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the program does not end");
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already in most tests.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn http(socket: &Path, path: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Appends from many sides until the program goes away, `time` after the first acknowledgement;
/// returns what was acknowledged.
async fn load(
    home: &Home,
    running: Running,
    time: Duration,
    number: &Arc<AtomicUsize>,
) -> Vec<(u64, Bytes, Bytes)> {
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let sides = (0..32).map(|_| {
        let (mut client, number, acknowledged) =
            (home.client(), Arc::clone(number), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                let entry = Bytes::from(
                    format!("{:06} of many", number.fetch_add(1, Ordering::SeqCst)).repeat(20),
                );
                let Ok(answer) = append(&mut client, entry.to_vec()).await else {
                    return seen;
                };
                seen.push((answer.index, answer.leaf_hash, entry));
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let sides: Vec<_> = sides.collect();
    while acknowledged.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(time).await;
    running.kill();
    let mut seen = Vec::new();
    for side in sides {
        seen.extend(side.await.unwrap());
    }
    seen
}

/// Random moments, up to a quarter of a second; `PAVILION_TEST_SEED` gives those of an earlier run.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let given = std::env::var("PAVILION_TEST_SEED").ok();
        let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let mut seed = [0; 8];
            aws_lc_rs::rand::fill(&mut seed).unwrap();
            u64::from_le_bytes(seed)
        });
        eprintln!("PAVILION_TEST_SEED={seed}");
        Self(seed)
    }

    /// `SplitMix64`: good enough to be anywhere.
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_micros((bits ^ (bits >> 31)) % 250_000)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entry_acknowledged_before_a_kill_is_in_the_log_at_its_index() {
    let (home, number) = (Home::new(), Arc::new(AtomicUsize::new(0)));
    let mut acknowledged = Vec::new();
    let mut moments = Moments::new();
    for round in 1..=5 {
        let running = home.start();
        home.wait_for("entries: ok");
        let time = moments.next();
        eprintln!("kill {round}: {time:?} after the first acknowledgement");
        acknowledged.extend(load(&home, running, time, &number).await);
    }
    let log = open_signing(&home.path("log"));
    finish(log).await;
    let entries = audit(&home.path("log"));
    assert!(acknowledged.len() >= 5 && entries.len() >= acknowledged.len());
    for (index, hash, entry) in acknowledged {
        assert_eq!(
            entries[usize::try_from(index).unwrap()],
            entry,
            "at {index}"
        );
        assert_eq!(leaf_hash(&entry).as_bytes().as_slice(), hash);
    }
}

#[tokio::test]
async fn without_a_signer_it_appends_is_not_ready_and_says_so_with_stable_codes() {
    let home = Home::new();
    let running = home.start();
    home.wait_for("checkpoints: the signer does not sign");
    let mut client = home.client();
    let appended = append(&mut client, b"an entry".to_vec()).await.unwrap();
    assert_eq!(appended.index, 0);
    let refused = receipt_of(&mut client, 0).await.unwrap_err();
    assert_eq!(refused, "signer_unavailable");
    let refused = receipt_of(&mut client, 1).await.unwrap_err();
    assert_eq!(refused, "log_index_unknown");
    let refused = append(&mut client, Vec::new()).await.unwrap_err();
    assert_eq!(refused, "log_entry_invalid");
    let health = client.health(HealthRequest {}).await.unwrap().into_inner();
    assert!(
        !health.ready && health.reason.contains("signer"),
        "{health:?}"
    );
    assert_eq!(
        (health.origin.as_str(), health.size, health.checkpoint_size),
        (ORIGIN, 1, 0)
    );
    let metrics = home.health("/metrics").unwrap();
    for line in [
        "pavilion_log_appends_total 1",
        "pavilion_log_append_failures_total 0",
        "pavilion_log_entries 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let answer = http(&home.path("log.sock"), "/log/checkpoint").unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("log_unavailable"),
        "{answer}"
    );
    assert_eq!(running.stop(), Some(0));
    assert!(!home.path("auditor.sock").exists() && !home.path("log.sock").exists());
}

#[tokio::test]
async fn a_second_auditor_and_a_directory_of_a_newer_release_have_their_exit_codes() {
    let home = Home::new();
    let first = home.start();
    home.wait_for("entries: ok");
    fs::remove_file(home.path("auditor-health.sock")).unwrap();
    let mut second = home.start();
    assert_eq!(second.ended().code(), Some(69));
    assert_eq!(first.stop(), Some(0));
    fs::write(home.path("log/VERSION"), "9\n").unwrap();
    assert_eq!(home.start().ended().code(), Some(65));
    let said = fs::read_to_string(home.path("stderr")).unwrap();
    assert!(said.contains("another auditor is using this log"), "{said}");
    assert!(
        said.contains("format 9 is newer than this release understands"),
        "{said}"
    );
}

#[tokio::test]
async fn with_a_real_signer_a_receipt_verifies_by_the_key_that_health_shows() {
    let home = Home::new();
    let running = home.start();
    let signer = home.start_signer();
    home.wait_for("checkpoints: ok");
    let mut client = home.client();
    let entry = b"a content-free entry".to_vec();
    let index = append(&mut client, entry.clone()).await.unwrap().index;
    let receipt = receipt_of(&mut client, index).await.unwrap();
    let health = client.health(HealthRequest {}).await.unwrap().into_inner();
    assert!(health.ready && health.checkpoint_size == 1, "{health:?}");
    let key: VerifierKey = health.verifier_key.parse().unwrap();
    let proof: Proof = receipt.parse().unwrap();
    assert_eq!(proof.extra.as_ref(), Some(&entry));
    proof.verify(&leaf_hash(&entry), &key).unwrap();
    let answer = http(&home.path("log.sock"), "/log/checkpoint").unwrap();
    let note: Note = answer.split_once("\r\n\r\n").unwrap().1.parse().unwrap();
    assert_eq!(Checkpoint::open(&note, &key).unwrap().size(), 1);
    // The signer dies and comes back; nobody restarts the auditor.
    signer.kill();
    append(&mut client, entry.clone()).await.unwrap();
    let refused = receipt_of(&mut client, 1).await.unwrap_err();
    assert_eq!(refused, "signer_unavailable");
    let _signer = home.start_signer();
    home.wait_for("checkpoints: ok");
    receipt_of(&mut client, 1).await.unwrap();
    assert_eq!(running.stop(), Some(0));
    let on_disk: Note = fs::read_to_string(home.path("log/checkpoint"))
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(Checkpoint::open(&on_disk, &key).unwrap().size(), 2);
}
