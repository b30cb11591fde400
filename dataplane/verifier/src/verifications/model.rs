//! What is sent and what comes back.

use std::borrow::Cow;

use jiff::Timestamp;
use pavilion_policy::{ClaimRef, PathElement, Policy};
use pavilion_results::Verdict;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use ulid::Ulid;
use utoipa::ToSchema;

use crate::openapi::AnswerDocument;
use crate::state::State;
use crate::store::{Completed, Outcome, StoredVerification};
use crate::tenant::Tenant;

/// The most presentations in one request.
pub(crate) const MAX_PRESENTATIONS: usize = 16;
/// The longest id of evidence in a policy, in characters.
pub(crate) const MAX_EVIDENCE_ID: usize = 63;
/// The most claims a request may name.
pub(crate) const MAX_CLAIMS: usize = 64;
/// The longest name of a policy or a purpose, in characters.
pub(crate) const MAX_NAME: usize = 253;
/// The lengths of a nonce.
pub(crate) const NONCE: std::ops::RangeInclusive<usize> = 16..=128;

/// A question. With `presentations` it is answered at once; then `nonce` is needed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VerificationRequest {
    /// The policy's name.
    #[schema(min_length = 1, max_length = 253, example = "over18")]
    pub(crate) policy: String,
    /// The purpose; one that policy and relying party are registered for.
    #[schema(min_length = 1, max_length = 253, example = "age-restricted-sale")]
    pub(crate) purpose: String,
    /// The nonce that presentations must carry. Made by the verifier unless sent. It counts once.
    #[serde(default, deserialize_with = "present")]
    #[schema(
        nullable = false,
        min_length = 16,
        max_length = 128,
        pattern = "^[A-Za-z0-9_-]{16,128}$"
    )]
    pub(crate) nonce: Option<String>,
    /// The evidence. The body's limit of 256 KiB holds for all of it together: it is reached before 16
    /// presentations of the greatest length are.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_items = 1, max_items = 16)]
    pub(crate) presentations: Option<Vec<PresentedEvidence>>,
    /// What the answer is to be like.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(crate) result: Option<ResultOptions>,
}

/// One presentation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PresentedEvidence {
    /// The id of the evidence in the policy.
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z][A-Za-z0-9_-]{0,62}$",
        example = "pid"
    )]
    pub(crate) evidence: String,
    /// What the wallet returned, unchanged: an SD-JWT with its disclosures and key binding. The
    /// body's limit of 256 KiB holds for all presentations together.
    #[schema(min_length = 1, max_length = 65536)]
    pub(crate) presentation: String,
}

/// What an answer is to be like.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResultOptions {
    /// The only claims the answer shall carry, as `evidence.claim`; all that the policy lets out
    /// unless sent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_items = 64, value_type = Option<Vec<String>>, example = json!(["pid.country"]))]
    pub(crate) disclose: Option<Vec<ClaimRef>>,
}

/// Evidence for a verification that awaits it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EvidenceRequest {
    /// The evidence. The body's limit of 256 KiB holds for all of it together: it is reached before 16
    /// presentations of the greatest length are.
    #[schema(min_items = 1, max_items = 16)]
    pub(crate) presentations: Vec<PresentedEvidence>,
}

/// A member that may be left out but is not `null`.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A verification.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verification<'a> {
    /// Its id, a ULID.
    #[schema(pattern = "^[0-9A-HJKMNP-TV-Z]{26}$")]
    id: String,
    /// Where it stands.
    state: State,
    /// The policy's name.
    policy: Cow<'a, str>,
    /// The purpose.
    purpose: Cow<'a, str>,
    /// The nonce that presentations must carry.
    nonce: Cow<'a, str>,
    /// The audience that presentations must name.
    audience: Cow<'a, str>,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Until when evidence must have come.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Until when it can be read back.
    #[schema(value_type = String, format = DateTime)]
    kept_until: Timestamp,
    /// The evidence wanted, while it is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    evidence: Option<Vec<WantedEvidence<'a>>>,
    /// What was decided, once it is completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<VerdictName>)]
    verdict: Option<Verdict>,
    /// Why there is no answer, if it failed: a code of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<&'a str>,
    /// The canonical answer; where the request brought the evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<AnswerDocument>)]
    answer: Option<Box<RawValue>>,
    /// The signed answer, a compact JWS of type `pvr+jwt`; with `answer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jws: Option<&'a str>,
    /// The log's receipt, a C2SP `tlog-proof`; with `answer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    receipt: Option<&'a str>,
}

/// A verdict.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) enum VerdictName {
    /// Everything that the policy asks for was shown.
    Pass,
    /// Something that the policy asks for does not hold.
    Fail,
    /// Something needed could not be found out.
    Indeterminate,
}

/// Evidence that the policy wants.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WantedEvidence<'a> {
    /// Its id in the policy.
    id: &'a str,
    /// The credential format.
    format: &'static str,
    /// The credential types (`vct`) that count.
    types: &'a [String],
    /// The claims that should be disclosed.
    claims: Vec<WantedClaim<'a>>,
    /// Whether the verification may go on without it.
    optional: bool,
}

/// A claim that should be disclosed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WantedClaim<'a> {
    /// Its id in the policy.
    id: &'a str,
    /// Where it stands in the credential (`OpenID4VP` 1.0, claims path pointer).
    #[schema(value_type = Vec<Value>)]
    path: &'a [PathElement],
}

impl<'a> Verification<'a> {
    /// A verification as it stands, without its result.
    pub(crate) fn of(
        id: Ulid,
        row: &'a StoredVerification,
        state: State,
        tenant: &'a Tenant,
    ) -> Self {
        let awaits = state == State::AwaitingEvidence;
        let revision = tenant.policies.get(&row.policy).filter(|_| awaits);
        let (verdict, code) = match &row.outcome {
            Some(Outcome::Completed(completed)) => (Some(completed.verdict), None),
            Some(Outcome::Failed { code }) => (None, Some(code.as_str())),
            Some(Outcome::Cancelled) | None => (None, None),
        };
        Self {
            id: id.to_string(),
            state,
            policy: Cow::Borrowed(&row.policy),
            purpose: Cow::Borrowed(&row.purpose),
            nonce: Cow::Borrowed(&row.nonce),
            audience: Cow::Borrowed(&tenant.issuer),
            created_at: timestamp(row.created_at),
            expires_at: timestamp(row.expires_at),
            kept_until: timestamp(row.kept_until),
            evidence: revision.map(|revision| wanted(&revision.policy)),
            verdict,
            code,
            answer: None,
            jws: None,
            receipt: None,
        }
    }

    /// The same with the result.
    pub(crate) fn with_result(mut self, completed: &'a Completed) -> Self {
        self.answer = completed
            .answer()
            .and_then(|answer| RawValue::from_string(answer).ok());
        self.jws = Some(&completed.jws);
        self.receipt = Some(&completed.receipt);
        self
    }
}

impl Completed {
    /// The canonical answer: the payload of the signed one.
    pub(crate) fn answer(&self) -> Option<String> {
        let payload = self.jws.split('.').nth(1)?;
        String::from_utf8(pavilion_jose::from_base64url(payload).ok()?).ok()
    }
}

fn wanted(policy: &Policy) -> Vec<WantedEvidence<'_>> {
    policy
        .evidence
        .iter()
        .map(|evidence| WantedEvidence {
            id: &evidence.id,
            format: "dc+sd-jwt",
            types: &evidence.types,
            claims: evidence
                .claims
                .iter()
                .map(|claim| WantedClaim {
                    id: &claim.id,
                    path: &claim.path,
                })
                .collect(),
            optional: evidence.optional,
        })
        .collect()
}

fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}
