//! How long to wait before the next connect.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double, and are short again after an operator was heard.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The wait after a connection on which an operator was heard, or not.
    pub(super) fn next(&mut self, was_heard: bool) -> Duration {
        if was_heard {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        // The standard library seeds its hashers from the system: random enough to spread routers.
        jittered(wait, RandomState::new().build_hasher().finish())
    }
}

/// Between half of the wait and all of it, so that routers that lost one operator do not all come to
/// the next at once.
fn jittered(wait: Duration, random: u64) -> Duration {
    let half = wait / 2;
    let milliseconds = u64::try_from(half.as_millis()).unwrap_or(0);
    half + Duration::from_millis(random % (milliseconds + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_start_over_once_an_operator_was_heard() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..10).map(|_| backoff.next(false)).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[3] >= FIRST * 4 && waits[3] <= FIRST * 8);
        assert!(waits[9] >= LONGEST / 2 && waits[9] <= LONGEST);
        assert!(backoff.next(true) <= FIRST);
    }
}
