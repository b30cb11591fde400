//! Problem documents (RFC 9457).

use serde::Serialize;

use crate::Entry;

/// The media type of a problem (RFC 9457 section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem document. It never carries a value out of a credential or a presentation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The problem type URI.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The entry's title.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// What happened this time; the entry's meaning where there is nothing to add.
    pub detail: String,
    /// What to do.
    pub hint: &'static str,
    /// Whether the same request may succeed later without a change.
    pub retryable: bool,
    /// The path of the thing the problem is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The id of the evidence the problem is about, as the policy names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The member of the request body the problem is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// After how many seconds to try again; also in the `Retry-After` header.
    #[serde(skip)]
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// The problem of an entry.
    pub fn new(entry: &'static Entry) -> Self {
        Self {
            type_uri: entry.type_uri(),
            title: entry.title,
            status: if entry.status == 0 { 500 } else { entry.status },
            code: entry.code,
            detail: entry.meaning.to_owned(),
            hint: entry.hint,
            retryable: entry.retryable,
            instance: None,
            evidence: None,
            field: None,
            retry_after_seconds: (entry.retryable && [429, 503].contains(&entry.status))
                .then_some(1),
        }
    }

    /// Says what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Names the thing it is about by its path.
    #[must_use]
    pub fn instance(mut self, path: impl Into<String>) -> Self {
        self.instance = Some(path.into());
        self
    }

    /// Names the evidence it is about.
    #[must_use]
    pub fn evidence(mut self, id: impl Into<String>) -> Self {
        self.evidence = Some(id.into());
        self
    }

    /// Names the member of the request body it is about.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.field = Some(path.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The document's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        // Strings, numbers and a boolean always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::{edge, presentation, signer};

    #[test]
    fn a_problem_reads_as_the_standard_says_and_names_its_evidence() {
        let problem = Problem::new(&presentation::NONCE_MISMATCH)
            .instance("/v1/verifications/01J")
            .evidence("pid");
        let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        assert_eq!(
            json["type"],
            "https://pavilion.dev/problems/presentation-nonce-mismatch"
        );
        assert_eq!(json["status"], 422);
        assert_eq!(json["code"], "presentation_nonce_mismatch");
        assert_eq!(json["evidence"], "pid");
        assert_eq!(json["instance"], "/v1/verifications/01J");
        assert!(json.get("field").is_none());
    }

    #[test]
    fn something_that_is_away_says_when_to_try_again() {
        assert_eq!(
            Problem::new(&signer::UNAVAILABLE).retry_after_seconds,
            Some(1)
        );
        assert_eq!(
            Problem::new(&signer::UNAVAILABLE)
                .retry_after(5)
                .retry_after_seconds,
            Some(5)
        );
    }

    #[test]
    fn what_time_alone_does_not_mend_says_no_time() {
        let suspended = Problem::new(&edge::TENANT_SUSPENDED);
        assert_eq!(suspended.retry_after_seconds, None);
        assert_eq!((suspended.status, suspended.retryable), (503, false));
    }
}
