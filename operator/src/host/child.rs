//! One supervised program: started when what it needs is ready, watched, started again, stopped.

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use pavilion_json::Digest;
use rustix::process::Signal;
use tokio::{
    process::{Child as Process, Command},
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    ChildId, Ledger, Report,
    backoff::Backoff,
    health_client, process,
    relay::{self, LastWords},
};
use crate::talk::LogFormat;

/// How often a program is asked how it is, while something is expected of it.
const EAGER: Duration = Duration::from_millis(15);
/// How often otherwise.
const CALM: Duration = Duration::from_secs(1);
/// How long something is expected of a program after it started or was given something new.
const EXPECTANT: Duration = Duration::from_secs(5);
/// How long the last lines of a program that ended are waited for.
const LAST_LINES: Duration = Duration::from_millis(200);

/// What is to run.
#[derive(Clone, Debug)]
pub struct ChildSpec {
    /// Which program, for whom.
    pub id: ChildId,
    /// Its file.
    pub executable: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment, beside what all programs get.
    pub environment: Vec<(String, String)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Its health socket, as this process reaches it.
    pub health: PathBuf,
    /// How long it may take to stop before it is killed.
    pub patience: Duration,
    /// Changes when it must be started again, for example with its configuration.
    pub fingerprint: Digest,
}

/// What all programs share.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Which processes are ours.
    pub ledger: Arc<Ledger>,
    /// Told whenever the state of some program changes.
    pub changed: Arc<Notify>,
    /// How lines are passed on.
    pub format: LogFormat,
}

/// Where a program is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// For the programs it needs.
    #[default]
    Waiting,
    /// It runs and has not been ready yet.
    Starting,
    /// It runs and is ready.
    Ready,
    /// It runs, was ready, and is not.
    Troubled,
    /// It ended by itself and will be started again.
    Fallen,
    /// It was stopped.
    Stopped,
}

/// What is known of a program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChildState {
    /// Where it is in its life.
    pub phase: Phase,
    /// The number of its process.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
    /// What it says of itself.
    pub report: Option<Report>,
    /// Why it ended the last time.
    pub fell: Option<String>,
    /// Whether it has been ready since it was first started.
    pub was_ready: bool,
}

impl ChildState {
    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Why it is not ready, for people.
    pub fn trouble(&self) -> Option<String> {
        match self.phase {
            Phase::Ready => None,
            Phase::Waiting => Some("waits for the programs it needs".to_owned()),
            Phase::Stopped => Some("is stopped".to_owned()),
            Phase::Fallen => Some(self.fell.clone().unwrap_or_else(|| "ended".to_owned())),
            Phase::Starting | Phase::Troubled => {
                let told = self.report.as_ref().and_then(Report::trouble);
                Some(told.unwrap_or_else(|| "does not answer yet".to_owned()))
            }
        }
    }
}

/// A condition on another program.
#[derive(Clone)]
pub struct Gate {
    state: watch::Receiver<ChildState>,
    opens: Arc<dyn Fn(&ChildState) -> bool + Send + Sync>,
}

impl Gate {
    /// Completes when it opens.
    pub(super) async fn wait(&mut self) {
        // The other is gone with its supervisor: nothing is to be waited for.
        let _ = self.state.wait_for(|state| (self.opens)(state)).await;
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A supervised program. Dropped without [`Child::stop`], it is killed.
#[derive(Debug)]
pub struct Child {
    fingerprint: Digest,
    state: watch::Receiver<ChildState>,
    stop: CancellationToken,
    hurry: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Child {
    /// Starts supervising; the program itself starts when all gates are open.
    pub fn start(spec: ChildSpec, gates: Vec<Gate>, surroundings: Surroundings) -> Self {
        let (tell, state) = watch::channel(ChildState::default());
        let fingerprint = spec.fingerprint;
        let stop = CancellationToken::new();
        let hurry = Arc::new(Notify::new());
        let supervisor = Supervisor {
            spec,
            surroundings,
            tell,
            stop: stop.clone(),
            hurry: Arc::clone(&hurry),
        };
        Self {
            fingerprint,
            state,
            stop,
            hurry,
            task: tokio::spawn(supervisor.run(gates)),
        }
    }

    /// What it was started with.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// What is known of it.
    pub fn state(&self) -> ChildState {
        self.state.borrow().clone()
    }

    /// Opens once it is ready.
    pub fn when_ready(&self) -> Gate {
        self.when(|state| state.is_ready() || state.phase == Phase::Stopped)
    }

    /// Opens once it is stopped.
    pub fn when_stopped(&self) -> Gate {
        self.when(|state| state.phase == Phase::Stopped)
    }

    /// Opens once it serves another document than now, or nothing at all.
    pub fn when_served_changes(&self) -> Gate {
        let served = |state: &ChildState| {
            let report = state.report.as_ref()?;
            report.served.as_ref().map(|served| served.digest.clone())
        };
        let now = served(&self.state.borrow());
        self.when(move |state| served(state) != now)
    }

    fn when(&self, opens: impl Fn(&ChildState) -> bool + Send + Sync + 'static) -> Gate {
        Gate {
            state: self.state.clone(),
            opens: Arc::new(opens),
        }
    }

    /// It was given something new: look at it more often for a while.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Stops it: it may finish what it has, then it is killed. Completes when it is gone.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // A panic of the task would be a bug; the process is killed with it all the same.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Supervisor {
    spec: ChildSpec,
    surroundings: Surroundings,
    tell: watch::Sender<ChildState>,
    stop: CancellationToken,
    hurry: Arc<Notify>,
}

impl Supervisor {
    async fn run(self, mut gates: Vec<Gate>) {
        let open = async {
            for gate in &mut gates {
                gate.wait().await;
            }
        };
        tokio::select! {
            () = open => {}
            () = self.stop.cancelled() => return self.stopped(),
        }
        drop(gates);
        let mut backoff = Backoff::new();
        loop {
            let begin = Instant::now();
            let Some(why) = self.once().await else {
                return self.stopped();
            };
            let wait = backoff.after(begin.elapsed());
            tracing::error!(
                program = %self.spec.id, reason = why, again_in_ms = u64::try_from(wait.as_millis()).unwrap_or(0),
                "{} ended", self.spec.id
            );
            self.change(|state| {
                *state = ChildState {
                    phase: Phase::Fallen,
                    restarts: state.restarts + 1,
                    fell: Some(why.clone()),
                    was_ready: state.was_ready,
                    ..ChildState::default()
                };
            });
            tokio::select! {
                () = sleep(wait) => {}
                () = self.stop.cancelled() => return self.stopped(),
            }
        }
    }

    fn stopped(&self) {
        self.change(|state| {
            state.phase = Phase::Stopped;
            state.pid = None;
            state.report = None;
        });
    }

    /// One run of the program: `None` when it was stopped, else why it ended.
    async fn once(&self) -> Option<String> {
        let mut process = match self.spawn() {
            Ok(process) => process,
            Err(error) => return Some(format!("cannot be started: {error}")),
        };
        let pid = process.id().unwrap_or_default();
        self.surroundings.ledger.add(&self.spec.id, pid);
        self.change(|state| {
            state.phase = Phase::Starting;
            state.pid = Some(pid);
        });
        tracing::info!(pid, "{} started", self.spec.id);
        let words = LastWords::default();
        let pumps = self.pumps(&mut process, &words);
        let ended = tokio::select! {
            status = process.wait() => Some(status),
            () = self.watch_health() => None,
            () = self.stop.cancelled() => {
                self.end(&mut process, pid).await;
                None
            }
        };
        self.surroundings.ledger.remove(pid);
        let _ = timeout(LAST_LINES, pumps).await;
        Some(match ended? {
            Ok(status) => why(status, words.get()),
            Err(error) => format!("cannot be watched: {error}"),
        })
    }

    fn spawn(&self) -> std::io::Result<Process> {
        let spec = &self.spec;
        let mut command = Command::new(&spec.executable);
        command
            .args(&spec.arguments)
            .current_dir(&spec.directory)
            .env_clear()
            .envs(inherited())
            .envs(spec.environment.iter().cloned())
            // The pipe closes with this process, however it ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A signal from the terminal reaches the operator alone, which stops all in order.
            .process_group(0)
            .kill_on_drop(true);
        command.spawn()
    }

    fn pumps(&self, process: &mut Process, words: &LastWords) -> impl Future<Output = ()> + use<> {
        let (id, format) = (&self.spec.id, self.surroundings.format);
        let out = process
            .stdout
            .take()
            .map(|pipe| tokio::spawn(relay::pump(pipe, id.clone(), format, words.clone())));
        let err = process
            .stderr
            .take()
            .map(|pipe| tokio::spawn(relay::pump(pipe, id.clone(), format, words.clone())));
        async move {
            for pump in [out, err].into_iter().flatten() {
                // It ends with its pipe; it cannot fail.
                let _ = pump.await;
            }
        }
    }

    /// Never completes.
    async fn watch_health(&self) {
        let mut expectant_until = Instant::now() + EXPECTANT;
        loop {
            let report = health_client::ask(&self.spec.health).await;
            let settled = self.note(report);
            let expectant = Instant::now() < expectant_until;
            let pause = if expectant || !settled { EAGER } else { CALM };
            let pause = if settled || expectant {
                pause
            } else {
                EAGER * 10
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.hurry.notified() => expectant_until = Instant::now() + EXPECTANT,
            }
        }
    }

    /// Takes note of what the program says; whether it is ready.
    fn note(&self, report: Option<Report>) -> bool {
        let ready = report.as_ref().is_some_and(|report| report.ready);
        let was = self.tell.borrow().phase;
        let phase = match (ready, was) {
            (true, _) => Phase::Ready,
            (false, Phase::Ready | Phase::Troubled) => Phase::Troubled,
            (false, _) => Phase::Starting,
        };
        self.change(|state| {
            state.phase = phase;
            state.was_ready |= ready;
            state.report = report;
        });
        match (was, phase) {
            (Phase::Ready, Phase::Troubled) => {
                let reason = self.tell.borrow().trouble();
                tracing::warn!(reason, "{} is not ready", self.spec.id);
            }
            (Phase::Ready, Phase::Ready) => {}
            (_, Phase::Ready) => tracing::info!("{} is ready", self.spec.id),
            _ => {}
        }
        ready
    }

    fn change(&self, change: impl FnOnce(&mut ChildState)) {
        let changed = self.tell.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
        if changed {
            self.surroundings.changed.notify_one();
        }
    }

    /// SIGTERM, then SIGKILL when the time to finish is over.
    async fn end(&self, process: &mut Process, pid: u32) {
        process::signal(pid, Signal::TERM);
        if timeout(self.spec.patience, process.wait()).await.is_err() {
            tracing::warn!(pid, "{} does not stop; killed", self.spec.id);
            // What is gone already need not be killed.
            let _ = process.kill().await;
        }
        tracing::info!("{} stopped", self.spec.id);
    }
}

/// What every program gets from the operator's environment; nothing else passes.
fn inherited() -> impl Iterator<Item = (String, String)> {
    const NAMES: [&str; 7] = [
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "TZ",
        "LANG",
        "PATH",
        "RUST_BACKTRACE",
        "LLVM_PROFILE_FILE",
    ];
    NAMES
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
}

/// The end of a program in words.
fn why(status: std::process::ExitStatus, words: Option<String>) -> String {
    let meaning = match status.code() {
        Some(0) => ", though nobody asked it to",
        Some(2) => " (usage)",
        Some(65) => " (data refused)",
        Some(66) => " (input missing)",
        Some(69) => " (something it needs is away)",
        Some(70) => " (a fault of the program)",
        Some(73) => " (cannot write)",
        Some(78) => " (configuration refused)",
        _ => "",
    };
    match words {
        Some(words) => format!("{status}{meaning}: {words}"),
        None => format!("{status}{meaning}"),
    }
}
