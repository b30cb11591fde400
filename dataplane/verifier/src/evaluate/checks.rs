//! What was checked, and how it went: one line for each credential and each clause.

use jiff::Timestamp;
use pavilion_catalogue::{find, status};
use pavilion_policy::Clause;
use pavilion_proofs::Assurance;
use pavilion_proofs::status::{StatusFinding, StatusOutcome};
use pavilion_results::{Check, CheckKind, Verdict};

use super::examine::{Judged, Standing};

/// The prefix of clauses that say whether required evidence is there.
const EVIDENCE: &str = "evidence.";

/// Credentials in the order they were presented, then required evidence that is missing, then the
/// clauses of the rule.
pub(super) fn checks(judged: &[Judged], clauses: &[Clause], now: Timestamp) -> Vec<Check> {
    let presented = judged.iter().map(|judged| credential(judged, now));
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
    let entry = clause.code.and_then(find);
    check.code = clause.code.map(str::to_owned);
    check.because.clone_from(&clause.because);
    check.hint = entry.map(|entry| entry.hint.to_owned());
    check
}

fn credential(judged: &Judged, now: Timestamp) -> Check {
    let (verdict, finding) = match &judged.standing {
        Standing::Good => (Verdict::Pass, None),
        Standing::Unknown(finding) => (Verdict::Indeterminate, Some(finding)),
        Standing::Bad(finding) => (Verdict::Fail, Some(finding)),
    };
    let mut check = Check::new(&judged.evidence, CheckKind::Credential, verdict);
    if let Some(finding) = finding {
        check.code = Some(finding.entry.code.to_owned());
        check.because = Some(finding.detail.clone());
        check.hint = Some(finding.entry.hint.to_owned());
    }
    check.format = Some("dc+sd-jwt".to_owned());
    check.proof_digest = Some(judged.digest);
    if let Some(known) = &judged.known {
        let credential = &known.credential;
        check.issuer = Some(credential.issuer.clone());
        check.credential_type = Some(credential.credential_type.clone());
        check.assurance = credential
            .assurance
            .map(|level| assurance(level).to_owned());
        let status = &known.status;
        let methods = [
            Some("issuer_signature"),
            credential.key_binding_digest.map(|_| "key_binding"),
            status.list_issued_at.map(|_| "status_list"),
        ];
        check.methods = methods.into_iter().flatten().map(str::to_owned).collect();
        check.status = Some(word(status.outcome).to_owned());
        check.age_seconds = age_seconds(status, now);
    }
    check
}

fn assurance(level: Assurance) -> &'static str {
    match level {
        Assurance::Low => "low",
        Assurance::Substantial => "substantial",
        Assurance::High => "high",
    }
}

fn word(outcome: StatusOutcome) -> &'static str {
    match outcome {
        StatusOutcome::Valid => "valid",
        StatusOutcome::Revoked => "revoked",
        StatusOutcome::Suspended => "suspended",
        StatusOutcome::Unstated => "unstated",
        StatusOutcome::Failed(reason) if *reason.code == status::MISSING => "unstated",
        StatusOutcome::Indeterminate(_) | StatusOutcome::Failed(_) => "unknown",
    }
}

/// See [`Check::age_seconds`] for why it is rounded. A list from ahead, within the leeway, is new.
fn age_seconds(status: &StatusFinding, now: Timestamp) -> Option<u64> {
    let age = now
        .as_second()
        .saturating_sub(status.list_issued_at?.as_second());
    let age = u64::try_from(age).unwrap_or_default();
    Some(age.div_ceil(60).saturating_mul(60))
}

/// The policy's verdict in the words of the answer.
pub(super) fn verdict(verdict: pavilion_policy::Verdict) -> Verdict {
    match verdict {
        pavilion_policy::Verdict::Pass => Verdict::Pass,
        pavilion_policy::Verdict::Fail => Verdict::Fail,
        pavilion_policy::Verdict::Indeterminate => Verdict::Indeterminate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_list_is_told_in_whole_minutes_against_the_one_who_relies_on_it() {
        let now = Timestamp::UNIX_EPOCH;
        let told = |seconds: i64| {
            let status = StatusFinding {
                outcome: StatusOutcome::Valid,
                list_issued_at: Timestamp::from_second(-seconds).ok(),
            };
            age_seconds(&status, now)
        };
        let ages = [(0, 0), (1, 60), (60, 60), (61, 120), (3_599, 3_600)];
        for (seconds, rounded) in ages {
            assert_eq!(told(seconds), Some(rounded));
        }
        assert_eq!(told(-30), Some(0), "ahead within the leeway");
        assert_eq!(age_seconds(&StatusOutcome::Unstated.into(), now), None);
    }
}
