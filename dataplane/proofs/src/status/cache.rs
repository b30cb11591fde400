//! Lists kept in memory while they may be used, fetched once for all who wait for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pavilion_catalogue::Entry;
use pavilion_json::Digest;

use super::StatusOptions;
use super::list::StatusList;
use super::token::ListClaims;
use crate::clock::Clock;

/// A list is not asked for more often than this, whatever its `ttl`.
const SHORTEST_TTL: u64 = 10;

/// What a kept list may be used for: the same list of the same issuer, trusted by the same text
/// of the same anchor.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) anchor: Digest,
    pub(super) index: usize,
    pub(super) issuer: String,
    pub(super) uri: String,
}

/// A list that was just fetched and verified.
pub(super) struct Fetched {
    list: Arc<StatusList>,
    /// From here on a fresh copy should be asked for.
    refresh_at: Timestamp,
    /// From here on it must not be used.
    usable_until: Timestamp,
}

impl Fetched {
    /// `None` if the list is too old to be used at all.
    pub(super) fn new(claims: ListClaims, clock: Clock, max_age: Duration) -> Option<Self> {
        let now = clock.now();
        let oldest = after(now, max_age);
        // Without `exp` the issuer does not say how long the list counts; then its own age does.
        let ends = claims
            .expires_at
            .unwrap_or_else(|| after(claims.issued_at, max_age));
        if clock.has_passed(ends) {
            return None;
        }
        let usable_until = oldest.min(clock.with_leeway(ends));
        let ttl = claims
            .ttl_seconds
            .map(|seconds| Duration::from_secs(seconds.max(SHORTEST_TTL)));
        let refresh_at = ttl.map_or(usable_until, |ttl| after(now, ttl).min(usable_until));
        Some(Self {
            list: Arc::new(claims.list),
            refresh_at,
            usable_until,
        })
    }
}

fn after(start: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| start.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Kept lists, bounded in number and in bytes; the one unused for longest goes first.
pub(super) struct Cache {
    max_lists: usize,
    max_bytes: usize,
    retry_after: Duration,
    ticks: AtomicU64,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
}

/// One list: what is held, and a lock that the one who fetches holds.
#[derive(Default)]
struct Slot {
    held: Mutex<Held>,
    flight: tokio::sync::Mutex<()>,
    last_use: AtomicU64,
}

#[derive(Default)]
struct Held {
    list: Option<Fetched>,
    failure: Option<(&'static Entry, Timestamp)>,
}

impl Held {
    /// What can be said at `now` without fetching; `None` if it is time to fetch.
    fn say(&self, now: Timestamp) -> Option<Result<Arc<StatusList>, &'static Entry>> {
        let list = self.list.as_ref();
        if let Some(list) = list.filter(|list| now < list.refresh_at) {
            return Some(Ok(Arc::clone(&list.list)));
        }
        let (code, _) = self.failure.filter(|(_, retry_at)| now < *retry_at)?;
        let usable = list.filter(|list| now < list.usable_until);
        Some(usable.map_or(Err(code), |list| Ok(Arc::clone(&list.list))))
    }
}

impl Slot {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn weight(&self) -> usize {
        self.held()
            .list
            .as_ref()
            .map_or(0, |fetched| fetched.list.weight())
    }
}

impl Cache {
    pub(super) fn new(options: &StatusOptions) -> Self {
        Self {
            max_lists: options.max_cached_lists.max(1),
            max_bytes: options.max_cached_bytes,
            retry_after: options.retry_after,
            ticks: AtomicU64::new(0),
            slots: Mutex::new(HashMap::new()),
        }
    }

    /// The list of `key`, kept or fetched. While one caller fetches the others wait; a failure is
    /// remembered for a while, and a copy that may still be used is used meanwhile.
    pub(super) async fn get<F>(
        &self,
        key: Key,
        now: Timestamp,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<StatusList>, &'static Entry>
    where
        F: Future<Output = Result<Fetched, &'static Entry>>,
    {
        let slot = self.slot(key);
        if let Some(said) = slot.held().say(now) {
            return said;
        }
        let _flight = slot.flight.lock().await;
        if let Some(said) = slot.held().say(now) {
            return said;
        }
        let fetched = fetch().await;
        let said = self.keep(&slot, now, fetched);
        self.evict();
        said
    }

    fn keep(
        &self,
        slot: &Slot,
        now: Timestamp,
        fetched: Result<Fetched, &'static Entry>,
    ) -> Result<Arc<StatusList>, &'static Entry> {
        let mut held = slot.held();
        match fetched {
            Ok(fetched) => {
                let list = Arc::clone(&fetched.list);
                *held = Held {
                    list: Some(fetched),
                    failure: None,
                };
                Ok(list)
            }
            Err(code) => {
                held.failure = Some((code, after(now, self.retry_after)));
                held.say(now).unwrap_or(Err(code))
            }
        }
    }

    fn slot(&self, key: Key) -> Arc<Slot> {
        let tick = self.ticks.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::clone(self.slots().entry(key).or_default());
        slot.last_use.store(tick, Ordering::Relaxed);
        slot
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what was unused for longest until the bounds hold.
    fn evict(&self) {
        let mut slots = self.slots();
        let mut bytes: usize = slots.values().map(|slot| slot.weight()).sum();
        while slots.len() > self.max_lists || bytes > self.max_bytes {
            let oldest = slots
                .iter()
                .min_by_key(|(_, slot)| slot.last_use.load(Ordering::Relaxed))
                .map(|(key, slot)| (key.clone(), slot.weight()));
            let Some((key, weight)) = oldest else {
                return;
            };
            slots.remove(&key);
            bytes = bytes.saturating_sub(weight);
        }
    }
}
