//! Building the canonical answer from a decision.

use jiff::Timestamp;
use pavilion_catalogue::{Problem, policy, presentation};
use pavilion_policy::{Clause, Decision, Fact, Facts, GoDuration};
use pavilion_results::{Answer, Check, CheckKind, PolicyReference, Verdict};
use serde_json::{Map, Value};

use super::Inquiry;
use super::examine::{Judged, Standing};
use crate::problems::Refusal;
use crate::tenant::{Tenant, seconds};

/// The prefix of clauses that say whether required evidence is there.
const EVIDENCE: &str = "evidence.";

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
    let Some(revision) = tenant.policies.get(&inquiry.policy) else {
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
            digest: revision.digest,
        },
        purpose: inquiry.purpose.clone(),
        verdict: verdict(decision.verdict),
        checks: checks(judged, &decision.clauses),
        claims: claims(facts, decision)?,
        region: tenant.region.clone(),
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

/// Credentials in the order they were presented, then required evidence that is missing, then the
/// clauses of the rule.
fn checks(judged: &[Judged], clauses: &[Clause]) -> Vec<Check> {
    let presented = judged.iter().map(credential);
    let missing = clauses.iter().filter_map(|clause| {
        let id = clause.path.strip_prefix(EVIDENCE)?;
        let shown = judged.iter().any(|one| one.evidence == id);
        (!shown).then(|| {
            explained(
                Check::new(id, CheckKind::Credential, verdict(clause.verdict)),
                clause,
            )
        })
    });
    let rule = clauses
        .iter()
        .filter(|clause| !clause.path.starts_with(EVIDENCE))
        .map(|clause| {
            explained(
                Check::new(&clause.path, CheckKind::Clause, verdict(clause.verdict)),
                clause,
            )
        });
    presented.chain(missing).chain(rule).collect()
}

fn explained(mut check: Check, clause: &Clause) -> Check {
    check.code = clause.code.map(str::to_owned);
    check.because.clone_from(&clause.because);
    check
}

fn credential(judged: &Judged) -> Check {
    let (verdict, finding) = match &judged.standing {
        Standing::Good => (Verdict::Pass, None),
        Standing::Unknown(finding) => (Verdict::Indeterminate, Some(finding)),
        Standing::Bad(finding) => (Verdict::Fail, Some(finding)),
    };
    let mut check = Check::new(&judged.evidence, CheckKind::Credential, verdict);
    check.code = finding.map(|finding| finding.entry.code.to_owned());
    check.because = finding.map(|finding| format!("{} {}", finding.detail, finding.entry.hint));
    check.format = Some("dc+sd-jwt".to_owned());
    check.proof_digest = Some(judged.digest);
    if let Some(credential) = &judged.credential {
        check.issuer = Some(credential.issuer.clone());
        check.credential_type = Some(credential.credential_type.clone());
        check.assurance = credential.assurance.map(|level| {
            let word = match level {
                pavilion_proofs::Assurance::Low => "low",
                pavilion_proofs::Assurance::Substantial => "substantial",
                pavilion_proofs::Assurance::High => "high",
            };
            word.to_owned()
        });
    }
    check
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

fn verdict(verdict: pavilion_policy::Verdict) -> Verdict {
    match verdict {
        pavilion_policy::Verdict::Pass => Verdict::Pass,
        pavilion_policy::Verdict::Fail => Verdict::Fail,
        pavilion_policy::Verdict::Indeterminate => Verdict::Indeterminate,
    }
}
