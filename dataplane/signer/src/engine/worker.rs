//! The worker sessions: one blocking thread, one session each, never shared.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::keeper::Command;
use super::link::{Link, Live};
use super::metrics::EngineMetrics;
use super::queue::{Job, Queue, Reply};
use super::ring::{Custody, Key};
use super::{Class, KeyLabel, SignerError, TokenError, sign};

/// How much work a worker takes at once when requests wait anyway.
const BATCH_TIME: Duration = Duration::from_millis(1);

/// What the workers have in common.
pub(super) struct Shared {
    pub link: Arc<Link>,
    pub queue: Queue,
    pub metrics: EngineMetrics,
    pub keeper: mpsc::SyncSender<Command>,
    /// A moving average of the time of one signature, in nanoseconds.
    pace: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        link: Arc<Link>,
        queue: Queue,
        metrics: EngineMetrics,
        keeper: mpsc::SyncSender<Command>,
    ) -> Self {
        Self {
            link,
            queue,
            metrics,
            keeper,
            pace: AtomicU64::new(0),
        }
    }

    /// The time of one signature, averaged over the last hundred or so; zero before the first.
    pub(super) fn pace(&self) -> Duration {
        Duration::from_nanos(self.pace.load(Ordering::Relaxed))
    }

    fn signed(&self, key: &Key, took: Duration) {
        self.metrics.signed(key.label.purpose(), took);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let pace = self.pace.load(Ordering::Relaxed);
        // Two workers at once lose one sample between them, which an average can bear.
        let next = if pace == 0 {
            took
        } else {
            pace - pace / 64 + took / 64
        };
        self.pace.store(next, Ordering::Relaxed);
    }
}

/// Starts `count` workers; returns when each has tried to open its session.
pub(super) fn start(shared: &Arc<Shared>, count: usize) -> io::Result<Vec<JoinHandle<()>>> {
    let (prepared, all_prepared) = mpsc::channel::<()>();
    let start = |index| {
        let mut worker = Worker {
            shared: Arc::clone(shared),
            open: None,
            done: Vec::new(),
        };
        let prepared = prepared.clone();
        let name = format!("sign-{index}");
        thread::Builder::new().name(name.clone()).spawn(move || {
            let fault = worker.shared.link.fault.clone();
            fault.guard(&name, || {
                worker.prepare();
                drop(prepared);
                worker.run();
            });
        })
    };
    let workers = (0..count).map(start).collect();
    drop(prepared);
    // Ends when the last worker has dropped its half.
    let _ = all_prepared.recv();
    workers
}

struct Worker {
    shared: Arc<Shared>,
    open: Option<Open>,
    /// Outcomes that are not told yet.
    done: Vec<(Reply, Result<Vec<u8>, SignerError>)>,
}

/// A session and the handles found by it.
struct Open {
    session: Session,
    generation: u64,
    handles: HashMap<KeyLabel, ObjectHandle>,
}

impl Open {
    /// The key's private half, looked up once: finding it costs more than a signature.
    fn handle(&mut self, key: &Key) -> Result<ObjectHandle, TokenError> {
        if let Some(handle) = self.handles.get(&key.label) {
            return Ok(*handle);
        }
        let handle = sign::handle(&self.session, key)?;
        self.handles.insert(key.label, handle);
        Ok(handle)
    }
}

/// How many recoveries one request waits for, within its deadline.
const RECOVERIES: u32 = 3;

/// A failed attempt, and in which generation.
struct Failed {
    error: TokenError,
    generation: u64,
}

impl Worker {
    fn run(&mut self) {
        let mut jobs = Vec::new();
        while self.shared.queue.take(self.batch(), &mut jobs) {
            for job in jobs.drain(..) {
                self.serve(job);
            }
            self.tell();
        }
        self.end();
    }

    /// Closes the session, if it is of the present generation. The keeper may be restarting the
    /// module at that moment, so this is a call like any other.
    fn end(&mut self) {
        let shared = Arc::clone(&self.shared);
        let live = shared.link.enter();
        self.forget_stale(&live);
        self.close();
    }

    /// How many jobs to take at once under a backlog: as many as are signed within [`BATCH_TIME`].
    /// Telling several outcomes at once wakes a caller once for all of them.
    fn batch(&self) -> usize {
        let fit = BATCH_TIME
            .as_nanos()
            .checked_div(self.shared.pace().as_nanos());
        fit.and_then(|fit| usize::try_from(fit).ok()).unwrap_or(1)
    }

    fn tell(&mut self) {
        for (reply, outcome) in self.done.drain(..) {
            // A caller that went away needs no signature.
            let _ = reply.send(outcome);
        }
    }

    /// Opens the session before the first request needs it; a failure shows with that request.
    fn prepare(&mut self) {
        let shared = Arc::clone(&self.shared);
        let live = shared.link.enter();
        let _ = self.session(&live);
    }

    fn serve(&mut self, job: Job) {
        self.shared.metrics.waited(job.submitted.elapsed());
        if job.reply.is_closed() {
            return;
        }
        if Instant::now() >= job.deadline {
            self.done.push((job.reply, Err(SignerError::Timeout)));
            return;
        }
        self.shared.metrics.sessions_busy.inc();
        let signature = match &job.key.custody {
            Custody::Wrapped(pair) => {
                let started = Instant::now();
                let signature = pair.sign(&job.message).as_ref().to_vec();
                self.shared.signed(&job.key, started.elapsed());
                Ok(signature)
            }
            Custody::Token => self.sign(&job),
        };
        self.shared.metrics.sessions_busy.dec();
        self.done.push((job.reply, signature));
    }

    /// Signs in the token. A stale session or handle is replaced once, and a recovery of the whole
    /// connection awaited [`RECOVERIES`] times: a module that others use at that moment may fail
    /// again right after it.
    fn sign(&mut self, job: &Job) -> Result<Vec<u8>, SignerError> {
        let (mut replaced, mut recoveries) = (false, 0);
        loop {
            let failed = match self.attempt(job) {
                Ok(signature) => return Ok(signature),
                Err(failed) => failed,
            };
            match failed.error.class {
                Class::Operation | Class::Key if !replaced => replaced = true,
                class if class.needs_recovery() && recoveries < RECOVERIES => {
                    recoveries += 1;
                    self.recover(&failed, job.deadline)?;
                }
                _ => return Err(failed.error.into()),
            }
        }
    }

    fn recover(&mut self, failed: &Failed, deadline: Instant) -> Result<(), SignerError> {
        // Nobody else's outcome waits for the recovery.
        self.tell();
        let broken = Command::Broken(failed.generation, failed.error.to_string());
        // A full channel has a word of this in it, or the keeper finds out by itself.
        let asked = self.shared.keeper.try_send(broken);
        let heard = !matches!(asked, Err(mpsc::TrySendError::Disconnected(_)));
        if heard && self.shared.link.wait_past(failed.generation, deadline) {
            return Ok(());
        }
        Err(failed.error.clone().into())
    }

    fn attempt(&mut self, job: &Job) -> Result<Vec<u8>, Failed> {
        let shared = Arc::clone(&self.shared);
        let live = shared.link.enter();
        let outcome = self.in_session(&live, job);
        outcome.map_err(|error| {
            shared.metrics.failed(error.class);
            match error.class {
                Class::Key => self.forget_handle(&job.key.label),
                Class::Other | Class::Mechanism => {}
                // Under the lock the session's number is still this session's.
                _ => self.close(),
            }
            Failed {
                error,
                generation: live.generation,
            }
        })
    }

    fn in_session(&mut self, live: &Live, job: &Job) -> Result<Vec<u8>, TokenError> {
        if !live.up {
            return Err(TokenError::new(
                Class::Session,
                "the connection to the token is being opened anew",
            ));
        }
        let open = self.session(live)?;
        let handle = open.handle(&job.key)?;
        let started = Instant::now();
        let signature = sign::in_token(&open.session, &job.key, handle, &job.message)?;
        self.shared.signed(&job.key, started.elapsed());
        Ok(signature)
    }

    /// This worker's session of the present generation.
    fn session(&mut self, live: &Live) -> Result<&mut Open, TokenError> {
        self.forget_stale(live);
        match &mut self.open {
            Some(open) => Ok(open),
            none => {
                let session = self
                    .shared
                    .link
                    .context
                    .open_ro_session_no_drop(live.slot)?;
                self.shared.metrics.sessions_open.inc();
                Ok(none.insert(Open {
                    session,
                    generation: live.generation,
                    handles: HashMap::new(),
                }))
            }
        }
    }

    /// Forgets a session that ended with its generation: its number may be another session's now.
    fn forget_stale(&mut self, live: &Live) {
        let stale = |open: &mut Open| open.generation != live.generation;
        if self.open.take_if(stale).is_some() {
            self.shared.metrics.sessions_open.dec();
        }
    }

    fn forget_handle(&mut self, label: &KeyLabel) {
        if let Some(open) = &mut self.open {
            open.handles.remove(label);
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let _ = open.session.close();
            self.shared.metrics.sessions_open.dec();
        }
    }
}
