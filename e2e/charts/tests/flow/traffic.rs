//! Relying parties that ask the quickstart's tenant all the time, and what they are to find afterwards.

use std::{
    fs,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use pavilion_e2e::{
    RelyingParty, Wallet,
    judges::LogSource,
    load::{Load, Tally},
    outsider::{Outsider, assert_holds},
    relying_party::{Session, client_of},
};
use pavilion_e2e_charts::NAMESPACE;
use pavilion_e2e_cluster::checkout;
use reqwest::ClientBuilder;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    command::kubectl,
    stage::{TENANT_NAMESPACE, edge},
};

const HOST: &str = "verify.acme.localhost";
const SERVER: &str = "https://verify.acme.localhost";

/// The most that wait at once for a pod that is being replaced: the edge keeps 256 of a host (`limits.maxHeld`).
const WAITING: u32 = 240;

/// How many answers show how things are now.
const SOME: usize = 12;

/// How long the edge keeps those waiting whose pod is away.
fn held() -> Duration {
    let path = "-o jsonpath={.data.config\\.json}";
    let config = kubectl(&format!(
        "-n {NAMESPACE} get configmap pavilion-router {path}"
    ));
    let config: Value = serde_json::from_str(&config).unwrap();
    Duration::from_millis(config["timeOuts"]["awayMs"].as_u64().unwrap())
}

/// As many questions as the edge can keep waiting, four a second where it waits for a minute: alternately on one HTTP/2
/// connection that stays open and on a connection that is made for the one question.
pub struct Traffic {
    outsider: Outsider,
    own: Session,
    load: Load,
    log: LogSource<'static>,
    /// How long anybody waits for an answer: longer than the edge does for a pod, so that it is its answer that counts.
    patience: Duration,
    _folder: TempDir,
}

impl Traffic {
    /// Starts it.
    pub async fn start() -> Self {
        Self::of_who_also_trusts("").await
    }

    /// The same of relying parties that trust also these authorities, PEM.
    pub async fn of_who_also_trusts(more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let ca = folder.path().join("ca.crt");
        let root = kubectl(&format!(
            "-n {TENANT_NAMESPACE} get configmap pavilion -o jsonpath={{.data.ca\\.crt}}"
        ));
        let root = format!("{root}\n{more}");
        fs::write(&ca, &root).unwrap();
        let address: SocketAddr = edge().parse().unwrap();
        let shop = RelyingParty::with_key("shop", &key("shop"));
        let held = held();
        let patience = 2 * held;
        let session = |change: fn(ClientBuilder) -> ClientBuilder| {
            let client = client_of(HOST, address, root.as_bytes()).timeout(patience);
            Session::over(change(client).build().unwrap(), SERVER.to_owned())
        };
        let kept = session(|client| client).authorised(&shop).await;
        let fresh = session(|client| client.http1_only().pool_max_idle_per_host(0));
        let fresh = fresh.authorised(&shop).await;
        let own = session(|client| client);
        let wallet = Arc::new(Wallet::of_issuer(&key("issuer")));
        Self {
            outsider: Outsider::of(&own).await,
            own,
            load: Load::over(
                vec![Arc::new(kept), Arc::new(fresh)],
                wallet,
                held / WAITING,
            ),
            log: LogSource::Served {
                url: format!("https://{HOST}:{}/log", address.port()),
                connect: address,
                ca,
            },
            patience,
            _folder: folder,
        }
    }

    /// How many answers have come back so far.
    pub fn answered(&self) -> usize {
        self.load.answered()
    }

    /// Waits for some more answers, which show how things are now; how many there are by then.
    pub async fn go_on(&self) -> usize {
        let (begun, before) = (Instant::now(), self.answered());
        while self.answered() < before + SOME {
            let waited = begun.elapsed();
            assert!(waited < self.patience, "nobody is answered any more");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.answered()
    }

    /// Stops it. Whatever was answered is in the log, where the answer says, and the log only grew; a foreign
    /// implementation says so.
    pub async fn stop(self) -> Tally {
        let tally = self.load.stop().await;
        let last = tally.answered.iter().map(|answer| answer.index).max();
        let last = last.expect("an answer");
        let mut leaves = Vec::new();
        // The published checkpoint follows an append within a tenth of a second.
        while leaves.len() as u64 <= last {
            tokio::time::sleep(Duration::from_millis(100)).await;
            leaves = self.outsider.read(&self.log).unwrap();
        }
        assert_holds(&leaves, &tally.answered);
        self.outsider.look(&self.own).await;
        tally
    }
}

/// A key of the quickstart's.
fn key(name: &str) -> Value {
    let file = checkout().join(format!("examples/quickstart/dev-keys/{name}.jwk.json"));
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// What the slowest answer took.
pub fn longest(tally: &Tally) -> Duration {
    let taken = tally.answered.iter().map(|answer| answer.took);
    taken.max().unwrap_or_default()
}
