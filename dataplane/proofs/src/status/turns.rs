//! Whose turn it is to fetch: bounded for all hosts together and for each host, and not waited for
//! without end, so one slow host holds up neither the others nor those who ask for its own lists.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::{StatusOptions, StatusReason};

/// Past so many hosts, those where nobody fetches are forgotten.
const MAX_HOSTS: usize = 256;

pub(super) struct Turns {
    patience: Duration,
    per_host: usize,
    all: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The right to fetch from one host; it ends when this is dropped.
pub(super) struct Turn {
    _host: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(options: &StatusOptions) -> Self {
        Self {
            patience: options.queue_timeout,
            per_host: options.max_fetches_per_host.max(1),
            all: Arc::new(Semaphore::new(options.max_fetches.max(1))),
            hosts: Mutex::default(),
        }
    }

    /// A turn at the host of `url`, or that there is none in time. Who waits for a slow host does
    /// not take a place among all meanwhile.
    pub(super) async fn at(&self, url: &Url) -> Result<Turn, StatusReason> {
        let host = self.host(url);
        let taken = tokio::time::timeout(self.patience, async {
            Some(Turn {
                _host: host.acquire_owned().await.ok()?,
                _all: Arc::clone(&self.all).acquire_owned().await.ok()?,
            })
        });
        taken.await.ok().flatten().ok_or(StatusReason::unreachable(
            "Too many status lists are being fetched from slow hosts.",
        ))
    }

    fn host(&self, url: &Url) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MAX_HOSTS {
            hosts.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let name = url.host_str().unwrap_or_default().to_owned();
        let new = || Arc::new(Semaphore::new(self.per_host));
        Arc::clone(hosts.entry(name).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn turns() -> Turns {
        Turns::new(&StatusOptions {
            max_fetches: 3,
            max_fetches_per_host: 2,
            queue_timeout: Duration::from_secs(2),
            ..StatusOptions::default()
        })
    }

    fn url(host: &str) -> Url {
        Url::parse(&format!("https://{host}/1")).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_host_keeps_only_its_own_callers_waiting_and_those_not_for_ever() {
        let turns = turns();
        let (slow, other) = (url("slow.example"), url("other.example"));
        let held = (turns.at(&slow).await.ok(), turns.at(&slow).await.ok());
        assert!(held.0.is_some() && held.1.is_some());
        let begun = tokio::time::Instant::now();
        assert!(turns.at(&slow).await.is_err());
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        assert!(turns.at(&other).await.is_ok());
        drop(held);
        assert!(turns.at(&slow).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_where_nobody_fetches_are_forgotten() {
        let turns = turns();
        for number in 0..=MAX_HOSTS {
            assert!(turns.at(&url(&format!("h{number}.example"))).await.is_ok());
        }
        assert_eq!(turns.hosts.lock().unwrap().len(), 1);
    }
}
