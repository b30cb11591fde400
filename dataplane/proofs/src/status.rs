//! Credential status by Token Status List (draft-ietf-oauth-status-list-21).
//!
//! The answer is three-valued: what a list says, or that nothing can be said. A list that cannot
//! be fetched, is too old, is not signed by the issuer of the credential or does not reach the
//! index says nothing; that is never taken for a valid credential. A list is fetched only for a
//! [`Verified`] credential, so nobody can make this broker call an address of their choice without
//! being a trusted issuer.

mod addresses;
mod cache;
mod fetch;
mod list;
mod token;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pavilion_catalogue::{Entry, status};
use tokio::sync::Semaphore;

use self::cache::{Cache, Key};
use self::fetch::Fetcher;
use crate::clock::Clock;
use crate::sd_jwt::{Credential, StatusClaim, StatusReference};
use crate::trust::PreparedAnchor;
use crate::{OnUnreachable, StatusRules, Verified};

pub use list::StatusList;
#[cfg(feature = "wallet")]
pub(crate) use token::TYPE_HEADER;
pub use token::{ListClaims, parse_list};

/// The version of the draft that is spoken, for discovery documents.
pub const DRAFT: &str = "draft-ietf-oauth-status-list-21";

/// Bounds of fetching and keeping lists.
#[derive(Clone, Debug)]
pub struct StatusOptions {
    /// From the first packet to a finished TLS handshake. Default: 2 s.
    pub connect_timeout: Duration,
    /// From the request to the last byte of the list. Default: 5 s.
    pub total_timeout: Duration,
    /// The longest list token, in bytes. Default, and the longest that is ever read: 256 KiB,
    /// which holds a million one-bit entries however they are set.
    pub max_token_bytes: usize,
    /// The longest inflated list, in bytes. Default: 4 MiB.
    pub max_list_bytes: usize,
    /// All inflated lists together, in bytes. Default: 32 MiB.
    pub max_cached_bytes: usize,
    /// All lists kept, in number. Default: 512.
    pub max_cached_lists: usize,
    /// Fetches at the same time. Default: 16.
    pub max_fetches: usize,
    /// How long a failure is remembered before the list is asked for again. Default: 10 s.
    pub retry_after: Duration,
}

impl Default for StatusOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            total_timeout: Duration::from_secs(5),
            max_token_bytes: pavilion_jose::MAX_COMPACT_BYTES,
            max_list_bytes: 4 * 1024 * 1024,
            max_cached_bytes: 32 * 1024 * 1024,
            max_cached_lists: 512,
            max_fetches: 16,
            retry_after: Duration::from_secs(10),
        }
    }
}

/// What is known about a credential's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusOutcome {
    /// Its list says valid.
    Valid,
    /// Its list says invalid, for good.
    Revoked,
    /// Its list says suspended, for now.
    Suspended,
    /// It names no status and the trust anchor demands none.
    Unstated,
    /// It cannot be known now, for this reason.
    Indeterminate(&'static Entry),
    /// It is refused for this reason: no status where one is demanded, or a status that cannot be
    /// known where the trust anchor says that this fails.
    Failed(&'static Entry),
}

impl StatusOutcome {
    /// The code to report; `None` where the credential may pass.
    pub fn code(self) -> Option<&'static Entry> {
        match self {
            Self::Valid | Self::Unstated => None,
            Self::Revoked => Some(&status::REVOKED),
            Self::Suspended => Some(&status::SUSPENDED),
            Self::Indeterminate(code) | Self::Failed(code) => Some(code),
        }
    }

    /// What cannot be known, by the rules of the trust anchor.
    fn unknown(rules: &StatusRules, code: &'static Entry) -> Self {
        match rules.on_unreachable {
            OnUnreachable::Indeterminate => Self::Indeterminate(code),
            OnUnreachable::Fail => Self::Failed(code),
        }
    }
}

/// Fetches status lists and keeps them in memory while they may be used. One per process, shared.
pub struct StatusLists {
    options: StatusOptions,
    fetcher: Fetcher,
    fetches: Semaphore,
    cache: Cache,
}

impl Default for StatusLists {
    fn default() -> Self {
        Self::new(StatusOptions::default())
    }
}

impl StatusLists {
    /// An empty cache. The process must have a TLS provider installed before the first check.
    pub fn new(options: StatusOptions) -> Self {
        Self {
            fetcher: Fetcher::new(&options),
            fetches: Semaphore::new(options.max_fetches.max(1)),
            cache: Cache::new(&options),
            options,
        }
    }

    /// The status of a verified credential at `now`, by the rules of the trust anchor that
    /// believes its issuer. `leeway` is the allowed difference between clocks. Of several callers
    /// that need the same list one fetches it.
    pub async fn check(
        &self,
        credential: &Verified<Credential>,
        now: Timestamp,
        leeway: Duration,
    ) -> StatusOutcome {
        let rules = &credential.trusted.anchor.status;
        match &credential.status {
            StatusClaim::None if rules.required => StatusOutcome::Failed(&status::MISSING),
            StatusClaim::None => StatusOutcome::Unstated,
            StatusClaim::Unsupported => {
                StatusOutcome::unknown(rules, &status::MECHANISM_UNSUPPORTED)
            }
            StatusClaim::List(reference) => {
                let clock = Clock::new(now, leeway);
                match self.value(credential, reference, clock).await {
                    Ok(0) => StatusOutcome::Valid,
                    Ok(1) => StatusOutcome::Revoked,
                    Ok(2) => StatusOutcome::Suspended,
                    Ok(_) => StatusOutcome::unknown(rules, &status::VALUE_UNKNOWN),
                    Err(code) => StatusOutcome::unknown(rules, code),
                }
            }
        }
    }

    async fn value(
        &self,
        credential: &Credential,
        reference: &StatusReference,
        clock: Clock,
    ) -> Result<u8, &'static Entry> {
        let trusted = &credential.trusted;
        let key = Key {
            anchor: trusted.anchor.fingerprint,
            index: trusted.index,
            issuer: trusted.issuer.clone(),
            uri: reference.uri.clone(),
        };
        let list = self
            .cache
            .get(key, clock.now(), || {
                self.fetch(credential, &reference.uri, clock)
            })
            .await?;
        list.get(reference.index).ok_or(&status::INDEX_OUT_OF_RANGE)
    }

    async fn fetch(
        &self,
        credential: &Credential,
        uri: &str,
        clock: Clock,
    ) -> Result<cache::Fetched, &'static Entry> {
        let anchor = &credential.trusted.anchor;
        let fetched = self.fetch_and_verify(credential, uri, clock).await;
        if let Err(code) = &fetched {
            tracing::warn!(anchor = %anchor.name, code = code.code, "a status list cannot be used");
        }
        fetched
    }

    async fn fetch_and_verify(
        &self,
        credential: &Credential,
        uri: &str,
        clock: Clock,
    ) -> Result<cache::Fetched, &'static Entry> {
        let anchor: &Arc<PreparedAnchor> = &credential.trusted.anchor;
        let _permit = self
            .fetches
            .acquire()
            .await
            .map_err(|_| &status::LIST_UNREACHABLE)?;
        let token = self.fetcher.fetch(uri, &anchor.status).await?;
        let job = token::Job {
            token,
            uri: uri.to_owned(),
            trusted: credential.trusted.clone(),
            max_list_bytes: self.options.max_list_bytes,
            clock,
        };
        // A signature check and an inflation of megabytes must not hold up the runtime.
        let max_age = Duration::from_secs(anchor.status.max_age_seconds);
        let claims = tokio::task::spawn_blocking(move || job.verify())
            .await
            .map_err(|_| &status::LIST_UNREACHABLE)?
            .map_err(|error| error.code)?;
        cache::Fetched::new(claims, clock, max_age).ok_or(&status::LIST_STALE)
    }
}
