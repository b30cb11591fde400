//! The holder's key binding (RFC 9901 sections 4.3 and 7.3).

use pavilion_catalogue::{Entry, presentation};
use pavilion_jose::{Algorithm, CompactJws, Jwk};
use pavilion_json::{Digest, Limits};
use serde::Deserialize;
use serde_json::Value;

use super::{Expected, HashAlgorithm, KEY_BINDING_TYPE_HEADER};
use crate::ProofError;
use crate::clock::{Clock, numeric_date};
use crate::jose::{algorithm_of, refused_jws};

/// The longest key-binding JWT's payload: an audience, a nonce, a digest and a time.
const LIMITS: Limits = Limits {
    bytes: 16 * 1024,
    depth: 8,
    nodes: 256,
};

/// What holders may sign with: everything that is known here, as all of it is sound. The trust
/// anchor's list is about its issuers; what a wallet's hardware signs with is another matter, and
/// it is the issuer who put the key into the credential.
const HOLDER_ALGORITHMS: &[Algorithm] = &Algorithm::ALL;

/// What the key binding of a presentation must be.
pub(super) struct Demand<'a> {
    pub(super) expected: &'a Expected<'a>,
    pub(super) clock: Clock,
    /// The credential's `cnf`.
    pub(super) holder: Option<&'a Value>,
    pub(super) hash: HashAlgorithm,
    /// What `sd_hash` must cover.
    pub(super) bound: &'a str,
}

/// The payload; claims beside these are allowed.
#[derive(Deserialize)]
struct KeyBinding {
    nonce: String,
    aud: String,
    iat: Value,
    sd_hash: String,
    #[serde(default)]
    exp: Option<Value>,
    #[serde(default)]
    nbf: Option<Value>,
}

/// A key binding that is the one demanded.
pub(super) struct Bound {
    /// The digest of the key-binding JWT.
    pub(super) digest: Digest,
    /// The RFC 7638 thumbprint of the holder's key.
    pub(super) holder: String,
}

/// Checks that there is a key binding exactly if one is demanded, and that it is the one.
pub(super) fn check(
    key_binding: Option<&str>,
    demand: &Demand<'_>,
) -> Result<Option<Bound>, ProofError> {
    match (key_binding, demand.expected.holder_binding) {
        (None, false) => Ok(None),
        (None, true) => Err(ProofError::new(
            &presentation::KEY_BINDING_MISSING,
            "The presentation ends without a key-binding JWT.",
        )),
        (Some(_), false) => Err(ProofError::new(
            &presentation::KEY_BINDING_UNEXPECTED,
            "The presentation carries a key-binding JWT that was not asked for.",
        )),
        (Some(jwt), true) => demand.met_by(jwt).map(Some),
    }
}

impl Demand<'_> {
    fn met_by(&self, jwt: &str) -> Result<Bound, ProofError> {
        let jws = CompactJws::parse(jwt).map_err(|error| {
            refused_jws(
                "The key-binding JWT",
                &error,
                &presentation::KEY_BINDING_INVALID,
            )
        })?;
        if !jws.header().is_type(KEY_BINDING_TYPE_HEADER) {
            return Err(invalid("The key-binding JWT's typ is not kb+jwt."));
        }
        algorithm_of(jws.header())?;
        let key = holder_key(self.holder)?;
        let verified = jws.verify(key.key(), HOLDER_ALGORITHMS).map_err(|error| {
            refused_jws(
                "The key-binding JWT",
                &error,
                &presentation::KEY_BINDING_SIGNATURE_INVALID,
            )
        })?;
        let claims: KeyBinding = pavilion_json::read(verified.payload(), LIMITS)
            .map_err(|_| invalid("The key-binding JWT must have nonce, aud, iat and sd_hash."))?;
        self.check_session(&claims)?;
        self.check_times(&claims)?;
        if claims.sd_hash == self.hash.digest(self.bound) {
            Ok(Bound {
                digest: Digest::of(jwt.as_bytes()),
                holder: key.thumbprint(),
            })
        } else {
            Err(ProofError::new(
                &presentation::KEY_BINDING_SD_HASH_MISMATCH,
                "The sd_hash is not that of the credential and disclosures presented.",
            ))
        }
    }

    fn check_session(&self, claims: &KeyBinding) -> Result<(), ProofError> {
        if claims.aud != self.expected.audience {
            return Err(ProofError::new(
                &presentation::AUDIENCE_MISMATCH,
                "The key-binding JWT names another audience.",
            ));
        }
        if claims.nonce != self.expected.nonce {
            return Err(ProofError::new(
                &presentation::NONCE_MISMATCH,
                "The key-binding JWT carries a nonce that this verification did not hand out.",
            ));
        }
        Ok(())
    }

    fn check_times(&self, claims: &KeyBinding) -> Result<(), ProofError> {
        let date = |value| {
            numeric_date(value)
                .ok_or_else(|| invalid("A time in the key-binding JWT is not a date."))
        };
        let issued = date(&claims.iat)?;
        let expiry = claims.exp.as_ref().map(date).transpose()?;
        let start = claims.nbf.as_ref().map(date).transpose()?;
        if self.clock.is_ahead(issued) || start.is_some_and(|nbf| self.clock.is_ahead(nbf)) {
            return refuse(
                &presentation::KEY_BINDING_FROM_THE_FUTURE,
                "The key-binding JWT's iat or nbf lies ahead.",
            );
        }
        if self
            .clock
            .is_older(issued, self.expected.key_binding_max_age)
            || expiry.is_some_and(|exp| self.clock.has_passed(exp))
        {
            return refuse(
                &presentation::KEY_BINDING_EXPIRED,
                "The key-binding JWT's iat lies too far back, or its exp has passed.",
            );
        }
        Ok(())
    }
}

/// The key in `cnf.jwk` (RFC 7800 section 3.2). A `cnf` with anything beside `jwk` is refused: it
/// could mean another key than the one that is looked at.
fn holder_key(cnf: Option<&Value>) -> Result<Jwk, ProofError> {
    let missing = |detail| ProofError::new(&presentation::HOLDER_KEY_MISSING, detail);
    let unsupported = |detail| ProofError::new(&presentation::HOLDER_KEY_UNSUPPORTED, detail);
    let Some(Value::Object(cnf)) = cnf else {
        return Err(missing("The credential has no cnf object."));
    };
    let Some(jwk) = cnf.get("jwk") else {
        return Err(missing("The credential's cnf has no jwk."));
    };
    if cnf.len() > 1 {
        return Err(unsupported("The credential's cnf has members beside jwk."));
    }
    let jwk = jwk.as_object().cloned().unwrap_or_default();
    match Jwk::from_members(jwk) {
        Ok(jwk) if jwk.is_for_signatures() => Ok(jwk),
        _ => Err(unsupported(
            "The credential's cnf.jwk is not a supported public key for signatures.",
        )),
    }
}

fn refuse(code: &'static Entry, detail: &str) -> Result<(), ProofError> {
    Err(ProofError::new(code, detail))
}

fn invalid(detail: &str) -> ProofError {
    ProofError::new(&presentation::KEY_BINDING_INVALID, detail)
}
