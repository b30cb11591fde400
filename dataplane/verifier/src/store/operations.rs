//! The changes and look-ups, each one all or nothing.

use serde::Serialize;
use serde::de::DeserializeOwned;
use ulid::Ulid;

use super::rows::{IdempotencyRecord, NonceUse, Outcome, StoredVerification, TokenRecord};
use super::tables::{self, Kind, Tables};
use super::{Key, Store, StoreError};

/// A verification that is opened, with everything that becomes known with it.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its id.
    pub id: Ulid,
    /// The row; it may be completed already.
    pub verification: StoredVerification,
    /// The nonce's key.
    pub nonce: Key,
    /// By what the nonce was answered.
    pub nonce_use: NonceUse,
    /// Until when the nonce must not be used again, seconds since the epoch.
    pub nonce_until: i64,
    /// The record of the idempotency key, if one was sent.
    pub idempotency: Option<KeyedRecord>,
}

/// The record of an idempotency key.
#[derive(Clone, Debug)]
pub struct KeyedRecord {
    /// The key.
    pub key: Key,
    /// What its request came to.
    pub record: IdempotencyRecord,
    /// Until when it is kept, seconds since the epoch.
    pub until: i64,
}

/// How a verification ends.
#[derive(Clone, Debug)]
pub struct Ending {
    /// How.
    pub outcome: Outcome,
    /// From when on nothing of it is kept.
    pub kept_until: i64,
    /// The nonce's key, until when it is remembered, and by what it was answered.
    pub nonce: Option<(Key, i64, NonceUse)>,
    /// The record of the idempotency key, if one was sent.
    pub idempotency: Option<KeyedRecord>,
}

/// A new access token.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The digest of the token.
    pub digest: Key,
    /// What it stands for.
    pub token: TokenRecord,
    /// The key of the assertion that got it, and when that expires.
    pub assertion: Option<(Key, i64)>,
}

/// Why a change was not made. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The nonce was used before, by this.
    NonceUsed(NonceUse),
    /// The idempotency key was used by another request meanwhile.
    KeyUsed,
    /// The assertion was seen before.
    AssertionSeen,
    /// The verification does not await evidence any more.
    NotAwaiting,
}

impl Store {
    /// Writes a new verification, completed or awaiting evidence; its nonce is used from here on.
    pub async fn open_verification(
        &self,
        opening: Opening,
    ) -> Result<Result<(), Conflict>, StoreError> {
        self.write(move |tables| {
            if is_used(tables, opening.idempotency.as_ref())? {
                return Ok(Err(Conflict::KeyUsed));
            }
            if let Some(used) = tables.get(Kind::Nonce, &opening.nonce)? {
                return Ok(Err(Conflict::NonceUsed(decode(&used)?)));
            }
            let until = seconds(opening.nonce_until);
            tables.put(
                Kind::Nonce,
                &opening.nonce,
                until,
                &encode(&opening.nonce_use)?,
            )?;
            put_verification(tables, opening.id, &opening.verification)?;
            put_record(tables, opening.idempotency.as_ref())?;
            Ok(Ok(()))
        })
        .await
    }

    /// Ends a verification that awaits evidence.
    pub async fn end_verification(
        &self,
        id: Ulid,
        ending: Ending,
    ) -> Result<Result<StoredVerification, Conflict>, StoreError> {
        self.write(move |tables| {
            if is_used(tables, ending.idempotency.as_ref())? {
                return Ok(Err(Conflict::KeyUsed));
            }
            let found = tables.get(Kind::Verification, &id.to_bytes())?;
            let Some(found) = found else {
                return Ok(Err(Conflict::NotAwaiting));
            };
            let mut row: StoredVerification = decode(&found)?;
            if !row.end(ending.outcome, ending.kept_until) {
                return Ok(Err(Conflict::NotAwaiting));
            }
            put_verification(tables, id, &row)?;
            put_record(tables, ending.idempotency.as_ref())?;
            if let Some((key, until, nonce_use)) = &ending.nonce {
                tables.put(Kind::Nonce, key, seconds(*until), &encode(nonce_use)?)?;
            }
            Ok(Ok(row))
        })
        .await
    }

    /// Deletes a verification. Its nonce stays used.
    pub async fn remove_verification(&self, id: Ulid) -> Result<(), StoreError> {
        self.write(move |tables| tables.remove(Kind::Verification, &id.to_bytes()))
            .await
    }

    /// Writes a new access token, and that its assertion was seen.
    pub async fn issue_token(
        &self,
        issued: IssuedToken,
    ) -> Result<Result<(), Conflict>, StoreError> {
        self.write(move |tables| {
            if let Some((key, until)) = issued.assertion {
                if tables.get(Kind::Assertion, &key)?.is_some() {
                    return Ok(Err(Conflict::AssertionSeen));
                }
                tables.put(Kind::Assertion, &key, seconds(until), &[])?;
            }
            let until = seconds(issued.token.expires_at);
            tables.put(Kind::Token, &issued.digest, until, &encode(&issued.token)?)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Deletes up to `limit` rows whose time has passed; says how many it looked at. Verifications
    /// that are `in_use` stay until the next sweep.
    pub async fn sweep(
        &self,
        now: i64,
        limit: usize,
        in_use: impl Fn(Ulid) -> bool + Send + 'static,
    ) -> Result<usize, StoreError> {
        let spared = move |kind: Kind, key: &[u8]| {
            let id = (kind == Kind::Verification).then(|| key.try_into().ok());
            id.flatten().is_some_and(|id| in_use(Ulid::from_bytes(id)))
        };
        self.write(move |tables| tables.sweep(seconds(now), limit, &spared))
            .await
    }

    /// A verification.
    pub fn verification(&self, id: Ulid) -> Result<Option<StoredVerification>, StoreError> {
        self.look_up(Kind::Verification, &id.to_bytes())
    }

    /// How a nonce was used, if it was.
    pub fn nonce(&self, key: &Key) -> Result<Option<NonceUse>, StoreError> {
        self.look_up(Kind::Nonce, key)
    }

    /// What an idempotency key came to.
    pub fn idempotency(&self, key: &Key) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.look_up(Kind::Idempotency, key)
    }

    /// Every access token that was issued and not swept.
    pub fn tokens(&self) -> Result<Vec<(Key, TokenRecord)>, StoreError> {
        let rows = tables::read_all(&self.database.read()?, Kind::Token)?;
        let decoded = rows
            .into_iter()
            .map(|(key, row)| Ok((key, decode(&row)?)))
            .collect::<Result<_, redb::Error>>()?;
        Ok(decoded)
    }

    fn look_up<T: DeserializeOwned>(
        &self,
        kind: Kind,
        key: &[u8],
    ) -> Result<Option<T>, StoreError> {
        let row = tables::read(&self.database.read()?, kind, key)?;
        Ok(row.as_deref().map(decode).transpose()?)
    }
}

fn is_used(tables: &Tables<'_>, keyed: Option<&KeyedRecord>) -> Result<bool, redb::Error> {
    let earlier = keyed.map(|keyed| tables.get(Kind::Idempotency, &keyed.key));
    Ok(earlier.transpose()?.flatten().is_some())
}

fn put_record(tables: &mut Tables<'_>, keyed: Option<&KeyedRecord>) -> Result<(), redb::Error> {
    let Some(keyed) = keyed else {
        return Ok(());
    };
    let until = seconds(keyed.until);
    let record = encode(&keyed.record)?;
    tables.put(Kind::Idempotency, &keyed.key, until, &record)
}

fn put_verification(
    tables: &mut Tables<'_>,
    id: Ulid,
    row: &StoredVerification,
) -> Result<(), redb::Error> {
    let until = seconds(row.kept_until);
    tables.put(Kind::Verification, &id.to_bytes(), until, &encode(row)?)
}

/// Seconds since the epoch as the index counts them; no time before it matters here.
fn seconds(time: i64) -> u64 {
    u64::try_from(time).unwrap_or(0)
}

fn encode<T: Serialize>(row: &T) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(row).map_err(|_| damaged())
}

fn decode<T: DeserializeOwned>(row: &[u8]) -> Result<T, redb::Error> {
    serde_json::from_slice(row).map_err(|_| damaged())
}

fn damaged() -> redb::Error {
    redb::Error::Corrupted("a row is not of the form that this version writes".to_owned())
}
