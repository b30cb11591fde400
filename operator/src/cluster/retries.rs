//! When to try again, by object: at once the first time, then less and less often.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_mins(1);

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
    use super::*;

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
