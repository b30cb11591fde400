//! The canonical answer's part of the document: what [`pavilion_results::Answer`] looks like.
//!
//! That crate is also what outsiders check answers with, so it knows nothing of this document; a test
//! compares the two.

#![allow(dead_code, reason = "only the schemas are used")]

use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::verifications::model::VerdictName;

/// A canonical answer; later versions may add members.
#[derive(ToSchema)]
pub(crate) struct AnswerDocument {
    /// The tenant's URL: who answers.
    #[schema(format = "uri")]
    iss: String,
    /// The relying party's audience: who asked.
    aud: String,
    /// The verification's id.
    #[schema(pattern = "^[0-9A-HJKMNP-TV-Z]{26}$")]
    jti: String,
    /// When the answer was made, in seconds since the epoch.
    iat: i64,
    /// From when on it must no longer be relied on, in seconds since the epoch.
    exp: i64,
    /// The verification's nonce.
    nonce: String,
    /// Digest of the body of the request that opened the verification, byte for byte.
    #[schema(pattern = "^sha-256:[0-9a-f]{64}$")]
    req_digest: String,
    policy: PolicyDocument,
    /// The registered purpose that was asked for.
    purpose: String,
    verdict: VerdictName,
    /// Credentials in the order presented, required evidence that is missing, clauses of the rule.
    checks: Vec<CheckDocument>,
    /// The claims that the policy lets out, by `evidence.claim`, and nothing else.
    claims: Map<String, Value>,
    /// The region that the verification ran in.
    region: String,
    #[schema(nullable = false)]
    retention: Option<RetentionDocument>,
    evidence: LogDocument,
}

/// The policy revision that decided.
#[derive(ToSchema)]
pub(crate) struct PolicyDocument {
    /// Its name.
    name: String,
    /// Its revision, counted from 1.
    #[schema(minimum = 1)]
    revision: u64,
    /// Digest of the canonical policy, its schema and the engine's version.
    #[schema(pattern = "^sha-256:[0-9a-f]{64}$")]
    digest: String,
}

/// One thing that was checked, and how it went. It never repeats a claim's value.
#[derive(ToSchema)]
pub(crate) struct CheckDocument {
    /// The evidence's id (`pid`) or the clause's path in the policy (`rule.all[1]`).
    id: String,
    kind: KindName,
    verdict: VerdictName,
    /// The catalogue's code, when it did not pass.
    #[schema(nullable = false, pattern = "^[a-z0-9_]+$")]
    code: Option<String>,
    /// One sentence for a person, when it did not pass.
    #[schema(nullable = false)]
    because: Option<String>,
    /// What can be done about it.
    #[schema(nullable = false)]
    hint: Option<String>,
    /// A credential's format.
    #[schema(nullable = false, example = "dc+sd-jwt")]
    format: Option<String>,
    /// Who issued it; this and what follows only where it verified.
    #[schema(nullable = false)]
    issuer: Option<String>,
    /// Its type (`vct`).
    #[schema(nullable = false)]
    credential_type: Option<String>,
    /// The level that the trust anchor gives it: `low`, `substantial` or `high`.
    #[schema(nullable = false)]
    assurance: Option<String>,
    /// What it was verified by: `issuer_signature`, `key_binding`, `status_list`.
    #[schema(nullable = false)]
    methods: Option<Vec<String>>,
    /// Its status: `valid`, `revoked`, `suspended`, `unknown`, or `unstated` where it names none.
    #[schema(nullable = false)]
    status: Option<String>,
    /// How old the status list was that `status` rests on, in seconds, rounded up to whole minutes.
    #[schema(nullable = false, multiple_of = 60)]
    age_seconds: Option<u64>,
    /// Digest of the presentation, byte for byte.
    #[schema(nullable = false, pattern = "^sha-256:[0-9a-f]{64}$")]
    proof_digest: Option<String>,
}

/// What a check is about.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum KindName {
    /// A credential that was asked for as evidence.
    Credential,
    /// A clause of the policy's rule.
    Clause,
}

/// What the broker keeps of the verification.
#[derive(ToSchema)]
pub(crate) struct RetentionDocument {
    /// How long the answer can be read back once it is stored, in seconds, unless it is deleted before.
    result_seconds: u64,
}

/// Where the log holds the answer's entry, and what opens the entry's commitments.
#[derive(ToSchema)]
pub(crate) struct LogDocument {
    /// The log's origin line.
    log: String,
    /// The entry's index, from 0.
    index: u64,
    /// The entry's hash (RFC 6962 section 2.1).
    #[schema(pattern = "^sha-256:[0-9a-f]{64}$")]
    leaf: String,
    /// What the commitments were salted with: 32 bytes in base64url.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    salt: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use pavilion_json::Digest;
    use pavilion_results::{
        Answer, Check, CheckKind, Evidence, PolicyReference, Retention, Salt, Verdict,
    };
    use serde_json::json;

    use super::*;

    /// An answer with every member that there is.
    fn answer() -> Value {
        let (text, digest) = (|| "x".to_owned(), Digest::of(b"x"));
        let check = Check {
            code: Some(text()),
            because: Some(text()),
            hint: Some(text()),
            format: Some(text()),
            issuer: Some(text()),
            credential_type: Some(text()),
            assurance: Some(text()),
            methods: vec![text()],
            status: Some(text()),
            age_seconds: Some(60),
            proof_digest: Some(digest),
            ..Check::new("pid", CheckKind::Credential, Verdict::Pass)
        };
        let answer = Answer {
            iss: text(),
            aud: text(),
            jti: text(),
            iat: 0,
            exp: 0,
            nonce: text(),
            req_digest: digest,
            policy: PolicyReference {
                name: text(),
                revision: 1,
                digest,
            },
            purpose: text(),
            verdict: Verdict::Pass,
            checks: vec![check],
            claims: Map::new(),
            region: text(),
            retention: Some(Retention { result_seconds: 1 }),
            evidence: Some(Evidence {
                log: text(),
                index: 0,
                leaf: digest,
                salt: Salt::from_bytes([0; 32]),
            }),
        };
        serde_json::to_value(answer).unwrap()
    }

    fn names(object: &Value) -> BTreeSet<String> {
        object.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_document_has_every_member_of_an_answer_and_no_other() {
        let document = crate::openapi::document_value();
        let described = |schema: &str| {
            let properties = format!("/components/schemas/{schema}/properties");
            names(document.pointer(&properties).unwrap())
        };
        let answer = answer();
        for (schema, member) in [
            ("AnswerDocument", ""),
            ("PolicyDocument", "/policy"),
            ("CheckDocument", "/checks/0"),
            ("RetentionDocument", "/retention"),
            ("LogDocument", "/evidence"),
        ] {
            let made = names(answer.pointer(member).unwrap());
            assert_eq!(described(schema), made, "{schema}");
        }
        let kinds = [CheckKind::Credential, CheckKind::Clause].map(CheckKind::as_str);
        let schema = "/components/schemas/KindName/enum";
        assert_eq!(document.pointer(schema), Some(&json!(kinds)));
    }
}
