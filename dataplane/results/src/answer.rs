//! The canonical answer: one data model, every format is a projection of it.

use pavilion_json::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Leaf, ResultError, Salt};

/// The answer to one verification, as it is signed.
///
/// Serializes to the members of a JWT (RFC 7519 section 4.1) and Pavilion's own, in `snake_case`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The tenant's URL: who answers.
    pub iss: String,
    /// The relying party's name: who asked.
    pub aud: String,
    /// The verification's id.
    pub jti: String,
    /// When the answer was made, seconds since the epoch.
    pub iat: i64,
    /// From when on the answer must no longer be relied on, seconds since the epoch.
    pub exp: i64,
    /// The verification's nonce: the asker's own, or the one the broker handed out.
    pub nonce: String,
    /// SHA-256 of the body of the request that opened the verification, byte for byte.
    pub req_digest: Digest,
    /// The policy revision that decided.
    pub policy: PolicyReference,
    /// The registered purpose that the question was asked for.
    pub purpose: String,
    /// What the policy says.
    pub verdict: Verdict,
    /// Why: each credential and each clause. Never repeats a claim's value.
    pub checks: Vec<Check>,
    /// The claims that the policy lets out (`pid.country`), and nothing else.
    pub claims: Map<String, Value>,
    /// The region that the verification ran in.
    pub region: String,
    /// How long the broker keeps this answer. Absent in answers of older brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Where the transparency log holds this answer's leaf. Absent only before it is logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// Which revision of which policy decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyReference {
    /// The policy's name.
    pub name: String,
    /// Its revision, counted from 1.
    pub revision: u64,
    /// Digest of the canonical policy, its schema and the engine's version.
    pub digest: Digest,
}

/// What the broker keeps of a verification, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How long the answer can be read back once it is stored, in seconds, unless it is deleted before.
    /// What is left then is the log's entry, which has no content.
    pub result_seconds: u64,
}

/// `pass`, `fail` or `indeterminate`: whoever cannot tell says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that the policy asks for was shown.
    Pass,
    /// Something that the policy asks for does not hold.
    Fail,
    /// Something needed could not be found out.
    Indeterminate,
}

impl Verdict {
    /// The word in the answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Indeterminate => "indeterminate",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that was checked, and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The evidence's id (`pid`) or the clause's path in the manifest (`rule.all[1]`).
    pub id: String,
    /// Whether this is about a credential or about a clause of the rule.
    pub kind: CheckKind,
    /// How it went.
    pub verdict: Verdict,
    /// The catalogue's code when it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// One sentence for a person when it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What can be done about it: the catalogue's words for the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The credential's format (`dc+sd-jwt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Who issued the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The credential's type (its `vct`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_type: Option<String>,
    /// How sure the trust anchor lets us be: `low`, `substantial`, `high`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<String>,
    /// What the credential was verified by, in this order: `issuer_signature`, `key_binding`,
    /// `status_list`. Empty where it did not verify.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// What is known of the credential's status: `valid`, `revoked`, `suspended`, `unknown`, or
    /// `unstated` where it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How long before `iat` the status list was made that `status` rests on, rounded up to whole
    /// minutes: the exact second could tell one of an issuer's lists, and so its holders, from another.
    /// How old the credential itself is is not told, a policy asks for it only within bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// SHA-256 of the presentation, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_digest: Option<Digest>,
}

impl Check {
    /// A check with an id, a kind and a verdict; the rest is set where it applies.
    pub fn new(id: impl Into<String>, kind: CheckKind, verdict: Verdict) -> Self {
        Self {
            id: id.into(),
            kind,
            verdict,
            code: None,
            because: None,
            hint: None,
            format: None,
            issuer: None,
            credential_type: None,
            assurance: None,
            methods: Vec::new(),
            status: None,
            age_seconds: None,
            proof_digest: None,
        }
    }
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A credential that was asked for as evidence.
    Credential,
    /// A clause of the policy's rule.
    Clause,
}

impl CheckKind {
    /// The word in the answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Clause => "clause",
        }
    }
}

/// Where the log holds the leaf, and what opens the leaf's commitments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The log's origin line.
    pub log: String,
    /// The leaf's zero-based index.
    pub index: u64,
    /// SHA-256(0x00 || leaf), RFC 6962 section 2.1.
    pub leaf: Digest,
    /// What the leaf's commitments were salted with.
    pub salt: Salt,
}

impl Answer {
    /// The content-free leaf of this answer: commitments, codes, digests, time, decision.
    ///
    /// # Errors
    /// [`ResultError::Canonical`] when the answer has no canonical form.
    pub fn commit(&self, salt: &Salt) -> Result<Leaf, ResultError> {
        Leaf::of(self, salt)
    }

    /// The same answer with the place that the log gave it.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(evidence);
        self
    }

    /// The canonical bytes (RFC 8785), evidence included when there is one.
    ///
    /// # Errors
    /// [`ResultError::Canonical`] when the answer has no canonical form.
    pub fn canonical(&self) -> Result<Vec<u8>, ResultError> {
        Ok(pavilion_json::canonical(self)?)
    }

    /// The codes of every check, sorted, each once: what the log may know of the reasons.
    pub fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = self
            .checks
            .iter()
            .filter_map(|check| check.code.clone())
            .collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}
