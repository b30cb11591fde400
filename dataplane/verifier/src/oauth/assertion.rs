//! `private_key_jwt`: the assertion that a relying party signs (RFC 7523 section 3).

use jiff::Timestamp;
use pavilion_catalogue::{Problem, token};
use pavilion_jose::{Algorithm, CompactJws, VerifiedJws};
use pavilion_json::Limits;
use serde::Deserialize;

use crate::keys::key_of;
use crate::problems::Refusal;
use crate::store::Key;
use crate::tenant::{MAX_LEEWAY, RelyingParty, Tenant, seconds};

/// An assertion may not promise to live longer than this, in seconds; its `jti` is remembered so long.
const LONGEST_LIFE: i64 = 3_600;

/// The longest `jti`, in bytes.
const LONGEST_ID: usize = 256;

/// The `typ` values that are not somebody else's kind of token.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];

/// An assertion that proves a relying party.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proven {
    /// The key of its `jti`.
    pub(super) id: Key,
    /// Until when that must be remembered, seconds since the epoch.
    pub(super) until: i64,
    /// The RFC 7638 thumbprint of the key that signed it.
    pub(super) key: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// The name that an assertion claims to be of; nothing of it is verified.
pub(super) fn claimed_name(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let jws = CompactJws::parse(assertion).ok()?;
    let subject: Subject =
        pavilion_json::read(jws.unverified_payload(), Limits::CREDENTIAL).ok()?;
    Some(subject.sub)
}

/// Verifies an assertion as one of this relying party, at this tenant, now.
pub(super) fn verify(
    assertion: &str,
    party: &RelyingParty,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<Proven, Refusal> {
    let (verified, key) = signature(assertion, party)?;
    let typ = verified.header().typ.as_deref();
    if typ.is_some_and(|typ| !TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ))) {
        return Err(refused(
            "The assertion's typ is that of another kind of token.",
        ));
    }
    let claims: Claims = pavilion_json::read(verified.payload(), Limits::CREDENTIAL)
        .map_err(|error| refused(&format!("The assertion's claims: {error}.")))?;
    if claims.iss != party.name || claims.sub != party.name {
        return Err(refused(
            "The assertion's iss and sub must both be the client_id.",
        ));
    }
    if !claims.aud.names(&[&tenant.issuer, &tenant.token_endpoint]) {
        return Err(refused(
            "The assertion's aud must be the issuer or the token endpoint, and nobody else.",
        ));
    }
    if claims.jti.is_empty() || claims.jti.len() > LONGEST_ID {
        return Err(refused("The assertion's jti must have 1 to 256 bytes."));
    }
    let leeway = seconds(tenant.lifetimes.clock_leeway_seconds);
    let expires = claims.check_times(now.as_second(), leeway)?;
    Ok(Proven {
        id: key_of("assertion", &[&party.name, &claims.jti]),
        // Not this bundle's leeway: the next one may bring a greater.
        until: expires.saturating_add(MAX_LEEWAY).saturating_add(1),
        key,
    })
}

/// The payload, verified under one of the relying party's keys, and the thumbprint of that. What
/// differs between a wrong key, a wrong signature and an unknown party is not told.
fn signature(assertion: &str, party: &RelyingParty) -> Result<(VerifiedJws, String), Refusal> {
    let jws = CompactJws::parse(assertion)
        .map_err(|error| refused(&format!("The assertion: {error}.")))?;
    let keys = party.keys.as_ref().ok_or_else(unproven)?;
    let kid = jws.header().kid.clone();
    keys.find(kid.as_deref())
        .find_map(|key| {
            let verified = jws.clone().verify(key.key(), &Algorithm::ALL).ok()?;
            Some((verified, key.thumbprint()))
        })
        .ok_or_else(unproven)
}

impl Claims {
    /// Checks `exp`, `iat` and `nbf`; gives `exp` in whole seconds.
    fn check_times(&self, now: i64, leeway: i64) -> Result<i64, Refusal> {
        // A double holds every second of the next millions of years; what is beyond saturates.
        #[allow(clippy::cast_possible_truncation)]
        let second = |time: f64| time.floor() as i64;
        let expires = second(self.exp);
        if expires.saturating_add(leeway) <= now {
            return Err(refused("The assertion has expired."));
        }
        if expires > now.saturating_add(LONGEST_LIFE).saturating_add(leeway) {
            return Err(refused("The assertion's exp lies more than an hour ahead."));
        }
        let ahead = |time: &f64| second(*time) > now.saturating_add(leeway);
        if [self.iat, self.nbf].iter().flatten().any(ahead) {
            return Err(refused(
                "The assertion's iat or nbf lies ahead of our clock.",
            ));
        }
        Ok(expires)
    }
}

impl Audience {
    fn names(&self, wanted: &[&String]) -> bool {
        let is_wanted = |name: &String| wanted.contains(&name);
        match self {
            Self::One(name) => is_wanted(name),
            // An assertion that is also somebody else's could be passed on by them.
            Self::Many(names) => !names.is_empty() && names.iter().all(is_wanted),
        }
    }
}

pub(super) fn unproven() -> Refusal {
    refused("No key or certificate registered for this client_id verifies the proof.")
}

pub(super) fn refused(detail: &str) -> Refusal {
    Problem::new(&token::CLIENT_INVALID).detail(detail).into()
}
