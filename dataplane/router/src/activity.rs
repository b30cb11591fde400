//! How many requests a connection has in flight, and when it has been idle for too long.

use std::time::Duration;

use tokio::sync::watch;

/// Counts the exchanges of one connection. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    open: watch::Sender<usize>,
}

/// One exchange; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Exchange {
    open: watch::Sender<usize>,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            open: watch::Sender::new(0),
        }
    }

    /// A request begins.
    pub(crate) fn begin(&self) -> Exchange {
        self.open.send_modify(|open| *open += 1);
        Exchange {
            open: self.open.clone(),
        }
    }

    /// True while a request is in flight.
    pub(crate) fn is_busy(&self) -> bool {
        *self.open.borrow() > 0
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

impl Drop for Exchange {
    fn drop(&mut self) {
        self.open.send_modify(|open| *open -= 1);
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
        assert!(activity.is_busy());
        let while_busy = timeout(limit * 5, activity.idle_for(limit)).await;
        assert!(while_busy.is_err());
        drop(exchange);
        assert!(!activity.is_busy());
        activity.idle_for(limit).await;
    }
}
