//! Building the canonical answer from a decision.

use jiff::Timestamp;
use pavilion_catalogue::{Problem, policy, presentation};
use pavilion_policy::{Decision, Fact, Facts, GoDuration};
use pavilion_results::{Answer, PolicyReference, Retention};
use serde_json::{Map, Value};

use super::Inquiry;
use super::checks::{checks, verdict};
use super::examine::Judged;
use crate::problems::Refusal;
use crate::tenant::{Tenant, seconds};

/// The answer, not yet in the log.
///
/// # Errors
/// `claim_not_exact` if a claim that is to leave has no canonical form.
pub(super) fn build(
    tenant: &Tenant,
    inquiry: &Inquiry,
    judged: &[Judged],
    facts: &Facts,
    decision: &Decision,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let known = tenant.policies.get(&inquiry.policy);
    let Some((revision, digest)) = known.zip(decision.revision) else {
        return Err((&policy::UNKNOWN).into());
    };
    let iat = now.as_second();
    let lifetime = shortest(
        tenant.lifetimes.answer_seconds,
        decision.obligations.answer_time_to_live,
    );
    Ok(Answer {
        iss: tenant.issuer.clone(),
        aud: inquiry.party.audience.clone(),
        jti: inquiry.id.to_string(),
        iat,
        exp: iat.saturating_add(seconds(lifetime)),
        nonce: inquiry.nonce.clone(),
        req_digest: inquiry.req_digest,
        policy: PolicyReference {
            name: inquiry.policy.clone(),
            revision: revision.revision,
            digest,
        },
        purpose: inquiry.purpose.clone(),
        verdict: verdict(decision.verdict),
        checks: checks(judged, &decision.clauses, now),
        claims: claims(facts, decision)?,
        region: tenant.region.clone(),
        retention: Some(Retention {
            result_seconds: keep_seconds(tenant, decision),
        }),
        evidence: None,
    })
}

/// How long the result may be kept, in seconds.
pub(super) fn keep_seconds(tenant: &Tenant, decision: &Decision) -> u64 {
    let kept = tenant.lifetimes.keep_result_seconds;
    shortest(kept, decision.obligations.keep_result)
}

fn shortest(own: u64, obliged: Option<GoDuration>) -> u64 {
    obliged.map_or(own, |obliged| own.min(obliged.as_seconds()))
}

/// The claims that leave, and nothing else.
fn claims(facts: &Facts, decision: &Decision) -> Result<Map<String, Value>, Refusal> {
    let mut out = Map::new();
    for claim in &decision.disclose {
        let Fact::Verified { claims, .. } = facts.of(claim.evidence()) else {
            continue;
        };
        let Some(value) = claims.get(claim.claim()) else {
            continue;
        };
        // A number that RFC 8785 would round must not be signed as another number.
        if pavilion_json::canonical(value).is_err() {
            return Err(inexact(claim.evidence()));
        }
        out.insert(claim.to_string(), value.clone());
    }
    Ok(out)
}

fn inexact(evidence: &str) -> Refusal {
    Problem::new(&presentation::CLAIM_NOT_EXACT)
        .evidence(evidence)
        .into()
}
