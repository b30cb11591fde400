//! HTTP/2 streams whose client must keep taking its answer.
//!
//! The time-out of writes sees a connection as a whole. A client can leave the window of one stream
//! shut, answer every PING and so keep its connection and the tenant's answer for ever. Therefore
//! each stream is watched on its own: when a part of the answer is not taken in time, the stream is
//! dropped, which resets it (RFC 9113 section 6.4); the other streams of the connection go on.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

tokio::task_local! {
    static STREAM: Arc<Taking>;
}

/// How one stream's answer is taken.
#[derive(Debug, Default)]
pub(crate) struct Taking {
    /// When the part that was handed over last must have been taken; `None` while none waits.
    deadline: Mutex<Option<Instant>>,
    handed_over: Notify,
}

impl Taking {
    /// That of the stream this code runs for; HTTP/1 has none.
    pub(crate) fn of_this_stream() -> Option<Arc<Self>> {
        STREAM.try_with(Arc::clone).ok()
    }

    /// A part was handed over and is to be taken by then.
    pub(crate) fn hand_over(&self, deadline: Instant) {
        self.set(Some(deadline));
        self.handed_over.notify_one();
    }

    /// What was handed over has been taken.
    pub(crate) fn taken(&self) {
        self.set(None);
    }

    fn set(&self, deadline: Option<Instant>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    fn deadline(&self) -> Option<Instant> {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when a part has not been taken in time.
    async fn overdue(&self) {
        loop {
            match self.deadline() {
                None => self.handed_over.notified().await,
                Some(deadline) => {
                    sleep_until(deadline).await;
                    if self.deadline() == Some(deadline) {
                        return;
                    }
                }
            }
        }
    }
}

/// Runs the streams of HTTP/2 connections, each until its end or until it is not taken any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let taking = Arc::<Taking>::default();
        tokio::spawn(async move {
            tokio::select! {
                _ = STREAM.scope(Arc::clone(&taking), stream) => {}
                () = taking.overdue() => {
                    tracing::debug!("a stream is reset: its client did not take the answer in time");
                }
            }
        });
    }
}
