//! What goes over the wire, as far as an asker looks at it. Unknown members are ignored: a newer broker
//! may say more.

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/verifications`.
#[derive(Debug, Serialize)]
pub struct NewVerification<'a> {
    /// The policy's name.
    pub policy: &'a str,
    /// The registered purpose.
    pub purpose: &'a str,
    /// The asker's nonce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// The evidence, when it comes with the question.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub presentations: &'a [PresentedEvidence],
    /// What the answer should be like.
    #[serde(skip_serializing_if = "ResultOptions::is_default")]
    pub result: ResultOptions<'a>,
}

/// What the answer should be like.
#[derive(Debug, Default, Serialize)]
pub struct ResultOptions<'a> {
    /// Claims that it should carry; `None` is all that the policy lets out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disclose: Option<&'a [String]>,
}

impl ResultOptions<'_> {
    fn is_default(&self) -> bool {
        self.disclose.is_none()
    }
}

/// Body of `POST /v1/verifications/{id}/evidence`.
#[derive(Debug, Serialize)]
pub struct NewEvidence<'a> {
    /// The evidence.
    pub presentations: &'a [PresentedEvidence],
}

/// One presentation.
#[derive(Debug, Serialize)]
pub struct PresentedEvidence {
    /// The id of the evidence in the policy.
    pub evidence: String,
    /// What the wallet returned.
    pub presentation: String,
}

/// A verification as the broker shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// What presentations must be bound to.
    pub nonce: String,
    /// Whom presentations must be for.
    pub audience: String,
    /// Until when it waits, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<jiff::Timestamp>,
    /// The evidence wanted, while it is awaited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<WantedEvidence>,
    /// Why there is no answer, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Evidence that a policy wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WantedEvidence {
    /// Its id in the policy.
    pub id: String,
    /// The credential types that count.
    pub types: Vec<String>,
    /// The claims that should be disclosed.
    #[serde(default)]
    pub claims: Vec<WantedClaim>,
    /// Whether the verification may go on without it.
    #[serde(default)]
    pub optional: bool,
}

/// A claim that should be disclosed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WantedClaim {
    /// Its id in the policy.
    pub id: String,
}

/// Where a verification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Opened.
    Created,
    /// Waits for presentations.
    AwaitingEvidence,
    /// Is being judged.
    Evaluating,
    /// There is an answer.
    Completed,
    /// The broker could not finish it.
    Failed,
    /// Nobody finished it in time.
    Expired,
    /// The asker withdrew it.
    Cancelled,
}

/// `/.well-known/pavilion-configuration`.
#[derive(Debug, Deserialize)]
pub struct Configuration {
    /// The tenant's URL.
    pub issuer: String,
    /// Its log.
    pub log: LogConfiguration,
}

/// The tenant's log.
#[derive(Debug, Deserialize)]
pub struct LogConfiguration {
    /// The signed-note verifier key, once the broker knows it.
    pub verifier_key: Option<String>,
}

/// The answer of `/oauth/token` (RFC 6749 section 5.1).
#[derive(Deserialize)]
pub struct Token {
    /// The access token.
    pub access_token: String,
}

/// A refusal: RFC 9457, or RFC 6749 section 5.2 from `/oauth/token`.
#[derive(Debug, Default, Deserialize)]
pub struct Refusal {
    /// The broker's stable code.
    pub code: Option<String>,
    /// One line for the kind of problem.
    pub title: Option<String>,
    /// What happened this time.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The evidence that it is about.
    pub evidence: Option<String>,
    /// The member of the body that it is about.
    pub field: Option<String>,
    /// OAuth's code.
    pub error: Option<String>,
    /// OAuth's sentence.
    pub error_description: Option<String>,
}
