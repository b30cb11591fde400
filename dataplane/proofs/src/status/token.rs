//! A status list token (draft-ietf-oauth-status-list, "Status List Token in JWT Format").

use jiff::Timestamp;
use pavilion_jose::{CompactJws, JoseError};
use pavilion_json::Limits;
use serde::Deserialize;
use serde_json::Value;

use super::StatusReason;
use super::list::StatusList;
use crate::ProofError;
use crate::clock::{Clock, numeric_date};
use crate::jose::algorithm_of;
use crate::sd_jwt::Trusted;
use crate::trust::Claimed;

/// The `typ` of a status list token.
pub(crate) const TYPE_HEADER: &str = "statuslist+jwt";

/// What a status list token says.
#[derive(Clone, Debug)]
pub struct ListClaims {
    /// The URI it answers for.
    pub subject: String,
    /// Its issuer, where it names one.
    pub issuer: Option<String>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it stops counting.
    pub expires_at: Option<Timestamp>,
    /// How long a copy may be kept before a fresh one should be asked for, in seconds.
    pub ttl_seconds: Option<u64>,
    /// The list.
    pub list: StatusList,
}

#[derive(Deserialize)]
struct Payload {
    sub: String,
    #[serde(default)]
    iss: Option<String>,
    iat: Value,
    #[serde(default)]
    exp: Option<Value>,
    #[serde(default)]
    ttl: Option<Value>,
    status_list: List,
}

#[derive(Deserialize)]
struct List {
    bits: u64,
    lst: String,
}

/// Reads the payload of a status list token and inflates its list into at most `max_list_bytes`.
/// The signature is not looked at: this is the parser alone.
pub fn parse_list(payload: &[u8], max_list_bytes: usize) -> Result<ListClaims, ProofError> {
    Ok(read_list(payload, max_list_bytes)?)
}

fn read_list(payload: &[u8], max_list_bytes: usize) -> Result<ListClaims, StatusReason> {
    let limits = Limits {
        bytes: payload.len(),
        depth: 8,
        nodes: 256,
    };
    let read: Payload = pavilion_json::read(payload, limits)
        .map_err(|_| invalid("A status list token must have sub, iat and status_list."))?;
    let date = |value: &Value| {
        numeric_date(value).ok_or_else(|| invalid("A time in the status list token is not a date."))
    };
    Ok(ListClaims {
        issued_at: date(&read.iat)?,
        expires_at: read.exp.as_ref().map(date).transpose()?,
        ttl_seconds: read.ttl.as_ref().map(whole_seconds).transpose()?,
        list: StatusList::inflate(read.status_list.bits, &read.status_list.lst, max_list_bytes)?,
        subject: read.sub,
        issuer: read.iss,
    })
}

/// `ttl` is "a positive number"; a fraction is rounded down.
fn whole_seconds(value: &Value) -> Result<u64, StatusReason> {
    let seconds = value.as_u64().or_else(|| {
        let moment = numeric_date(value)?;
        u64::try_from(moment.as_second()).ok()
    });
    match seconds {
        Some(seconds) => Ok(seconds),
        None => Err(invalid("The list's ttl is not a positive number.")),
    }
}

/// A fetched token and what it must be.
pub(super) struct Job {
    pub(super) token: String,
    pub(super) uri: String,
    pub(super) trusted: Trusted,
    pub(super) max_list_bytes: usize,
    pub(super) clock: Clock,
}

impl Job {
    /// Checks that the token was signed by the issuer of the credential, by the rules of the trust
    /// anchor, and that it answers for this URI. The list is inflated only after that.
    pub(super) fn verify(&self) -> Result<ListClaims, StatusReason> {
        let jws = CompactJws::parse(&self.token).map_err(|error| match error {
            JoseError::TooLarge(_) => {
                StatusReason::too_large("The status list token is too large.")
            }
            _ => invalid("The status list is not a signed JWT."),
        })?;
        let header = jws.header();
        if !header.is_type(TYPE_HEADER) {
            return Err(invalid("The list's typ is not statuslist+jwt."));
        }
        let claimed = Claimed {
            issuer: self.trusted.stated.as_deref(),
            algorithm: algorithm_of(header).map_err(|error| {
                StatusReason::new(
                    error.code,
                    "The list's signature algorithm is not supported.",
                )
            })?,
            kid: header.kid.as_deref(),
            x5c: header.x5c.as_deref(),
        };
        let anchor = &self.trusted.anchor;
        let found = anchor
            .key_of(self.trusted.index, claimed, self.clock.now())
            .map_err(|_| {
                invalid("The list is not signed with a key of the credential's issuer.")
            })?;
        if found.issuer != self.trusted.issuer {
            return Err(invalid("The list is signed by another issuer."));
        }
        let verified = jws
            .verify(found.key.key(), &anchor.algorithms)
            .map_err(|_| invalid("The list's signature does not verify."))?;
        let claims = read_list(verified.payload(), self.max_list_bytes)?;
        self.check(&claims)?;
        Ok(claims)
    }

    fn check(&self, claims: &ListClaims) -> Result<(), StatusReason> {
        if claims.subject != self.uri {
            return Err(invalid(
                "The list's sub is not the URI that the credential names.",
            ));
        }
        if claims
            .issuer
            .as_ref()
            .is_some_and(|issuer| *issuer != self.trusted.issuer)
        {
            return Err(invalid(
                "The list's iss is not the issuer of the credential.",
            ));
        }
        if self.clock.is_ahead(claims.issued_at) {
            return Err(invalid("The list's iat lies ahead."));
        }
        Ok(())
    }
}

fn invalid(detail: &'static str) -> StatusReason {
    StatusReason::invalid(detail)
}
