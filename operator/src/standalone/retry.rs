//! When to try again what could not be written.

use std::{future::pending, time::Duration};

use tokio::time::{Instant, sleep_until};

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// Doubling waits, as long as something is left to be done.
#[derive(Debug)]
pub(super) struct Retry {
    wait: Duration,
    at: Option<Instant>,
}

impl Retry {
    pub(super) fn new() -> Self {
        Self {
            wait: FIRST,
            at: None,
        }
    }

    /// Plans the next attempt if something is `left` to be done and none is planned.
    pub(super) fn plan(&mut self, left: bool) {
        if !left {
            *self = Self::new();
        } else if self.at.is_none() {
            self.at = Some(Instant::now() + self.wait);
            self.wait = (self.wait * 2).min(LONGEST);
        }
    }

    /// The attempt is made.
    pub(super) fn begin(&mut self) {
        self.at = None;
    }

    /// Completes when the next attempt is due; never when nothing is left to be done.
    pub(super) async fn due(&self) {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_are_spaced_and_start_over_once_all_is_done() {
        let mut retry = Retry::new();
        let mut waits = Vec::new();
        for _ in 0..7 {
            retry.plan(true);
            retry.plan(true);
            let begin = Instant::now();
            retry.due().await;
            waits.push(begin.elapsed().as_secs());
            retry.begin();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        retry.plan(false);
        assert!(
            tokio::time::timeout(LONGEST * 2, retry.due())
                .await
                .is_err()
        );
        retry.plan(true);
        let begin = Instant::now();
        retry.due().await;
        assert_eq!(begin.elapsed(), FIRST);
    }
}
