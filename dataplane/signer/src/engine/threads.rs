//! The threads of an engine: workers, keeper, the record of checkpoints and watchdog, and their orderly end.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use super::high_water::HighWater;
use super::keeper::{Command, Keeper};
use super::worker::{self, Shared};
use super::{Class, Engine, StartError, TokenError, calls};

/// The threads that run.
pub(super) struct Threads {
    workers: Vec<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
    high_water: Option<JoinHandle<()>>,
    watchdog: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Threads {
    /// Starts them; returns when each worker has tried to open its session.
    pub(super) fn start(
        keeper: Keeper,
        shared: &Arc<Shared>,
        high_water: &HighWater,
        sessions: usize,
    ) -> Result<Self, StartError> {
        let failed =
            |error: io::Error| TokenError::new(Class::Resources, format!("no thread: {error}"));
        let fault = shared.link.fault.clone();
        let (watched, stop) = mpsc::channel();
        let watchdog = calls::watch(Arc::clone(&shared.link), stop).map_err(failed)?;
        let high_water = high_water.start(fault.clone()).map_err(failed)?;
        let keeper = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || {
                fault.guard("keeper", || keeper.run());
            });
        let keeper = keeper.map_err(failed)?;
        let workers = worker::start(shared, sessions).map_err(failed)?;
        Ok(Self {
            workers,
            keeper: Some(keeper),
            high_water: Some(high_water),
            watchdog: Some((watched, watchdog)),
        })
    }
}

impl Engine {
    /// Serves what is in the queue, ends the threads, closes the sessions. It blocks, but not when
    /// there is a fault: a thread that hangs is not waited for.
    pub fn stop(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.queue.close();
        self.high_water.close();
        if let Some(high_water) = threads.high_water.take() {
            let _ = high_water.join();
        }
        if self.shared.link.fault.reason().is_some() {
            return;
        }
        for worker in threads.workers.drain(..) {
            let _ = worker.join();
        }
        let _ = self.keeper.send(Command::Stop);
        if let Some(keeper) = threads.keeper.take() {
            let _ = keeper.join();
        }
        if let Some((watched, watchdog)) = threads.watchdog.take() {
            drop(watched);
            let _ = watchdog.join();
        }
    }
}
