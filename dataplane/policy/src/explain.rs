//! Which code a clause that did not pass answers with.

use pavilion_catalogue::policy;

use crate::compile::{ClauseKind, ClausePlan, Plan};
use crate::engine::{Clause, Verdict};
use crate::facts::{Fact, Facts};

/// How a clause came out of both evaluations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It held.
    Held,
    /// It does not hold, whatever the unknown is.
    Broke,
    /// It depends on the unknown.
    Open,
    /// Cedar could not evaluate it.
    Error,
}

/// The clause as it is told; `None` for a guard that held.
pub(crate) fn clause(
    clause: &ClausePlan,
    outcome: Outcome,
    plan: &Plan,
    facts: &Facts,
    filled: &[bool],
) -> Option<Clause> {
    if outcome == Outcome::Held {
        return match clause.kind {
            ClauseKind::Guard => None,
            _ => Some(told(clause, Verdict::Pass, None, None)),
        };
    }
    if outcome == Outcome::Error {
        let code = policy::EVALUATION_ERROR.code;
        return Some(told(clause, Verdict::Fail, Some(code), None));
    }
    let verdict = match outcome {
        Outcome::Open => Verdict::Indeterminate,
        _ => Verdict::Fail,
    };
    let (code, because) = match &clause.kind {
        ClauseKind::Guard => {
            let because = "this purpose is not among those of the policy and the relying party";
            (policy::PURPOSE_NOT_REGISTERED.code, because.to_owned())
        }
        ClauseKind::Evidence(id) => of_evidence(id, facts.of(id)),
        ClauseKind::Rule { undecided, .. } if outcome == Outcome::Open => {
            (policy::CLAUSE_UNDECIDED.code, undecided.clone())
        }
        ClauseKind::Rule { reads, failed, .. } => {
            (of_rule(reads, plan, facts, filled), failed.clone())
        }
    };
    Some(told(clause, verdict, Some(code), Some(because)))
}

fn told(
    clause: &ClausePlan,
    verdict: Verdict,
    code: Option<&'static str>,
    because: Option<String>,
) -> Clause {
    Clause {
        path: clause.path.clone(),
        verdict,
        code,
        because,
    }
}

fn of_evidence(id: &str, fact: &Fact) -> (&'static str, String) {
    match fact {
        Fact::Failed { code } => (code, format!("evidence {id} was refused")),
        Fact::Indeterminate { code } => (
            code,
            format!("whether evidence {id} counts could not be established"),
        ),
        Fact::Missing | Fact::Verified { .. } => (
            policy::EVIDENCE_MISSING.code,
            format!("evidence {id} was not presented"),
        ),
    }
}

/// A claim that could not be compared is the first thing to say; the state of evidence only if all
/// of the clause's conditions share it.
fn of_rule(reads: &[usize], plan: &Plan, facts: &Facts, filled: &[bool]) -> &'static str {
    let not_met = policy::CLAUSE_NOT_MET.code;
    let mut shared = None;
    for &at in reads {
        let Some(evidence) = plan.readers[at].slot.evidence() else {
            continue;
        };
        let cause = match facts.of(evidence) {
            Fact::Verified { .. } if !filled[at] && plan.readers[at].slot.is_comparable() => {
                return policy::CLAIM_NOT_COMPARABLE.code;
            }
            Fact::Missing => policy::EVIDENCE_MISSING.code,
            Fact::Failed { code } => code,
            Fact::Verified { .. } | Fact::Indeterminate { .. } => not_met,
        };
        shared = match shared {
            None => Some(cause),
            Some(same) if same == cause => Some(same),
            Some(_) => Some(not_met),
        };
    }
    shared.unwrap_or(not_met)
}
