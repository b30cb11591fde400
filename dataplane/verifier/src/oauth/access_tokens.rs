//! The tokens that count, by digest: in memory for every request, on disk for the next start.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use pavilion_catalogue::{Problem, request, token};
use pavilion_json::Digest;

use crate::keys::random_text;
use crate::problems::Refusal;
use crate::store::{Conflict, IssuedToken, Key, Store, StoreError, TokenRecord};

/// Live tokens of one relying party at most; beyond, it gets none until some have expired. One for
/// each asker, so that none can lock the others out.
const MOST: usize = 2_000;

/// The live tokens. Clones share them.
#[derive(Clone)]
pub struct AccessTokens {
    store: Store,
    live: Arc<RwLock<Live>>,
}

/// The live tokens by digest, and how many each relying party (by name and uid) has.
#[derive(Default)]
struct Live {
    tokens: HashMap<Key, Arc<TokenRecord>>,
    counts: HashMap<(String, String), usize>,
}

impl Live {
    fn insert(&mut self, digest: Key, record: Arc<TokenRecord>) {
        *self.counts.entry(party(&record)).or_default() += 1;
        self.tokens.insert(digest, record);
    }

    fn remove(&mut self, digest: &Key) {
        let removed = self.tokens.remove(digest);
        if let Some(count) = removed.and_then(|record| self.counts.get_mut(&party(&record))) {
            *count = count.saturating_sub(1);
        }
    }

    fn prune(&mut self, now: i64) {
        self.tokens.retain(|_, record| now < record.expires_at);
        self.counts.clear();
        for record in self.tokens.values() {
            *self.counts.entry(party(record)).or_default() += 1;
        }
    }

    fn is_full(&self, record: &TokenRecord) -> bool {
        let count = self.counts.get(&party(record));
        count.is_some_and(|count| *count >= MOST)
    }
}

fn party(record: &TokenRecord) -> (String, String) {
    (
        record.relying_party.clone(),
        record.relying_party_uid.clone(),
    )
}

impl AccessTokens {
    /// Reads back the tokens that were issued before a restart.
    pub fn load(store: Store) -> Result<Self, StoreError> {
        let mut live = Live::default();
        for (key, record) in store.tokens()? {
            live.insert(key, Arc::new(record));
        }
        Ok(Self {
            store,
            live: Arc::new(RwLock::new(live)),
        })
    }

    /// Issues a token; its assertion, if there was one, counts as seen from here on.
    ///
    /// # Errors
    /// `assertion_replayed`, `token_limit_reached`, `state_unavailable`.
    pub async fn issue(
        &self,
        record: TokenRecord,
        assertion: Option<(Key, i64)>,
        now: i64,
    ) -> Result<String, Refusal> {
        let text = random_text().map_err(|_| Refusal::from(&request::INTERNAL))?;
        let digest = *Digest::of(text.as_bytes()).as_bytes();
        // Before it is written, so that many at once are counted; nobody knows its text yet.
        self.take_place(digest, &record, now)?;
        let issued = IssuedToken {
            digest,
            token: record,
            assertion,
        };
        let refusal = match self.store.issue_token(issued).await {
            Ok(Ok(())) => return Ok(text),
            Ok(Err(Conflict::AssertionSeen)) => (&token::ASSERTION_REPLAYED).into(),
            Ok(Err(_)) => (&request::INTERNAL).into(),
            Err(error) => error.into(),
        };
        self.write().remove(&digest);
        Err(refusal)
    }

    /// What a token stands for, if it is live.
    pub fn find(&self, text: &str, now: i64) -> Option<Arc<TokenRecord>> {
        let digest = *Digest::of(text.as_bytes()).as_bytes();
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.tokens
            .get(&digest)
            .filter(|record| now < record.expires_at)
            .cloned()
    }

    /// Forgets what has expired.
    pub fn prune(&self, now: i64) {
        self.write().prune(now);
    }

    fn take_place(&self, digest: Key, record: &TokenRecord, now: i64) -> Result<(), Refusal> {
        let mut live = self.write();
        if live.is_full(record) {
            live.prune(now);
        }
        if live.is_full(record) {
            return Err(Problem::new(&token::LIMIT).retry_after(30).into());
        }
        live.insert(digest, Arc::new(record.clone()));
        Ok(())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Live> {
        // No change leaves more than a wrong count behind, and the next pruning puts that right.
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }
}
