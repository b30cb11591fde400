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
mod reason;
mod token;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pavilion_catalogue::{Entry, status};

use self::cache::{Cache, Key};
use self::fetch::Fetcher;
use self::turns::Turns;
use crate::clock::Clock;
use crate::sd_jwt::{Credential, StatusClaim, StatusReference, Trusted};
use crate::{OnUnreachable, StatusRules, Verified};

pub use list::StatusList;
pub use reason::StatusReason;
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
    /// Fetches at the same time. Default: 32.
    pub max_fetches: usize,
    /// Fetches at the same time from one host. Default: 4.
    pub max_fetches_per_host: usize,
    /// How long a fetch may wait for its turn among those. Default: 2 s.
    pub queue_timeout: Duration,
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
            max_fetches: 32,
            max_fetches_per_host: 4,
            queue_timeout: Duration::from_secs(2),
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
    Indeterminate(StatusReason),
    /// It is refused for this reason: no status where one is demanded, or a status that cannot be
    /// known where the trust anchor says that this fails.
    Failed(StatusReason),
}

/// What was found, and how old what was found is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusFinding {
    /// What is known.
    pub outcome: StatusOutcome,
    /// When the list that says so was made; `None` where no list said anything.
    pub list_issued_at: Option<Timestamp>,
}

impl StatusFinding {
    /// What a list's value says.
    fn of(value: u8, issued_at: Timestamp, rules: &StatusRules) -> Self {
        let outcome = match value {
            0 => StatusOutcome::Valid,
            1 => StatusOutcome::Revoked,
            2 => StatusOutcome::Suspended,
            _ => {
                let reason = StatusReason::new(
                    &status::VALUE_UNKNOWN,
                    "The list's value for the credential is neither 0, 1 nor 2.",
                );
                return StatusOutcome::unknown(rules, reason).into();
            }
        };
        Self {
            outcome,
            list_issued_at: Some(issued_at),
        }
    }
}

impl From<StatusOutcome> for StatusFinding {
    fn from(outcome: StatusOutcome) -> Self {
        Self {
            outcome,
            list_issued_at: None,
        }
    }
}

impl StatusOutcome {
    /// The code to report; `None` where the credential may pass.
    pub fn code(self) -> Option<&'static Entry> {
        match self {
            Self::Valid | Self::Unstated => None,
            Self::Revoked => Some(&status::REVOKED),
            Self::Suspended => Some(&status::SUSPENDED),
            Self::Indeterminate(reason) | Self::Failed(reason) => Some(reason.code),
        }
    }

    /// A sentence on what exactly was found, without a value of the credential or the list;
    /// `None` where the code says it all.
    pub fn detail(self) -> Option<&'static str> {
        match self {
            Self::Valid | Self::Unstated | Self::Revoked | Self::Suspended => None,
            Self::Indeterminate(reason) | Self::Failed(reason) => Some(reason.detail),
        }
    }

    /// What cannot be known, by the rules of the trust anchor.
    fn unknown(rules: &StatusRules, reason: StatusReason) -> Self {
        match rules.on_unreachable {
            OnUnreachable::Indeterminate => Self::Indeterminate(reason),
            OnUnreachable::Fail => Self::Failed(reason),
        }
    }
}

/// Fetches status lists and keeps them in memory while they may be used. One per process, shared.
pub struct StatusLists {
    cache: Arc<Cache>,
    source: Arc<Source>,
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
            cache: Arc::new(Cache::new(&options)),
            source: Arc::new(Source::new(&options)),
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
    ) -> StatusFinding {
        let rules = &credential.trusted.anchor.status;
        let outcome = match &credential.status {
            StatusClaim::None if rules.required => StatusOutcome::Failed(StatusReason::new(
                &status::MISSING,
                "The credential names no status list, and the trust anchor demands one.",
            )),
            StatusClaim::None => StatusOutcome::Unstated,
            StatusClaim::Unsupported => StatusOutcome::unknown(
                rules,
                StatusReason::new(
                    &status::MECHANISM_UNSUPPORTED,
                    "The credential's status has no status_list.",
                ),
            ),
            StatusClaim::List(reference) => {
                let clock = Clock::new(now, leeway);
                match self.value(credential, reference, clock).await {
                    Ok((value, issued_at)) => return StatusFinding::of(value, issued_at, rules),
                    Err(reason) => StatusOutcome::unknown(rules, reason),
                }
            }
        };
        outcome.into()
    }

    async fn value(
        &self,
        credential: &Credential,
        reference: &StatusReference,
        clock: Clock,
    ) -> Result<(u8, Timestamp), StatusReason> {
        let trusted = &credential.trusted;
        let key = Key {
            anchor: trusted.anchor.fingerprint,
            index: trusted.index,
            issuer: trusted.issuer.clone(),
            uri: reference.uri.clone(),
        };
        let fetch = || {
            let (source, trusted) = (Arc::clone(&self.source), trusted.clone());
            let uri = reference.uri.clone();
            async move { source.list(trusted, uri, clock).await }
        };
        let dated = self.cache.get(key, clock.now(), fetch).await?;
        let value = dated.list.get(reference.index).ok_or(StatusReason::new(
            &status::INDEX_OUT_OF_RANGE,
            "The list ends before the credential's idx.",
        ))?;
        Ok((value, dated.issued_at))
    }
}

/// Where lists come from.
struct Source {
    max_list_bytes: usize,
    turns: Turns,
    fetcher: Fetcher,
}

impl Source {
    fn new(options: &StatusOptions) -> Self {
        Self {
            max_list_bytes: options.max_list_bytes,
            turns: Turns::new(options),
            fetcher: Fetcher::new(options),
        }
    }

    /// The list at `uri`, fetched and verified.
    async fn list(
        &self,
        trusted: Trusted,
        uri: String,
        clock: Clock,
    ) -> Result<cache::Fetched, StatusReason> {
        let anchor = Arc::clone(&trusted.anchor);
        let fetched = self.fetch(trusted, uri, clock).await;
        if let Err(StatusReason { code, detail }) = fetched {
            tracing::warn!(
                anchor = %anchor.name,
                code = code.code,
                detail,
                "a status list cannot be used"
            );
        }
        fetched
    }

    async fn fetch(
        &self,
        trusted: Trusted,
        uri: String,
        clock: Clock,
    ) -> Result<cache::Fetched, StatusReason> {
        let rules = &trusted.anchor.status;
        let max_age = Duration::from_secs(rules.max_age_seconds);
        let url = fetch::allowed_url(&uri, rules.allow_private_addresses)?;
        let turn = self.turns.at(&url).await?;
        let token = self.fetcher.fetch(url, rules).await?;
        drop(turn);
        let job = token::Job {
            token,
            uri,
            trusted,
            max_list_bytes: self.max_list_bytes,
            clock,
        };
        // A signature check and an inflation of megabytes must not hold up the runtime.
        let claims = tokio::task::spawn_blocking(move || job.verify())
            .await
            .map_err(|_| StatusReason::unreachable("The check of the list broke off."))??;
        cache::Fetched::new(claims, clock, max_age).ok_or(StatusReason::new(
            &status::LIST_STALE,
            "The list's exp has passed, or its iat lies further back than the trust anchor allows.",
        ))
    }
}
