//! The tokens that count, by digest: in memory for every request, on disk for the next start.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use pavilion_catalogue::{Problem, request, token};
use pavilion_json::Digest;

use crate::keys::random_text;
use crate::problems::Refusal;
use crate::store::{Conflict, IssuedToken, Key, Store, StoreError, TokenRecord};

/// Live tokens of one tenant at most; beyond, none is issued until some have expired.
const MOST: usize = 10_000;

/// The live tokens. Clones share them.
#[derive(Clone)]
pub struct AccessTokens {
    store: Store,
    live: Arc<RwLock<HashMap<Key, Arc<TokenRecord>>>>,
}

impl AccessTokens {
    /// Reads back the tokens that were issued before a restart.
    pub fn load(store: Store) -> Result<Self, StoreError> {
        let live = store
            .tokens()?
            .into_iter()
            .map(|(key, record)| (key, Arc::new(record)))
            .collect();
        Ok(Self {
            store,
            live: Arc::new(RwLock::new(live)),
        })
    }

    /// Issues a token; its assertion, if there was one, counts as seen from here on.
    ///
    /// # Errors
    /// `assertion_replayed`, `overloaded`, `state_unavailable`.
    pub async fn issue(
        &self,
        record: TokenRecord,
        assertion: Option<(Key, i64)>,
        now: i64,
    ) -> Result<String, Refusal> {
        if !self.has_room(now) {
            return Err(Problem::new(&request::OVERLOADED)
                .detail("Too many access tokens are live; use the one you have until it expires.")
                .retry_after(30)
                .into());
        }
        let text = random_text().map_err(|_| Refusal::from(&request::INTERNAL))?;
        let digest = *Digest::of(text.as_bytes()).as_bytes();
        let issued = IssuedToken {
            digest,
            token: record.clone(),
            assertion,
        };
        match self.store.issue_token(issued).await? {
            Ok(()) => {}
            Err(Conflict::AssertionSeen) => return Err((&token::ASSERTION_REPLAYED).into()),
            Err(_) => return Err((&request::INTERNAL).into()),
        }
        self.write().insert(digest, Arc::new(record));
        Ok(text)
    }

    /// What a token stands for, if it is live.
    pub fn find(&self, text: &str, now: i64) -> Option<Arc<TokenRecord>> {
        let digest = *Digest::of(text.as_bytes()).as_bytes();
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.get(&digest)
            .filter(|record| now < record.expires_at)
            .cloned()
    }

    /// Forgets what has expired.
    pub fn prune(&self, now: i64) {
        self.write().retain(|_, record| now < record.expires_at);
    }

    fn has_room(&self, now: i64) -> bool {
        let full = |tokens: &Self| {
            let live = tokens.live.read().unwrap_or_else(PoisonError::into_inner);
            live.len() >= MOST
        };
        if full(self) {
            self.prune(now);
        }
        !full(self)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Key, Arc<TokenRecord>>> {
        // Every change is one call on the map, so a panic elsewhere leaves it whole.
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }
}
