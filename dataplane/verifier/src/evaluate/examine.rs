//! Verifying what was presented.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use pavilion_catalogue::{Entry, Problem, policy, presentation, request};
use pavilion_json::Digest;
use pavilion_policy::Policy;
use pavilion_proofs::sd_jwt::{self, Credential, Expected};
use pavilion_proofs::status::{StatusFinding, StatusOutcome, StatusReason};
use pavilion_proofs::{ProofError, Verified};

use super::Inquiry;
use crate::app::App;
use crate::problems::Refusal;
use crate::tenant::Tenant;

/// From so many bytes on, verifying is moved off the threads that serve connections. Below, the
/// move costs more than it saves: a presentation takes two or three signature checks.
const HEAVY: usize = 16 * 1024;

/// A presentation for one piece of evidence.
#[derive(Clone)]
pub struct Presented {
    /// The evidence's id in the policy.
    pub evidence: String,
    /// What the wallet returned.
    pub presentation: String,
}

/// What became of one presentation.
pub(super) struct Examined {
    pub(super) evidence: String,
    pub(super) digest: Digest,
    pub(super) outcome: Result<Verified<Credential>, Finding>,
}

/// The same, its status considered.
pub(super) struct Judged {
    pub(super) evidence: String,
    pub(super) digest: Digest,
    pub(super) standing: Standing,
    /// What verified, if anything did; what counts is the standing.
    pub(super) known: Option<Known>,
}

/// A credential that verified, and its status.
pub(super) struct Known {
    pub(super) credential: Verified<Credential>,
    pub(super) status: StatusFinding,
}

/// Whether a presentation counts.
pub(super) enum Standing {
    Good,
    Unknown(Finding),
    Bad(Finding),
}

/// What was found about a credential or its holder. Its sentence holds no value of them.
pub(super) struct Finding {
    pub(super) entry: &'static Entry,
    pub(super) detail: String,
}

impl From<&'static Entry> for Finding {
    fn from(entry: &'static Entry) -> Self {
        Self {
            entry,
            detail: entry.meaning.to_owned(),
        }
    }
}

impl From<StatusReason> for Finding {
    fn from(reason: StatusReason) -> Self {
        Self {
            entry: reason.code,
            detail: reason.detail.to_owned(),
        }
    }
}

impl Examined {
    pub(super) fn key_binding(&self) -> Option<Digest> {
        let credential = self.outcome.as_ref().ok()?;
        credential.key_binding_digest
    }
}

/// Verifies every presentation against what the policy wants of its evidence.
///
/// # Errors
/// The first presentation that does not belong to this verification.
pub(super) async fn examine(
    tenant: &Arc<Tenant>,
    inquiry: &Arc<Inquiry>,
    presented: Vec<Presented>,
    now: Timestamp,
) -> Result<Vec<Examined>, Refusal> {
    let size: usize = presented.iter().map(|one| one.presentation.len()).sum();
    if size < HEAVY {
        return examine_all(tenant, inquiry, presented, now);
    }
    let (tenant, inquiry) = (Arc::clone(tenant), Arc::clone(inquiry));
    tokio::task::spawn_blocking(move || examine_all(&tenant, &inquiry, presented, now))
        .await
        .unwrap_or_else(|_| Err((&request::INTERNAL).into()))
}

fn examine_all(
    tenant: &Tenant,
    inquiry: &Inquiry,
    presented: Vec<Presented>,
    now: Timestamp,
) -> Result<Vec<Examined>, Refusal> {
    let Some(revision) = tenant.policies.get(&inquiry.policy) else {
        return Err((&policy::UNKNOWN).into());
    };
    check_ids(&revision.policy, &presented)?;
    let examined = presented
        .into_iter()
        .map(|one| examine_one(tenant, inquiry, &revision.policy, one, now))
        .collect::<Result<Vec<_>, _>>()?;
    check_reuse(&examined)?;
    Ok(examined)
}

/// Every id is one of the policy's, and stands once.
fn check_ids(policy: &Policy, presented: &[Presented]) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for (index, one) in presented.iter().enumerate() {
        let unknown = Problem::new(&request::EVIDENCE_UNKNOWN)
            .field(format!("presentations[{index}].evidence"));
        // The id is repeated only where it is the policy's word and not just the caller's.
        let Some(known) = policy.evidence(&one.evidence) else {
            let detail = "The policy asks for no evidence of this id.";
            return Err(unknown.detail(detail).into());
        };
        if !seen.insert(&known.id) {
            let detail = "This evidence was presented twice.";
            return Err(unknown.detail(detail).evidence(&known.id).into());
        }
    }
    Ok(())
}

/// Each credential stands for one piece of evidence, however it was presented: a policy that asks
/// for two asks for two credentials. That they may be bound to different keys is no mistake, wallets
/// keep a key for each (see the threat model).
fn check_reuse(examined: &[Examined]) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    let mut good = examined
        .iter()
        .filter_map(|one| Some((one, one.outcome.as_ref().ok()?)));
    let reused = good.find(|(_, credential)| !seen.insert(credential.issued_digest));
    match reused {
        None => Ok(()),
        Some((one, _)) => Err(Problem::new(&presentation::CREDENTIAL_REUSED)
            .evidence(&one.evidence)
            .into()),
    }
}

fn examine_one(
    tenant: &Tenant,
    inquiry: &Inquiry,
    policy: &Policy,
    presented: Presented,
    now: Timestamp,
) -> Result<Examined, Refusal> {
    let Some(wanted) = policy.evidence(&presented.evidence) else {
        return Err((&request::EVIDENCE_UNKNOWN).into());
    };
    let expected = Expected {
        evidence_id: &wanted.id,
        types: &wanted.types,
        anchors: &tenant.anchors,
        trust: &wanted.trust,
        nonce: &inquiry.nonce,
        audience: &tenant.issuer,
        now,
        leeway: tenant.leeway(),
        key_binding_max_age: inquiry.key_binding_max_age(now),
        holder_binding: wanted.holder_binding,
    };
    let outcome = match sd_jwt::verify(&presented.presentation, &expected) {
        Ok(credential) => Ok(credential),
        Err(error) => Err(finding(inquiry, error)?),
    };
    Ok(Examined {
        evidence: presented.evidence,
        digest: Digest::of(presented.presentation.as_bytes()),
        outcome,
    })
}

/// A finding about the credential, or a refusal of the request (see the module above).
fn finding(inquiry: &Inquiry, error: ProofError) -> Result<Finding, Refusal> {
    tracing::info!(
        verification = %inquiry.id,
        evidence = error.evidence,
        code = error.code.code,
        detail = error.detail,
        "a presentation does not verify"
    );
    if error.code.status == 0 {
        return Ok(Finding {
            entry: error.code,
            detail: error.detail,
        });
    }
    Err(Problem::new(error.code)
        .detail(error.detail)
        .evidence(error.evidence)
        .into())
}

/// Asks for the status of everything that verified.
pub(super) async fn check_status(
    app: &App,
    tenant: &Tenant,
    examined: Vec<Examined>,
    now: Timestamp,
) -> Vec<Judged> {
    join_all(examined.into_iter().map(|one| judge(app, tenant, one, now))).await
}

async fn judge(app: &App, tenant: &Tenant, examined: Examined, now: Timestamp) -> Judged {
    let (standing, known) = match examined.outcome {
        Err(finding) => (Standing::Bad(finding), None),
        Ok(credential) => {
            let status = app.status.check(&credential, now, tenant.leeway()).await;
            let known = Known { credential, status };
            (Standing::of(status.outcome), Some(known))
        }
    };
    Judged {
        evidence: examined.evidence,
        digest: examined.digest,
        standing,
        known,
    }
}

impl Standing {
    fn of(status: StatusOutcome) -> Self {
        match (status, status.code()) {
            (StatusOutcome::Valid | StatusOutcome::Unstated, None) => Self::Good,
            (StatusOutcome::Indeterminate(reason), _) => Self::Unknown(reason.into()),
            (StatusOutcome::Failed(reason), _) => Self::Bad(reason.into()),
            (_, Some(code)) => Self::Bad(code.into()),
            (_, None) => Self::Bad((&request::INTERNAL).into()),
        }
    }
}
