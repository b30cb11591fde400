//! One supervised program: started when what it needs is ready, watched, started again, stopped.

mod keeper;

use std::{path::PathBuf, sync::Arc, time::Duration};

use pavilion_json::Digest;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{ChildId, Ledger, Report};
use crate::talk::LogFormat;
use keeper::Keeper;

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
    /// How long it may give no answer on its health socket, once it gave one, before it is taken to
    /// hang and started again.
    pub silence: Duration,
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
        let supervisor = Keeper {
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
