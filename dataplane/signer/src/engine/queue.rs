//! The bounded queue between callers and worker sessions.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::oneshot;

use super::SignerError;
use super::ring::Key;

/// Where an outcome is awaited.
pub(super) type Reply = oneshot::Sender<Result<Vec<u8>, SignerError>>;

/// One message to be signed.
pub(super) struct Job {
    pub key: Arc<Key>,
    pub message: Bytes,
    pub submitted: Instant,
    pub deadline: Instant,
    pub reply: Reply,
}

/// First in, first out, up to a limit.
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    limit: usize,
    workers: usize,
    depth: Gauge,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Workers that wait; without one, waking is a system call for nothing.
    idle: usize,
    closed: bool,
}

impl Queue {
    /// An empty queue for `limit` jobs and so many workers, that shows its depth.
    pub(super) fn new(limit: usize, workers: usize, depth: Gauge) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            limit,
            workers: workers.max(1),
            depth,
        }
    }

    /// Adds a job.
    ///
    /// # Errors
    /// [`SignerError::Overloaded`] at the limit, [`SignerError::Unavailable`] once closed.
    pub(super) fn push(&self, job: Job) -> Result<(), SignerError> {
        let mut state = self.lock();
        if state.closed {
            return Err(SignerError::Unavailable(
                "the signer is stopping".to_owned(),
            ));
        }
        if state.jobs.len() >= self.limit {
            return Err(SignerError::Overloaded);
        }
        state.jobs.push_back(job);
        self.show(&state);
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Moves the oldest jobs to `into`, waiting for the first: one worker's share of the backlog,
    /// at least one and not more than `most`. False once the queue is closed and empty.
    pub(super) fn take(&self, most: usize, into: &mut Vec<Job>) -> bool {
        let mut state = self.lock();
        loop {
            if !state.jobs.is_empty() {
                let share = state.jobs.len() / self.workers;
                let count = share.clamp(1, most.max(1));
                into.extend(state.jobs.drain(..count));
                self.show(&state);
                return true;
            }
            if state.closed {
                return false;
            }
            state.idle += 1;
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Takes no more jobs; those inside are still served.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Jobs that wait.
    pub(super) fn depth(&self) -> usize {
        self.lock().jobs.len()
    }

    fn show(&self, state: &State) {
        self.depth
            .set(i64::try_from(state.jobs.len()).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
