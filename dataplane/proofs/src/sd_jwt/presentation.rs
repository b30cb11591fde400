//! The compact form: issuer-signed JWT, disclosures, key-binding JWT (RFC 9901 section 4).

use pavilion_catalogue::presentation;
use pavilion_jose::CompactJws;
use pavilion_json::{JsonError, JsonErrorKind};

use super::disclosure::Disclosure;
use crate::ProofError;
use crate::jose::refused_jws;

/// The longest presentation that is looked at, in bytes.
pub const MAX_PRESENTATION_BYTES: usize = 64 * 1024;
/// The most disclosures in one presentation.
pub const MAX_DISCLOSURES: usize = 256;

/// A presentation taken apart; nothing in it is verified.
pub struct Presentation<'a> {
    text: &'a str,
    bound: &'a str,
    pub(crate) credential: CompactJws<'a>,
    pub(crate) disclosures: Vec<Disclosure<'a>>,
    key_binding: Option<&'a str>,
}

impl<'a> Presentation<'a> {
    /// Takes a presentation apart within the limits of this module.
    pub(crate) fn parse(text: &'a str) -> Result<Self, ProofError> {
        if text.len() > MAX_PRESENTATION_BYTES {
            return Err(too_large(format!(
                "A presentation may have {MAX_PRESENTATION_BYTES} bytes."
            )));
        }
        if text.matches('~').count() > MAX_DISCLOSURES + 1 {
            return Err(too_large(format!(
                "A presentation may have {MAX_DISCLOSURES} disclosures."
            )));
        }
        let Some((bound, last)) = text.rsplit_once('~') else {
            return Err(ProofError::new(
                &presentation::MALFORMED,
                "There is no ~: it is not an SD-JWT.",
            ));
        };
        let mut parts = bound.split('~');
        let issuer_signed = parts.next().unwrap_or_default();
        Ok(Self {
            text,
            bound: &text[..=bound.len()],
            credential: CompactJws::parse(issuer_signed).map_err(|error| {
                refused_jws("The issuer-signed JWT", &error, &presentation::MALFORMED)
            })?,
            disclosures: parts.map(Disclosure::parse).collect::<Result<_, _>>()?,
            key_binding: (!last.is_empty()).then_some(last),
        })
    }

    /// All of it, as it was sent.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// What `sd_hash` covers: the issuer-signed JWT and the disclosures, each with its `~`.
    pub fn bound(&self) -> &'a str {
        self.bound
    }

    /// The disclosures in the order they were sent.
    pub fn disclosures(&self) -> &[Disclosure<'a>] {
        &self.disclosures
    }

    /// The key-binding JWT, not yet looked at.
    pub fn key_binding(&self) -> Option<&'a str> {
        self.key_binding
    }
}

/// The code of a JSON document that was refused: a limit is told from a wrong form.
pub(crate) fn refused_json(what: &str, error: &JsonError) -> ProofError {
    let code = match error.kind() {
        JsonErrorKind::TooLarge | JsonErrorKind::TooDeep | JsonErrorKind::TooMany => {
            &presentation::TOO_LARGE
        }
        _ => &presentation::MALFORMED,
    };
    ProofError::new(code, format!("{what}: {}.", kind_of(error)))
}

/// The error without its path: a path holds names that somebody outside chose.
fn kind_of(error: &JsonError) -> &'static str {
    match error.kind() {
        JsonErrorKind::TooLarge => "the JSON is too large",
        JsonErrorKind::TooDeep => "the JSON is nested too deeply",
        JsonErrorKind::TooMany => "the JSON has too many members",
        JsonErrorKind::DuplicateKey => "the JSON names one key twice",
        JsonErrorKind::NotUtf8 => "the JSON is not UTF-8",
        JsonErrorKind::Syntax => "it is not JSON",
        JsonErrorKind::Shape => "the JSON has not the expected shape",
    }
}

fn too_large(detail: String) -> ProofError {
    ProofError::new(&presentation::TOO_LARGE, detail)
}
