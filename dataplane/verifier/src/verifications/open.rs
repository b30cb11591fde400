//! How many verifications of each relying party await evidence.
//!
//! One that is asked without evidence is kept until it expires, so a relying party that asks and
//! never answers would fill the disk that all share.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pavilion_catalogue::{Problem, request};
use ulid::Ulid;

use crate::problems::Refusal;
use crate::store::{Store, StoreError, StoredVerification};

/// Verifications of one relying party that may await evidence at once.
const MOST: usize = 10_000;

/// The expiry of each, by id.
type Expiries = BTreeMap<Ulid, i64>;

/// The verifications that await evidence, by the name and uid of their relying party. Clones share
/// them.
#[derive(Clone, Default)]
pub struct OpenVerifications(Arc<Mutex<HashMap<(String, String), Expiries>>>);

impl OpenVerifications {
    /// Reads back what was open before a restart.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn load(store: &Store) -> Result<Self, StoreError> {
        let open = Self::default();
        for (id, row) in store.verifications()? {
            if row.outcome.is_none() {
                open.lock()
                    .entry(party(&row))
                    .or_default()
                    .insert(id, row.expires_at);
            }
        }
        Ok(open)
    }

    /// Takes a place for a verification that is about to be stored.
    ///
    /// # Errors
    /// `verification_limit_reached`.
    pub fn enter(&self, id: Ulid, row: &StoredVerification, now: i64) -> Result<(), Refusal> {
        let mut open = self.lock();
        let own = open.entry(party(row)).or_default();
        if own.len() >= MOST {
            own.retain(|_, expires_at| now < *expires_at);
        }
        if own.len() >= MOST {
            let limit = Problem::new(&request::VERIFICATION_LIMIT);
            return Err(limit.retry_after(30).into());
        }
        own.insert(id, row.expires_at);
        Ok(())
    }

    /// Frees the place of one that has ended, or was not stored.
    pub fn leave(&self, id: Ulid, row: &StoredVerification) {
        if let Some(own) = self.lock().get_mut(&party(row)) {
            own.remove(&id);
        }
    }

    /// Frees the places of those that have expired.
    pub fn prune(&self, now: i64) {
        self.lock().retain(|_, own| {
            own.retain(|_, expires_at| now < *expires_at);
            !own.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Expiries>> {
        // A place that a panic leaves taken is free again when its verification has expired.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn party(row: &StoredVerification) -> (String, String) {
    (row.relying_party.clone(), row.relying_party_uid.clone())
}
