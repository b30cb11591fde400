//! The steps of verifying, in order.

use std::sync::Arc;

use pavilion_catalogue::presentation;
use pavilion_json::{Digest, Limits};
use serde_json::{Map, Value};

use super::credential::{Credential, Digests, Stated, Trusted};
use super::presentation::{Presentation, refused_json};
use super::{CREDENTIAL_TYPE_HEADER, Expected, HashAlgorithm, key_binding, payload};
use crate::ProofError;
use crate::clock::Clock;
use crate::jose::{algorithm_of, refused_jws};
use crate::trust::{Claimed, Found, NotFound, PreparedAnchor};

pub(super) fn verify(text: &str, expected: &Expected<'_>) -> Result<Credential, ProofError> {
    let presentation = Presentation::parse(text)?;
    let clock = Clock::new(expected.now, expected.leeway);
    let payload = pavilion_json::parse(
        presentation.credential.unverified_payload(),
        Limits::CREDENTIAL,
    )
    .map_err(|error| refused_json("The credential's payload", &error))?;
    let Value::Object(signed) = payload else {
        return Err(invalid("The credential's payload is not a JSON object."));
    };
    let by = signer(&presentation, &signed, expected)?;
    let hash = HashAlgorithm::of_claim(signed.get(payload::SD_ALG))?;

    let issued = Digest::of(presentation.credential.signing_input().as_bytes());
    let (bound, key_binding) = (presentation.bound(), presentation.key_binding());
    presentation
        .credential
        .verify(by.found.key.key(), &by.anchor.algorithms)
        .map_err(|error| {
            refused_jws(
                "The credential",
                &error,
                &presentation::CREDENTIAL_SIGNATURE_INVALID,
            )
        })?;
    let claims = payload::process(signed, presentation.disclosures, hash)?;
    let stated = Stated::of_claims(&claims, clock, expected.audience)?;
    let binding = key_binding::Demand {
        expected,
        clock,
        holder: claims.get("cnf"),
        hash,
        bound,
    };
    let key_binding = key_binding::check(key_binding, &binding)?;
    Ok(Credential::new(
        expected.evidence_id,
        Trusted {
            issuer: by.found.issuer,
            stated: claims.get("iss").and_then(Value::as_str).map(str::to_owned),
            index: by.index,
            anchor: Arc::clone(by.anchor),
        },
        stated,
        claims,
        Digests {
            presentation: Digest::of(text.as_bytes()),
            issued,
        },
        key_binding,
    ))
}

/// The trusted issuer that the credential claims to be of, and its key.
struct Signer<'a> {
    anchor: &'a Arc<PreparedAnchor>,
    index: usize,
    found: Found<'a>,
}

/// Finds the key that the credential must verify under: the first issuer of the first anchor that
/// is believed for this type and knows the key. Nothing is fetched for this.
fn signer<'a>(
    presentation: &Presentation<'_>,
    signed: &Map<String, Value>,
    expected: &Expected<'a>,
) -> Result<Signer<'a>, ProofError> {
    let header = presentation.credential.header();
    if !header.is_type(CREDENTIAL_TYPE_HEADER) {
        return Err(invalid("The credential's typ is not dc+sd-jwt."));
    }
    let algorithm = algorithm_of(header)?;
    let credential_type = credential_type(signed, expected)?;
    let claimed = Claimed {
        issuer: issuer(signed)?,
        algorithm,
        kid: header.kid.as_deref(),
        x5c: header.x5c.as_deref(),
    };
    let anchors = expected
        .trust
        .iter()
        .filter_map(|name| expected.anchors.get(name));
    let mut reason = NotFound::NotTrusted;
    for anchor in anchors.filter(|anchor| anchor.types.contains(credential_type)) {
        for index in 0..anchor.issuers.len() {
            match anchor.key_of(index, claimed, expected.now) {
                Ok(found) => {
                    return Ok(Signer {
                        anchor,
                        index,
                        found,
                    });
                }
                Err(why) => reason = reason.max(why),
            }
        }
    }
    Err(reason.error())
}

fn credential_type<'a>(
    signed: &'a Map<String, Value>,
    expected: &Expected<'_>,
) -> Result<&'a str, ProofError> {
    let Some(Value::String(credential_type)) = signed.get("vct") else {
        return Err(invalid("The credential has no vct, or it is not text."));
    };
    if expected.types.contains(credential_type) {
        Ok(credential_type)
    } else {
        Err(ProofError::new(
            &presentation::CREDENTIAL_TYPE_NOT_ACCEPTED,
            "The credential's vct is not among the types that the policy asks for.",
        ))
    }
}

fn issuer(signed: &Map<String, Value>) -> Result<Option<&str>, ProofError> {
    match signed.get("iss") {
        None => Ok(None),
        Some(Value::String(issuer)) => Ok(Some(issuer)),
        Some(_) => Err(invalid("The credential's iss is not text.")),
    }
}

fn invalid(detail: &str) -> ProofError {
    ProofError::new(&presentation::CREDENTIAL_INVALID, detail)
}
