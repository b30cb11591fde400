//! The log's entry for one answer: what happened, without what was said.

use pavilion_json::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::commitment::commit_canonical;
use crate::{Answer, Commitment, PolicyReference, ResultError, Salt, Verdict, commit};

/// The format of a leaf.
pub const LEAF_VERSION: u8 = 1;
/// What kind of event a leaf of this crate tells of.
pub const LEAF_TYPE: &str = "verification";

/// A content-free leaf. Every member but the commitments follows from the question's address, none from
/// what the holder showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The format, [`LEAF_VERSION`].
    pub v: u8,
    /// The kind of event, [`LEAF_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The answer's `iat`, seconds since the epoch.
    pub time: i64,
    /// The policy revision that decided.
    pub policy: PolicyReference,
    /// Who asked.
    pub relying_party: String,
    /// What for.
    pub purpose: String,
    /// What was decided.
    pub verdict: Verdict,
    /// Codes of the checks, sorted, each once.
    pub codes: Vec<String>,
    /// Commitment to the request's digest (field `request`).
    pub request: Commitment,
    /// Commitment to the whole answer without `evidence` (field `result`).
    pub result: Commitment,
}

impl Leaf {
    /// The leaf of an answer; `evidence` is left out of what it commits to.
    pub(crate) fn of(answer: &Answer, salt: &Salt) -> Result<Self, ResultError> {
        let bytes = match &answer.evidence {
            None => answer.canonical()?,
            Some(_) => Answer {
                evidence: None,
                ..answer.clone()
            }
            .canonical()?,
        };
        Self::committed(answer, &bytes, salt)
    }

    /// The leaf of an answer whose document is `value`: members that this version does not know count too.
    pub(crate) fn of_document(
        answer: &Answer,
        mut value: Value,
        salt: &Salt,
    ) -> Result<Self, ResultError> {
        if let Some(members) = value.as_object_mut() {
            members.remove("evidence");
        }
        Self::committed(answer, &pavilion_json::canonical(&value)?, salt)
    }

    /// The leaf of an answer whose canonical bytes without `evidence` are `bytes`.
    fn committed(answer: &Answer, bytes: &[u8], salt: &Salt) -> Result<Self, ResultError> {
        Ok(Self {
            v: LEAF_VERSION,
            kind: LEAF_TYPE.to_owned(),
            time: answer.iat,
            policy: answer.policy.clone(),
            relying_party: answer.aud.clone(),
            purpose: answer.purpose.clone(),
            verdict: answer.verdict,
            codes: answer.codes(),
            request: commit(salt, "request", &answer.req_digest)?,
            result: commit_canonical(salt, "result", bytes),
        })
    }

    /// The entry's bytes: canonical JSON.
    ///
    /// # Errors
    /// [`ResultError::Canonical`], never in practice.
    pub fn bytes(&self) -> Result<Vec<u8>, ResultError> {
        Ok(pavilion_json::canonical(self)?)
    }

    /// The leaf's hash in the log: SHA-256(0x00 || bytes), RFC 6962 section 2.1.
    ///
    /// # Errors
    /// [`ResultError::Canonical`], never in practice.
    pub fn hash(&self) -> Result<Digest, ResultError> {
        Ok(Digest::from(
            *pavilion_tlog::leaf_hash(&self.bytes()?).as_bytes(),
        ))
    }
}
