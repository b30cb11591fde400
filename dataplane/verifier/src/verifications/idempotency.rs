//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same key and body get the
//! same response, whatever happened to the first one on its way back.
//!
//! A key belongs to one relying party and one path. It is kept as long as the verification of its
//! request, and ten minutes at least. A request that was refused leaves no record, so that it can be
//! repaired under the same key.

use http::HeaderMap;
use pavilion_catalogue::{Problem, request};
use pavilion_json::Digest;
use ulid::Ulid;

use crate::app::App;
use crate::keys::key_of;
use crate::oauth::Caller;
use crate::problems::Refusal;
use crate::reservations::Reservation;
use crate::store::{IdempotencyRecord, Key, KeyedRecord};

const HEADER: &str = "idempotency-key";
const LONGEST: usize = 128;

/// How long a record is kept at least, in seconds: as long as somebody may still be repeating the
/// request, however short the result is kept.
const KEPT: i64 = 600;

/// A key that this request alone works on.
pub(super) struct IdempotencyKey {
    key: Key,
    digest: Digest,
    /// What an earlier request with the key came to.
    pub(super) earlier: Option<IdempotencyRecord>,
    _reservation: Reservation<Key>,
}

impl IdempotencyKey {
    /// The key of a request, if it sent one.
    ///
    /// # Errors
    /// `idempotency_key_invalid`, `idempotency_key_in_use` while the first request is under way,
    /// `idempotency_key_reused` if that had another body.
    pub(super) fn of(
        app: &App,
        caller: &Caller,
        headers: &HeaderMap,
        path: &str,
        digest: Digest,
    ) -> Result<Option<Self>, Refusal> {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let text = value.to_str().ok().filter(|text| is_key(text));
        let (Some(text), None) = (text, values.next()) else {
            return Err((&request::IDEMPOTENCY_KEY_INVALID).into());
        };
        let key = key_of(
            "idempotency",
            &[&caller.party.name, &caller.party.uid, path, text],
        );
        let reservation = app.idempotency_keys.reserve(key).ok_or_else(in_use)?;
        let earlier = app.store.idempotency(&key)?;
        if earlier
            .as_ref()
            .is_some_and(|record| record.req_digest != digest)
        {
            return Err((&request::IDEMPOTENCY_KEY_REUSED).into());
        }
        Ok(Some(Self {
            key,
            earlier,
            digest,
            _reservation: reservation,
        }))
    }

    /// What is to be stored about its request, which came to this.
    pub(super) fn record(
        &self,
        verification: Ulid,
        response: Option<String>,
        kept_until: i64,
        now: i64,
    ) -> KeyedRecord {
        KeyedRecord {
            key: self.key,
            record: IdempotencyRecord {
                req_digest: self.digest,
                verification: verification.to_string(),
                response,
            },
            until: kept_until.max(now.saturating_add(KEPT)),
        }
    }
}

/// The first request with the key has not come to its end.
pub(super) fn in_use() -> Refusal {
    Problem::new(&request::IDEMPOTENCY_KEY_IN_USE)
        .retry_after(1)
        .into()
}

fn is_key(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
