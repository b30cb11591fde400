//! The life of one supervised program: spawned, listened to, watched, started again, ended.

use std::{process::Stdio, sync::Arc, time::Duration};

use rustix::process::Signal;
use tokio::{
    process::{Child as Process, Command},
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{ChildSpec, ChildState, Gate, Phase, Surroundings};
use crate::host::{
    Report,
    backoff::Backoff,
    health_client, process,
    relay::{self, LastWords},
};

/// How often a program is asked how it is, while something is expected of it.
const EAGER: Duration = Duration::from_millis(15);
/// How often otherwise.
const CALM: Duration = Duration::from_secs(1);
/// How long something is expected of a program after it started or was given something new.
const EXPECTANT: Duration = Duration::from_secs(5);
/// How long the last lines of a program that ended are waited for.
const LAST_LINES: Duration = Duration::from_millis(200);

/// How long a program that hangs may take to stop.
const LAST_CHANCE: Duration = Duration::from_secs(5);
/// How often a program must have been asked in vain before it counts as silent.
const ASKED_IN_VAIN: u32 = 3;
/// How much longer a program may be silent before its first word: it may have much to read.
const BEFORE_FIRST_WORD: u32 = 12;

enum Ended {
    Itself(std::io::Result<std::process::ExitStatus>),
    Hung(String),
}

/// How long a program has not said anything.
struct Silence {
    limit: Duration,
    heard: bool,
    since: Instant,
    asked: u32,
}

impl Silence {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            heard: false,
            since: Instant::now(),
            asked: 0,
        }
    }

    /// Takes note of one question; why the program is taken to hang, if it is.
    fn after(&mut self, answered: bool) -> Option<String> {
        if answered {
            (self.heard, self.since, self.asked) = (true, Instant::now(), 0);
            return None;
        }
        self.asked += 1;
        let limit = if self.heard {
            self.limit
        } else {
            self.limit * BEFORE_FIRST_WORD
        };
        let silent = self.since.elapsed();
        let hangs = self.asked >= ASKED_IN_VAIN && silent >= limit;
        hangs.then(|| format!("no answer on its health socket for {} s", silent.as_secs()))
    }
}

/// Keeps one program running until it is stopped.
pub(super) struct Keeper {
    pub(super) spec: ChildSpec,
    pub(super) surroundings: Surroundings,
    pub(super) tell: watch::Sender<ChildState>,
    pub(super) stop: CancellationToken,
    pub(super) hurry: Arc<Notify>,
}

impl Keeper {
    pub(super) async fn run(self, mut gates: Vec<Gate>) {
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
            status = process.wait() => Some(Ended::Itself(status)),
            silent = self.watch_health() => {
                tracing::warn!(pid, "{} hangs: {silent}", self.spec.id);
                self.end(&mut process, pid, self.spec.patience.min(LAST_CHANCE)).await;
                Some(Ended::Hung(silent))
            }
            () = self.stop.cancelled() => {
                self.end(&mut process, pid, self.spec.patience).await;
                None
            }
        };
        self.surroundings.ledger.remove(pid);
        let _ = timeout(LAST_LINES, pumps).await;
        Some(match ended? {
            Ended::Itself(Ok(status)) => why(status, words.get()),
            Ended::Itself(Err(error)) => format!("cannot be watched: {error}"),
            Ended::Hung(silent) => silent,
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
            // Nothing ties a program to this process: when the operator is killed its programs go on
            // serving, and the next operator takes over.
            .stdin(Stdio::null())
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

    /// Completes when the program has not said anything for too long.
    async fn watch_health(&self) -> String {
        let mut expectant_until = Instant::now() + EXPECTANT;
        let mut silence = Silence::new(self.spec.silence);
        loop {
            let report = health_client::ask(&self.spec.health).await;
            if let Some(why) = silence.after(report.is_some()) {
                return why;
            }
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
    async fn end(&self, process: &mut Process, pid: u32, patience: Duration) {
        process::signal(pid, Signal::TERM);
        if timeout(patience, process.wait()).await.is_err() {
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
        Some(75) => " (work was left when its time to finish was over)",
        Some(78) => " (configuration refused)",
        _ => "",
    };
    match words {
        Some(words) => format!("{status}{meaning}: {words}"),
        None => format!("{status}{meaning}"),
    }
}
