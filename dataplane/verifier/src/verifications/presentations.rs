//! Presentations as they were sent, with a question or later.

use pavilion_catalogue::{Problem, request};

use super::model::{MAX_EVIDENCE_ID, MAX_PRESENTATIONS, PresentedEvidence};
use crate::evaluate::Presented;
use crate::keys::key_of;
use crate::problems::Refusal;
use crate::store::Key;

/// Their number, and the form of the ids they are for.
///
/// # Errors
/// `evidence_empty`, `body_invalid`.
pub(crate) fn check(presentations: &[PresentedEvidence]) -> Result<(), Refusal> {
    match presentations.len() {
        0 => {
            return Err(Problem::new(&request::EVIDENCE_EMPTY)
                .field("presentations")
                .into());
        }
        1..=MAX_PRESENTATIONS => {}
        _ => return Err(invalid("presentations", "There may be 16 of them.")),
    }
    let odd = |one: &PresentedEvidence| !is_evidence_id(&one.evidence);
    let Some(index) = presentations.iter().position(odd) else {
        return Ok(());
    };
    Err(invalid(
        &format!("presentations[{index}].evidence"),
        "It must have 1 to 63 characters out of A-Z, a-z, 0-9, - and _, the first of a-z.",
    ))
}

/// What a policy can name evidence.
fn is_evidence_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let first = id.bytes().next();
    first.is_some_and(|first| first.is_ascii_lowercase())
        && id.len() <= MAX_EVIDENCE_ID
        && id.bytes().all(plain)
}

fn invalid(field: &str, detail: &str) -> Refusal {
    Problem::new(&request::BODY_INVALID)
        .field(field)
        .detail(detail)
        .into()
}

/// The key of a nonce. One nonce counts once in the whole tenant: a presentation names the tenant
/// as its audience, so a second relying party must not be able to use it either.
pub(super) fn nonce_key(nonce: &str) -> Key {
    key_of("nonce", &[nonce])
}

impl From<PresentedEvidence> for Presented {
    fn from(sent: PresentedEvidence) -> Self {
        Self {
            evidence: sent.evidence,
            presentation: sent.presentation,
        }
    }
}
