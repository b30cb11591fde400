//! What a verified credential says.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use pavilion_catalogue::presentation;
use pavilion_json::Digest;
use serde_json::{Map, Value};

use super::key_binding::Bound;
use crate::clock::{Clock, numeric_date};
use crate::trust::PreparedAnchor;
use crate::{Assurance, ProofError};

/// A credential and the presentation it came in. `Debug` prints no claim.
#[derive(Clone)]
pub struct Credential {
    /// The id of the evidence it was presented for.
    pub evidence_id: String,
    /// The trust anchor that believes its issuer.
    pub anchor: String,
    /// Its issuer: `iss`, or the name in the issuer's certificate where there is no `iss`.
    pub issuer: String,
    /// Its `vct`.
    pub credential_type: String,
    /// Its `iat`; it may be undisclosed.
    pub issued_at: Option<Timestamp>,
    /// Its `exp`.
    pub expires_at: Option<Timestamp>,
    /// The assurance that the trust anchor gives it.
    pub assurance: Option<Assurance>,
    /// The processed payload: what was disclosed and what always is (RFC 9901 section 7.1).
    pub claims: Map<String, Value>,
    /// Where its status is found.
    pub status: StatusClaim,
    /// The digest of the whole presentation.
    pub presentation_digest: Digest,
    /// The digest of what the issuer signed: the same for every presentation of one credential,
    /// whatever was disclosed and however the signature is written.
    pub issued_digest: Digest,
    /// The digest of the key-binding JWT; the same one must not be answered for twice.
    pub key_binding_digest: Option<Digest>,
    /// The RFC 7638 thumbprint of the key that the key-binding JWT was verified with. It is the
    /// same wherever the wallet uses the key, so it must not leave the verifier.
    pub holder_thumbprint: Option<String>,
    pub(crate) trusted: Trusted,
}

/// What tells presentations and credentials apart.
pub(super) struct Digests {
    pub(super) presentation: Digest,
    pub(super) issued: Digest,
}

/// The entry of a trust anchor that vouched for the issuer.
#[derive(Clone)]
pub(crate) struct Trusted {
    pub(crate) issuer: String,
    /// The `iss` of the credential, where it has one.
    pub(crate) stated: Option<String>,
    pub(crate) index: usize,
    pub(crate) anchor: Arc<PreparedAnchor>,
}

/// What a credential says about where its status is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusClaim {
    /// It has no `status`.
    None,
    /// In a status list.
    List(StatusReference),
    /// Only by a mechanism that is not a status list.
    Unsupported,
}

/// An entry of a status list (draft-ietf-oauth-status-list, "Referenced Token in JOSE").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReference {
    /// Where the list is, and what it calls itself.
    pub uri: String,
    /// The entry, from 0.
    pub index: u64,
}

impl Credential {
    pub(super) fn new(
        evidence_id: &str,
        trusted: Trusted,
        stated: Stated,
        claims: Map<String, Value>,
        digests: Digests,
        bound: Option<Bound>,
    ) -> Self {
        let (key_binding_digest, holder_thumbprint) = match bound {
            None => (None, None),
            Some(Bound { digest, holder }) => (Some(digest), Some(holder)),
        };
        Self {
            evidence_id: evidence_id.to_owned(),
            anchor: trusted.anchor.name.clone(),
            issuer: trusted.issuer.clone(),
            credential_type: stated.credential_type,
            issued_at: stated.issued_at,
            expires_at: stated.expires_at,
            assurance: trusted.anchor.assurance,
            claims,
            status: stated.status,
            presentation_digest: digests.presentation,
            issued_digest: digests.issued,
            key_binding_digest,
            holder_thumbprint,
            trusted,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("evidence_id", &self.evidence_id)
            .field("anchor", &self.anchor)
            .field("issuer", &self.issuer)
            .field("credential_type", &self.credential_type)
            .finish_non_exhaustive()
    }
}

/// The registered claims of a processed payload, checked against the clock.
pub(super) struct Stated {
    credential_type: String,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    status: StatusClaim,
}

impl Stated {
    pub(super) fn of_claims(
        claims: &Map<String, Value>,
        clock: Clock,
        audience: &str,
    ) -> Result<Self, ProofError> {
        let expires_at = date(claims, "exp")?;
        let not_before = date(claims, "nbf")?;
        let issued_at = date(claims, "iat")?;
        if expires_at.is_some_and(|exp| clock.has_passed(exp)) {
            return Err(ProofError::new(
                &presentation::CREDENTIAL_EXPIRED,
                "The credential's exp has passed.",
            ));
        }
        if [not_before, issued_at]
            .into_iter()
            .flatten()
            .any(|start| clock.is_ahead(start))
        {
            return Err(ProofError::new(
                &presentation::CREDENTIAL_NOT_YET_VALID,
                "The credential's nbf or iat lies ahead.",
            ));
        }
        check_audience(claims.get("aud"), audience)?;
        Ok(Self {
            credential_type: text(claims, "vct").unwrap_or_default(),
            issued_at,
            expires_at,
            status: StatusClaim::of_claim(claims.get("status"))?,
        })
    }
}

/// A credential that an issuer made for certain audiences is for those only (RFC 7519 section
/// 4.1.3).
fn check_audience(claim: Option<&Value>, audience: &str) -> Result<(), ProofError> {
    let named = match claim {
        None => true,
        Some(Value::Array(several)) => several.iter().any(|one| one == audience),
        Some(one) => one == audience,
    };
    if named {
        Ok(())
    } else {
        Err(ProofError::new(
            &presentation::AUDIENCE_MISMATCH,
            "The credential itself names other audiences.",
        ))
    }
}

impl StatusClaim {
    fn of_claim(claim: Option<&Value>) -> Result<Self, ProofError> {
        let Some(claim) = claim else {
            return Ok(Self::None);
        };
        let Value::Object(mechanisms) = claim else {
            return Err(invalid("The credential's status is not an object."));
        };
        let Some(list) = mechanisms.get("status_list") else {
            return Ok(Self::Unsupported);
        };
        match (
            list.get("uri").and_then(Value::as_str),
            list.get("idx").and_then(Value::as_u64),
        ) {
            (Some(uri), Some(index)) => Ok(Self::List(StatusReference {
                uri: uri.to_owned(),
                index,
            })),
            _ => Err(invalid(
                "The credential's status_list must have a uri and an idx of 0 or more.",
            )),
        }
    }
}

fn text(claims: &Map<String, Value>, name: &str) -> Option<String> {
    claims.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, ProofError> {
    let read = |value| {
        numeric_date(value)
            .ok_or_else(|| invalid(&format!("The credential's {name} is not a date.")))
    };
    claims.get(name).map(read).transpose()
}

fn invalid(detail: &str) -> ProofError {
    ProofError::new(&presentation::CREDENTIAL_INVALID, detail)
}
