//! Requests of a tenant that is away wait for it, for a while: its pod is being replaced, or a program of it
//! starts again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::config::Config;

/// How often a request that waits looks whether it can go on.
const LOOK: Duration = Duration::from_millis(100);

/// Since when something cannot be reached, and how many requests wait for it.
#[derive(Debug)]
pub(crate) struct Away {
    since: Mutex<Option<Instant>>,
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Away {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            since: Mutex::default(),
            places: Arc::new(Semaphore::new(config.limits.max_held)),
            patience: config.time_outs.away(),
        }
    }

    /// It was reached.
    pub(crate) fn is_over(&self) {
        self.with_since(|since| *since = None);
    }

    /// When a request is no longer to wait. Everyone waits for the same moment, so that of a long absence
    /// only the beginning is waited out.
    fn until(&self) -> Instant {
        self.with_since(|since| *since.get_or_insert_with(Instant::now)) + self.patience
    }

    fn with_since<T>(&self, change: impl FnOnce(&mut Option<Instant>) -> T) -> T {
        // Every change is one assignment, so a panic elsewhere leaves nothing half made.
        change(&mut self.since.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One request's waiting.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    place: Option<OwnedSemaphorePermit>,
    waited: Duration,
}

impl Hold {
    /// How long it has waited.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }

    /// Waits a little for what is `away`. False when that has been away for too long, the request has waited
    /// as long for one thing after another, or too many wait already.
    pub(crate) async fn wait(&mut self, away: &Away) -> bool {
        let (now, until) = (Instant::now(), away.until());
        if now >= until || self.waited >= away.patience {
            return false;
        }
        if self.place.is_none() {
            self.place = Arc::clone(&away.places).try_acquire_owned().ok();
        }
        if self.place.is_none() {
            return false;
        }
        sleep_until(until.min(now + LOOK)).await;
        self.waited += now.elapsed();
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pavilion_process::Listen;

    use super::*;

    fn away(patience_ms: u64, places: usize) -> Away {
        let health = Listen::Tcp("127.0.0.1:0".parse().unwrap());
        let mut config = Config::new(health, Vec::new(), "routes.json");
        config.time_outs.away_ms = patience_ms;
        config.limits.max_held = places;
        Away::new(&config)
    }

    #[tokio::test(start_paused = true)]
    async fn all_wait_for_the_same_moment_and_nobody_after_it() {
        let away = away(250, 9);
        let (mut first, mut second) = (Hold::default(), Hold::default());
        assert!(first.wait(&away).await);
        assert!(second.wait(&away).await && second.wait(&away).await);
        assert_eq!(first.waited() + second.waited(), Duration::from_millis(250));
        assert!(!first.wait(&away).await && !Hold::default().wait(&away).await);
        away.is_over();
        assert!(first.wait(&away).await, "the next absence is another one");
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_away_again_and_again_is_not_waited_for_without_end() {
        let mut hold = Hold::default();
        for _ in 0..3 {
            assert!(hold.wait(&away(250, 9)).await);
        }
        assert!(!hold.wait(&away(250, 9)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_wait_than_have_a_place_and_who_has_one_keeps_it() {
        let away = away(1_000, 1);
        let (mut first, mut second) = (Hold::default(), Hold::default());
        assert!(first.wait(&away).await);
        assert!(!second.wait(&away).await);
        assert!(first.wait(&away).await);
        drop(first);
        assert!(second.wait(&away).await);
    }
}
