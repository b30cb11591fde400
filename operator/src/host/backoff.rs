//! How long to wait before a program is started again.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// The first wait.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// A program that ran this long has recovered.
const STABLE: Duration = Duration::from_secs(30);

/// Doubling waits with jitter; short again after a stable run.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The wait after a run that lasted `ran`.
    pub(super) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= STABLE {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (self.next * 2).min(LONGEST);
        jittered(wait, random())
    }
}

/// Between three quarters of the wait and all of it, so that programs that fell together do not
/// all come back at once.
fn jittered(wait: Duration, random: u64) -> Duration {
    let quarter = u64::try_from(wait.as_millis() / 4).unwrap_or(0);
    wait.saturating_sub(Duration::from_millis(random % (quarter + 1)))
}

/// The standard library seeds its hashers from the system; that is random enough for jitter.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_start_over_after_a_stable_run() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..12).map(|_| backoff.after(Duration::ZERO)).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST * 3 / 4);
        assert!(waits[3] <= FIRST * 8 && waits[3] >= FIRST * 6);
        assert!(waits[11] <= LONGEST && waits[11] >= LONGEST * 3 / 4);
        assert!(backoff.after(STABLE) <= FIRST);
    }

    #[test]
    fn jitter_takes_at_most_a_quarter() {
        let wait = Duration::from_secs(4);
        assert_eq!(jittered(wait, 0), wait);
        assert_eq!(jittered(wait, 1000), Duration::from_secs(3));
        assert_eq!(
            jittered(Duration::from_millis(1), u64::MAX),
            Duration::from_millis(1)
        );
    }
}
