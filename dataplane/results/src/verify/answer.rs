//! The half of the check that is about the answer itself: form, signature, and what it says.

use pavilion_catalogue::verify as codes;
use pavilion_jose::{Algorithm, CompactJws, Header};
use pavilion_json::{Digest, Limits};
use serde::Deserialize;
use serde_json::Value;

use super::Inputs;
use super::report::{Judgement, Report};
use crate::{Answer, JWT_TYPE};

/// What a result key may sign with.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
];
const NO_ANSWER: &str = "the answer cannot be read";

/// An answer as it came: every member of it, and those that this version knows.
pub(super) struct Document {
    pub(super) answer: Answer,
    pub(super) value: Value,
}

/// Judges the answer and returns it, unverified, for the checks that follow.
pub(super) fn judge(inputs: &Inputs<'_>, report: &mut Report) -> Option<Document> {
    let jws = CompactJws::parse(inputs.answer);
    let document = match &jws {
        Ok(jws) => read(jws.unverified_payload())
            .map_err(|why| format!("the payload is not an answer: {why}")),
        Err(why) => Err(format!("not a compact JWS: {why}")),
    };
    report.add("answer.form", form(&document));
    let open = || Judgement::Open(NO_ANSWER);
    let header = jws.as_ref().ok().map(CompactJws::header);
    report.add("answer.type", header.map_or_else(open, kind));
    let signature = jws.map_or_else(|_| open(), |jws| signature(jws, inputs));
    report.add("answer.signature", signature);
    let document = document.ok();
    let answer = document.as_ref().map(|document| &document.answer);
    report.add("answer.issuer", issuer(answer, inputs.expected.issuer));
    report.add(
        "answer.audience",
        audience(answer, inputs.expected.audience),
    );
    report.add(
        "answer.times",
        answer.map_or(Judgement::Open(NO_ANSWER), |answer| times(answer, inputs)),
    );
    report.add("answer.nonce", nonce(answer, inputs.expected.nonce));
    report.add("request.digest", request(answer, inputs.request));
    report.add("policy.digest", policy(answer, inputs.expected.policy));
    document
}

fn form(document: &Result<Document, String>) -> Judgement {
    match document {
        Ok(_) => Judgement::Holds("a compact JWS with an answer in it".to_owned()),
        Err(why) => Judgement::Broken(&codes::INPUT_MALFORMED, why.clone()),
    }
}

fn read(payload: &[u8]) -> Result<Document, String> {
    let value =
        pavilion_json::parse(payload, Limits::REQUEST).map_err(|error| error.to_string())?;
    // Not serde's own words: they can repeat values.
    let answer = Answer::deserialize(&value)
        .map_err(|_| "a member is missing or of another type".to_owned())?;
    Ok(Document { answer, value })
}

fn kind(header: &Header) -> Judgement {
    let known = ALGORITHMS
        .iter()
        .any(|algorithm| algorithm.to_string() == header.alg);
    Judgement::of(
        header.typ.as_deref() == Some(JWT_TYPE) && known,
        &codes::TYPE_WRONG,
        "typ is pvr+jwt and the algorithm is allowed",
        "typ is not pvr+jwt, or the algorithm is not allowed",
    )
}

fn signature(jws: CompactJws<'_>, inputs: &Inputs<'_>) -> Judgement {
    let Some(kid) = jws.header().kid.clone() else {
        return Judgement::Broken(
            &codes::KEY_NOT_PUBLISHED,
            "the answer names no key (kid)".to_owned(),
        );
    };
    let Some(jwk) = inputs.jwks.find(Some(&kid)).next() else {
        return Judgement::Broken(
            &codes::KEY_NOT_PUBLISHED,
            "no key of the JWKS has the answer's kid".to_owned(),
        );
    };
    match jws.verify(jwk.key(), ALGORITHMS) {
        Ok(_) => Judgement::Holds(format!("made by key {kid}")),
        Err(why) => Judgement::Broken(&codes::SIGNATURE_INVALID, why.to_string()),
    }
}

fn issuer(answer: Option<&Answer>, expected: Option<&str>) -> Judgement {
    said(
        answer.map(|answer| answer.iss.as_str()),
        expected,
        "issuer",
        &codes::ISSUER_MISMATCH,
    )
}

fn audience(answer: Option<&Answer>, expected: Option<&str>) -> Judgement {
    said(
        answer.map(|answer| answer.aud.as_str()),
        expected,
        "audience",
        &codes::AUDIENCE_MISMATCH,
    )
}

fn nonce(answer: Option<&Answer>, expected: Option<&str>) -> Judgement {
    said(
        answer.map(|answer| answer.nonce.as_str()),
        expected,
        "nonce",
        &codes::NONCE_MISMATCH,
    )
}

fn said(
    found: Option<&str>,
    expected: Option<&str>,
    what: &str,
    entry: &'static pavilion_catalogue::Entry,
) -> Judgement {
    match (found, expected) {
        (None, _) => Judgement::Open(NO_ANSWER),
        (_, None) => Judgement::Open("not asked for"),
        (Some(found), Some(expected)) if found == expected => {
            Judgement::Holds(format!("the {what} is {expected}"))
        }
        (Some(_), Some(expected)) => {
            Judgement::Broken(entry, format!("the {what} is not {expected}"))
        }
    }
}

fn times(answer: &Answer, inputs: &Inputs<'_>) -> Judgement {
    let now = inputs.expected.now.as_second();
    let leeway = i64::from(inputs.expected.leeway_seconds);
    if answer.exp <= answer.iat {
        return Judgement::Broken(&codes::EXPIRED, "it ends before it begins".to_owned());
    }
    if answer.iat > now.saturating_add(leeway) {
        return Judgement::Broken(
            &codes::NOT_YET_VALID,
            format!("made at {}", moment(answer.iat)),
        );
    }
    if answer.exp <= now.saturating_sub(leeway) {
        return Judgement::Broken(
            &codes::EXPIRED,
            format!("good until {} only", moment(answer.exp)),
        );
    }
    Judgement::Holds(format!(
        "from {} until {}",
        moment(answer.iat),
        moment(answer.exp)
    ))
}

fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| "a time beyond the calendar".to_owned(),
        |at| at.to_string(),
    )
}

fn request(answer: Option<&Answer>, request: Option<&[u8]>) -> Judgement {
    let Some(answer) = answer else {
        return Judgement::Open(NO_ANSWER);
    };
    let Some(request) = request else {
        return Judgement::Open("the request is not at hand");
    };
    Judgement::of(
        Digest::of(request) == answer.req_digest,
        &codes::REQUEST_MISMATCH,
        "the answer is to these bytes",
        "the answer is to other bytes than these",
    )
}

fn policy(answer: Option<&Answer>, expected: Option<Digest>) -> Judgement {
    match (answer, expected) {
        (None, _) => Judgement::Open(NO_ANSWER),
        (_, None) => Judgement::Open("not asked for"),
        (Some(answer), Some(expected)) => Judgement::of(
            answer.policy.digest == expected,
            &codes::POLICY_MISMATCH,
            "decided under the expected revision",
            "decided under another revision than the expected one",
        ),
    }
}
