//! Judging an answer offline: each link of the chain, and every link that can be judged.
//!
//! [`verify()`] needs what a relying party keeps (answer, request, receipt) and what it trusts (the tenant's
//! JWKS, the log's verifier key), and no network. It never stops at the first failure: what does not
//! depend on a broken link is judged all the same.
//!
//! | check | holds when |
//! | --- | --- |
//! | `answer.form` | the text is a compact JWS and its payload an answer |
//! | `answer.type` | `typ` is `pvr+jwt` and `alg` one of ours |
//! | `answer.signature` | the key of the JWKS that has the header's `kid` verifies it |
//! | `answer.issuer`, `answer.audience`, `answer.nonce` | they are the expected ones |
//! | `answer.times` | `iat` is past and `exp` is not |
//! | `request.digest` | the answer names the digest of the request's bytes |
//! | `policy.digest` | the answer names the expected policy revision |
//! | `receipt.form`, `log.key` | the receipt and the log's key can be read |
//! | `leaf.policy` | the logged entry names the answer's policy revision |
//! | `leaf.commitments` | the logged entry is the one that answer and salt give, each member of it |
//! | `leaf.hash` | the entry hashes to the `leaf` of the answer's evidence |
//! | `log.index` | answer and receipt name the same place |
//! | `log.inclusion` | the audit path leads from the entry to the checkpoint's root |
//! | `checkpoint.origin` | answer, checkpoint and key name the same log |
//! | `checkpoint.signature` | the log's key signed the checkpoint |

mod answer;
mod receipt;
mod report;

pub use report::{Finding, Outcome, Report};

use jiff::Timestamp;
use pavilion_jose::Jwks;
use pavilion_json::Digest;

/// What is judged and what it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The answer, a compact JWS; no white space around it.
    pub answer: &'a str,
    /// The body of the request that opened the verification, byte for byte; `None` when the asker did not
    /// keep it, and the report then says that it was not judged.
    pub request: Option<&'a [u8]>,
    /// The text of a `c2sp.org/tlog-proof@v1`.
    pub receipt: &'a str,
    /// The tenant's result keys.
    pub jwks: &'a Jwks,
    /// The log's signed-note verifier key (`<origin>+<id>+<key>`).
    pub log_key: &'a str,
    /// What the answer must say.
    pub expected: Expected<'a>,
}

/// What the answer must say; what is `None` is reported as not asked for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The tenant's URL.
    pub issuer: Option<&'a str>,
    /// The relying party's name.
    pub audience: Option<&'a str>,
    /// The verification's nonce.
    pub nonce: Option<&'a str>,
    /// The digest of the policy revision.
    pub policy: Option<Digest>,
    /// The moment to judge times by.
    pub now: Timestamp,
    /// How far the two clocks may differ, in seconds.
    pub leeway_seconds: u32,
}

impl Expected<'_> {
    /// Expects nothing but sound times at `now`, with 60 s leeway.
    pub const fn at(now: Timestamp) -> Self {
        Self {
            issuer: None,
            audience: None,
            nonce: None,
            policy: None,
            now,
            leeway_seconds: 60,
        }
    }
}

/// Judges an answer. The report has one line for each check, always all of them, in a fixed order.
pub fn verify(inputs: &Inputs<'_>) -> Report {
    let mut report = Report::new();
    let document = answer::judge(inputs, &mut report);
    receipt::judge(inputs, document.as_ref(), &mut report);
    report.conclude(document.map(|document| document.answer))
}
