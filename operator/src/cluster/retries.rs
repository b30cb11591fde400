//! When to look again: at an object that failed at once the first time, then less and less often; at one that is as it is
//! to be when something is due.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_mins(1);

/// The shortest pause until something that is due. It may be due for longer than it can be done: without a pause one look
/// would follow the other.
const SOONEST: Duration = Duration::from_secs(1);

/// How long to wait for what is due then.
pub fn until(due: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
    left.max(SOONEST)
}

/// How often each object failed since it last went well.
#[derive(Debug, Default)]
pub struct Retries {
    failures: Mutex<HashMap<String, u32>>,
    /// Keyed anew in each process: replicas do not try in step.
    jitter: RandomState,
}

impl Retries {
    /// How long to wait after one more failure: twice the last time, and a random part of that.
    pub fn next(&self, name: &str) -> Duration {
        let mut failures = self.lock();
        let count = failures.entry(name.to_owned()).or_default();
        *count = count.saturating_add(1);
        let whole = FIRST.saturating_mul(1 << (*count - 1).min(16)).min(LONGEST);
        let part = self.jitter.hash_one((name, *count)) % 1_000;
        whole / 2 + whole / 2 * u32::try_from(part).unwrap_or(0) / 1_000
    }

    /// How often it failed since it last went well.
    pub fn failures(&self, name: &str) -> u32 {
        self.lock().get(name).copied().unwrap_or(0)
    }

    /// It went well.
    pub fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_due_for_long_is_looked_at_again_and_again_but_not_without_a_pause() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let now = at(1_700_000_000);
        assert_eq!(until(at(1_700_000_090), now), Duration::from_secs(90));
        for due in [at(1_700_000_000), at(1_699_999_999), at(0)] {
            assert_eq!(until(due, now), SOONEST);
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew_after_success() {
        let retries = Retries::default();
        let pauses: Vec<Duration> = (0..40).map(|_| retries.next("acme")).collect();
        assert!(pauses[0] <= FIRST && pauses[0] >= FIRST / 2);
        assert!(pauses[9] > pauses[0]);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(pauses[39] >= LONGEST / 2);
        assert_eq!(retries.failures("acme"), 40);
        retries.forget("acme");
        assert_eq!(retries.failures("acme"), 0);
        assert!(retries.next("acme") <= FIRST);
    }
}
