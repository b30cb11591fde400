//! The readers of outside bytes that nothing else of this crate shows, for the targets in `fuzz/`.

use http::HeaderMap;
use pavilion_json::Limits;
use pavilion_results::Projection;

use crate::problems::Refusal;
use crate::verifications::model::{EvidenceRequest, VerificationRequest};
use crate::{answers, body, oauth, verifications};

/// Reads the form of a token request.
///
/// # Errors
/// The code it is refused with.
pub fn token_form(body: &[u8]) -> Result<(), &'static str> {
    oauth::TokenForm::read(body).map(drop).map_err(code)
}

/// The client certificate that a request's headers carry, and what came with it.
pub fn client_certificate(headers: &HeaderMap) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let certificate = oauth::ClientCertificate::of(headers)?;
    Some((certificate.der, certificate.chain))
}

/// The form that a request's `Accept` chooses, and the media type it is served as.
pub fn accepted(headers: &HeaderMap) -> (Option<Projection>, &'static str) {
    let accept = answers::accept(headers);
    let form = Projection::negotiate(accept.as_deref());
    let media_type = match form {
        Some(Projection::Json) => Projection::Json.media_type(),
        Some(Projection::Jwt) | None => answers::signed_type(accept.as_deref()),
    };
    (form, media_type)
}

/// Reads a question and checks what its types do not say.
///
/// # Errors
/// The code it is refused with.
pub fn question(body: &[u8]) -> Result<(), &'static str> {
    let read = body::read::<VerificationRequest>(body, Limits::REQUEST.bytes);
    read.and_then(|question| verifications::check_question(&question))
        .map_err(code)
}

/// The same of evidence for a question asked before.
///
/// # Errors
/// The code it is refused with.
pub fn evidence(body: &[u8]) -> Result<(), &'static str> {
    let read = body::read::<EvidenceRequest>(body, Limits::REQUEST.bytes);
    read.and_then(|evidence| verifications::check_presentations(&evidence.presentations))
        .map_err(code)
}

fn code(refusal: Refusal) -> &'static str {
    refusal.code()
}
