//! What is kept about a verification, a token, a nonce, an idempotency key.

use pavilion_json::Digest;
use pavilion_policy::ClaimRef;
use pavilion_results::Verdict;
use serde::{Deserialize, Serialize};

use crate::state::{Event, State};

/// A verification. All times are seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVerification {
    /// Whose it is: the relying party's name.
    pub relying_party: String,
    /// And its uid, so that a party made anew under the same name sees nothing of the old one.
    pub relying_party_uid: String,
    /// The policy's name.
    pub policy: String,
    /// The registered purpose.
    pub purpose: String,
    /// The nonce that presentations must carry.
    pub nonce: String,
    /// The claims the asker limited the answer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disclose: Option<Vec<ClaimRef>>,
    /// The digest of the request that opened it.
    pub req_digest: Digest,
    /// When it was opened.
    pub created_at: i64,
    /// Until when evidence must have come.
    pub expires_at: i64,
    /// From when on nothing of it is kept.
    pub kept_until: i64,
    /// How it ended; `None` while it awaits evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// How a verification ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There is an answer.
    Completed(Completed),
    /// No answer could be made, for this reason.
    Failed {
        /// A code of the catalogue.
        code: String,
    },
    /// The relying party called it off.
    Cancelled,
}

impl Outcome {
    /// What happens to a verification that awaits evidence until it has ended so. That it was under
    /// evaluation in between is never stored.
    fn events(&self) -> &'static [Event] {
        match self {
            Self::Completed(_) => &[Event::Submitted, Event::Answered],
            Self::Failed { .. } => &[Event::Submitted, Event::Broke],
            Self::Cancelled => &[Event::CalledOff],
        }
    }
}

/// An answer and what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// When it was made.
    pub at: i64,
    /// What was decided.
    pub verdict: Verdict,
    /// The signed answer; its payload is the canonical answer.
    pub jws: String,
    /// The log's `tlog-proof`.
    pub receipt: String,
}

impl StoredVerification {
    /// Its state at `now`, not knowing whether it is under evaluation.
    pub fn state(&self, now: i64) -> State {
        match &self.outcome {
            Some(Outcome::Completed(_)) => State::Completed,
            Some(Outcome::Failed { .. }) => State::Failed,
            Some(Outcome::Cancelled) => State::Cancelled,
            None if now >= self.expires_at => State::Expired,
            None => State::AwaitingEvidence,
        }
    }

    /// Ends it, if the states allow; says whether they did. Its time may be over meanwhile: what
    /// was begun in time may be finished.
    pub fn end(&mut self, outcome: Outcome, kept_until: i64) -> bool {
        let mut state = self.outcome.is_none().then_some(State::AwaitingEvidence);
        for event in outcome.events() {
            state = state.and_then(|state| state.on(*event));
        }
        let ends = state.is_some_and(State::is_final);
        if ends {
            self.outcome = Some(outcome);
            self.kept_until = kept_until;
        }
        ends
    }
}

/// An access token, known by its digest only. It is nobody's any more once the relying party's
/// name and uid are not in the bundle together, or the party has not the proof any more by which
/// it was got. What that was, tokens of releases before do not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The relying party's name.
    pub relying_party: String,
    /// And uid.
    pub relying_party_uid: String,
    /// The issuer it was made by and for.
    pub audience: String,
    /// When it ends, seconds since the epoch.
    pub expires_at: i64,
    /// The certificate it is bound to (`x5t#S256`), if its owner authenticated by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Digest>,
    /// The authority that this certificate led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Digest>,
    /// The RFC 7638 thumbprint of the key that signed the assertion, if its owner authenticated by
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The use of a nonce: by which key-binding JWTs it was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceUse {
    /// Digests of the key-binding JWTs, empty where none came yet.
    pub key_bindings: Vec<Digest>,
}

/// What a request with an idempotency key came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// The digest of the request's body.
    pub req_digest: Digest,
    /// The verification it opened.
    pub verification: String,
    /// The response's body, if the verification was left awaiting evidence; a finished one is
    /// answered from the verification itself, so that its claims are kept once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
}
