//! Things that one request at a time may work on.
//!
//! A reservation lives in memory and ends when it is dropped, so whatever ends a request ends its
//! reservations, a crash of the process included.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A set of reserved things. Clones share it.
#[derive(Debug)]
pub struct Reservations<K>(Arc<Mutex<HashSet<K>>>);

/// A thing that is reserved until this is dropped.
#[derive(Debug)]
pub struct Reservation<K: Copy + Eq + Hash> {
    reservations: Reservations<K>,
    key: K,
}

impl<K> Default for Reservations<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Clone for Reservations<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Copy + Eq + Hash> Reservations<K> {
    /// Reserves a thing; `None` if somebody has it.
    pub fn reserve(&self, key: K) -> Option<Reservation<K>> {
        self.lock().insert(key).then(|| Reservation {
            reservations: self.clone(),
            key,
        })
    }

    /// Whether somebody has it.
    pub fn is_reserved(&self, key: K) -> bool {
        self.lock().contains(&key)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<K>> {
        // Every change is one call on the set, so a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Reservation<K> {
    /// What is reserved.
    pub fn key(&self) -> K {
        self.key
    }
}

impl<K: Copy + Eq + Hash> Drop for Reservation<K> {
    fn drop(&mut self) {
        self.reservations.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_thing_is_reserved_once_and_free_again_when_its_holder_is_gone() {
        let reservations = Reservations::default();
        let held = reservations.reserve(7).unwrap();
        assert!(reservations.clone().reserve(7).is_none());
        assert!(reservations.is_reserved(7));
        assert!(reservations.reserve(8).is_some());
        drop(held);
        assert!(!reservations.is_reserved(7));
        assert!(reservations.reserve(7).is_some());
    }
}
