//! Lists kept in memory while they may be used, fetched once for all who wait for them.
//!
//! A copy may be used until the first of: its `ttl` since it was fetched, its `exp`, and the trust
//! anchor's greatest age, since it was fetched and since its `iat`. In the last quarter of that
//! time a fresh one is asked for in the background and the copy is used meanwhile. Past it there
//! is no copy: a list that cannot be fetched then says nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pavilion_json::Digest;

use super::list::StatusList;
use super::token::ListClaims;
use super::{StatusOptions, StatusReason};
use crate::clock::Clock;

/// "A positive number", and the clocks that issue times tick in seconds.
const SHORTEST_TTL: u64 = 1;

/// What a kept list may be used for: the same list of the same issuer, trusted by the same text
/// of the same anchor.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) anchor: Digest,
    pub(super) index: usize,
    pub(super) issuer: String,
    pub(super) uri: String,
}

/// A list and when its issuer made it.
pub(super) struct Dated {
    pub(super) list: StatusList,
    pub(super) issued_at: Timestamp,
}

/// A list that was just fetched and verified.
pub(super) struct Fetched {
    list: Arc<Dated>,
    /// From here on a fresh copy should be asked for.
    refresh_at: Timestamp,
    /// From here on it must not be used.
    usable_until: Timestamp,
}

impl Fetched {
    /// `None` if the list is too old to be used at all.
    pub(super) fn new(claims: ListClaims, clock: Clock, max_age: Duration) -> Option<Self> {
        let now = clock.now();
        let aged = after(claims.issued_at, max_age);
        let ends = claims.expires_at.map_or(aged, |exp| exp.min(aged));
        if clock.has_passed(ends) {
            return None;
        }
        let kept = claims.ttl_seconds.map_or(max_age, |seconds| {
            Duration::from_secs(seconds.max(SHORTEST_TTL)).min(max_age)
        });
        let usable_until = after(now, kept).min(clock.with_leeway(ends));
        Some(Self {
            list: Arc::new(Dated {
                list: claims.list,
                issued_at: claims.issued_at,
            }),
            refresh_at: last_quarter(now, usable_until),
            usable_until,
        })
    }
}

fn last_quarter(start: Timestamp, end: Timestamp) -> Timestamp {
    let quarter = end.duration_since(start) / 4;
    end.checked_sub(quarter).unwrap_or(end)
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
    flight: Arc<tokio::sync::Mutex<()>>,
    last_use: AtomicU64,
}

#[derive(Default)]
struct Held {
    list: Option<Fetched>,
    failure: Option<(StatusReason, Timestamp)>,
}

/// What can be said without waiting for a fetch.
enum Said {
    /// The list, or why there is none.
    This(Result<Arc<Dated>, StatusReason>),
    /// The list, and it is time to ask for a fresh copy.
    Aging(Arc<Dated>),
    /// Nothing.
    Nothing,
}

impl Held {
    fn say(&self, now: Timestamp) -> Said {
        let failure = self.failure.filter(|(_, retry_at)| now < *retry_at);
        let usable = self.list.as_ref().filter(|list| now < list.usable_until);
        match (usable, failure) {
            (Some(held), None) if now >= held.refresh_at => Said::Aging(Arc::clone(&held.list)),
            (Some(held), _) => Said::This(Ok(Arc::clone(&held.list))),
            (None, Some((reason, _))) => Said::This(Err(reason)),
            (None, None) => Said::Nothing,
        }
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
            .map_or(0, |fetched| fetched.list.list.weight())
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

    /// The list of `key`, kept or fetched. Whoever needs a list that is not there waits for the
    /// one who fetches it; a list that is there is never waited for. A failure is remembered for
    /// a while.
    pub(super) async fn get<F>(
        self: &Arc<Self>,
        key: Key,
        now: Timestamp,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Dated>, StatusReason>
    where
        F: Future<Output = Result<Fetched, StatusReason>> + Send + 'static,
    {
        let slot = self.slot(key);
        let said = slot.held().say(now);
        match said {
            Said::This(said) => return said,
            Said::Aging(list) => {
                self.refresh(&slot, now, fetch);
                return Ok(list);
            }
            Said::Nothing => {}
        }
        let _flight = slot.flight.lock().await;
        let said = slot.held().say(now);
        match said {
            Said::This(said) => return said,
            Said::Aging(list) => return Ok(list),
            Said::Nothing => {}
        }
        let fetched = fetch().await;
        self.keep(&slot, now, fetched)
    }

    /// Asks for a fresh copy in the background, unless somebody does already.
    fn refresh<F>(self: &Arc<Self>, slot: &Arc<Slot>, now: Timestamp, fetch: impl FnOnce() -> F)
    where
        F: Future<Output = Result<Fetched, StatusReason>> + Send + 'static,
    {
        let Ok(flight) = Arc::clone(&slot.flight).try_lock_owned() else {
            return;
        };
        let (cache, slot, fetched) = (Arc::clone(self), Arc::clone(slot), fetch());
        tokio::spawn(async move {
            // A failure is kept and was logged; who asks past the copy's time is told.
            let _ = cache.keep(&slot, now, fetched.await);
            drop(flight);
        });
    }

    fn keep(
        &self,
        slot: &Slot,
        now: Timestamp,
        fetched: Result<Fetched, StatusReason>,
    ) -> Result<Arc<Dated>, StatusReason> {
        let kept = {
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
                Err(reason) => {
                    held.failure = Some((reason, after(now, self.retry_after)));
                    Err(reason)
                }
            }
        };
        self.evict();
        kept
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
