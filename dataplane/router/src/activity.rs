//! How many requests a connection has in flight, and when it has been idle for too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// Counts the exchanges of one connection. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    open: watch::Sender<usize>,
    answered: Arc<AtomicUsize>,
}

/// One exchange; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Exchange {
    activity: Activity,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            open: watch::Sender::new(0),
            answered: Arc::default(),
        }
    }

    /// A request begins.
    pub(crate) fn begin(&self) -> Exchange {
        self.open.send_modify(|open| *open += 1);
        Exchange {
            activity: self.clone(),
        }
    }

    /// How many requests were answered to the end.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Acquire)
    }

    /// Completes once nothing has been in flight for `limit`.
    pub(crate) async fn idle_for(&self, limit: Duration) {
        let mut changes = self.open.subscribe();
        loop {
            if *changes.borrow_and_update() > 0 {
                // The sender is in `self`, so there is always another change to wait for.
                let _ = changes.changed().await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(limit) => return,
                _ = changes.changed() => {}
            }
        }
    }
}

impl Exchange {
    /// The answer has been handed over to its end.
    pub(crate) fn answered(&self) {
        self.activity.answered.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.activity.open.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_connection_is_idle_only_while_nothing_is_in_flight() {
        let activity = Activity::new();
        let limit = Duration::from_millis(10);
        let exchange = activity.begin();
        let while_busy = timeout(limit * 5, activity.idle_for(limit)).await;
        assert!(while_busy.is_err());
        assert_eq!(activity.answered(), 0);
        exchange.answered();
        drop(exchange);
        assert_eq!(activity.answered(), 1);
        activity.idle_for(limit).await;
    }
}
