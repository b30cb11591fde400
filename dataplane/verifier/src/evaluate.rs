//! From evidence to a signed, logged answer.
//!
//! The order is verify → status → decide → build → append (durable) → sign and fetch the receipt →
//! store → answer; this module does all but the store. Nothing is consumed before the store: if
//! something needed is away, or this process dies, the same evidence can be sent again. An entry of
//! the log may then belong to an answer that never left; the other way round cannot happen.
//!
//! **What refuses the request, and what fails the verification.** A presentation that does not
//! belong to this verification at all (unreadable, beyond limits, another nonce, another audience,
//! used before) is the caller's mistake and can be repaired by presenting again: the request is
//! refused with 422, naming the evidence, and the verification keeps awaiting evidence. Everything
//! that is a finding about the credential or its holder (signature, issuer, validity, disclosures,
//! key binding, status) is what was asked for: the verification completes, and its checks say what
//! was found. The catalogue draws the line: a code with an HTTP status is of the first kind.

mod answer;
mod checks;
#[cfg(test)]
pub(crate) mod defect;
mod examine;
mod facts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pavilion_catalogue::{policy, request};
use pavilion_json::Digest;
use pavilion_policy::{ClaimRef, Question};
use pavilion_results::{Answer, Evidence, Salt};
use ulid::Ulid;

pub use examine::Presented;

use crate::app::App;
use crate::metrics::Stage;
use crate::pool::Place;
use crate::problems::Refusal;
use crate::store::{Completed, NonceUse};
use crate::tenant::{PRESENTED_WITHIN, RelyingParty, Tenant, seconds};

/// What is asked.
pub struct Inquiry {
    /// The verification's id: the answer's `jti`.
    pub id: Ulid,
    /// Who asks.
    pub party: Arc<RelyingParty>,
    /// The policy's name.
    pub policy: String,
    /// The purpose.
    pub purpose: String,
    /// The nonce that presentations must carry.
    pub nonce: String,
    /// When the nonce was handed out, in seconds since the epoch; `None` if it came with the evidence.
    pub asked_at: Option<i64>,
    /// The claims the answer is limited to by the asker.
    pub disclose: Option<Vec<ClaimRef>>,
    /// The digest of the request that opened the verification.
    pub req_digest: Digest,
}

/// A finished evaluation; nothing of it is stored yet.
pub struct Evaluated {
    /// The answer and what proves it.
    pub completed: Completed,
    /// By what the nonce was answered.
    pub nonce_use: NonceUse,
    /// How long the result may be kept, in seconds.
    pub keep_seconds: i64,
    begun: Instant,
    _place: Place,
}

impl Evaluated {
    /// Counts and logs the answer, once it is stored.
    pub(crate) fn stored(self, app: &App, inquiry: &Inquiry) {
        let verdict = self.completed.verdict;
        app.metrics.answered(verdict, self.begun);
        tracing::info!(
            verification = %inquiry.id,
            policy = inquiry.policy,
            verdict = verdict.as_str(),
            "verification answered"
        );
    }
}

impl Inquiry {
    /// The question as the policy engine takes it.
    pub(crate) fn question(&self, now: Timestamp) -> Question<'_> {
        Question {
            relying_party: &self.party.name,
            policy: &self.policy,
            purpose: &self.purpose,
            requested_disclosure: self.disclose.as_deref(),
            now,
        }
    }

    /// The greatest age of a key-binding JWT. Nobody had the nonce of a stored verification before
    /// it was handed out; one that came with the evidence may be older than the question.
    fn key_binding_max_age(&self, now: Timestamp) -> Duration {
        let Some(asked_at) = self.asked_at else {
            return Duration::from_secs(PRESENTED_WITHIN);
        };
        let asked_at = Timestamp::from_second(asked_at).unwrap_or(now);
        Duration::try_from(now.duration_since(asked_at)).unwrap_or_default()
    }
}

/// Whether the question may be asked at all.
///
/// # Errors
/// `policy_unknown`, `policy_not_registered`, `purpose_not_registered`, `over_asking`.
pub(crate) fn admit(tenant: &Tenant, inquiry: &Inquiry, now: Timestamp) -> Result<(), Refusal> {
    let admitted = tenant.engine.admit(&inquiry.question(now));
    admitted.map_err(|refusal| Refusal::of_code(refusal.code, sentence(&refusal.detail)))
}

fn sentence(detail: &str) -> String {
    let mut text = detail.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

/// How long an evaluation may take. With the wait for its turn it stays below the time after which
/// the edge gives up, so that the relying party hears of it from here, and no status host, signer
/// or log that answers slowly holds a place of the pool for longer.
const DEADLINE: Duration = Duration::from_secs(20);

/// Evaluates evidence.
///
/// # Errors
/// A refusal of the request; nothing was consumed.
pub(crate) async fn evaluate(
    app: &App,
    tenant: &Arc<Tenant>,
    inquiry: &Arc<Inquiry>,
    presented: Vec<Presented>,
    request_id: &str,
) -> Result<Evaluated, Refusal> {
    let place = app.pool.enter().await?;
    let work = evaluate_in(place, app, tenant, inquiry, presented, request_id);
    let outcome = tokio::time::timeout(DEADLINE, work).await;
    outcome.unwrap_or_else(|_| Err((&request::EVALUATION_TIMEOUT).into()))
}

async fn evaluate_in(
    place: Place,
    app: &App,
    tenant: &Arc<Tenant>,
    inquiry: &Arc<Inquiry>,
    presented: Vec<Presented>,
    request_id: &str,
) -> Result<Evaluated, Refusal> {
    let begun = Instant::now();
    let now = app.clock.now();
    admit(tenant, inquiry, now)?;
    let examined = examine::examine(tenant, inquiry, presented, now).await?;
    let key_bindings = examined.iter().filter_map(examine::Examined::key_binding);
    let nonce_use = NonceUse {
        key_bindings: key_bindings.collect(),
    };
    let judged = examine::check_status(app, tenant, examined, now).await;
    app.metrics.observe(Stage::Verify, begun);

    let Some(revision) = tenant.policies.get(&inquiry.policy) else {
        return Err((&policy::UNKNOWN).into());
    };
    let facts = facts::of(&judged, &revision.policy);
    let decision = tenant.engine.decide(&inquiry.question(now), &facts);
    if !decision.errors.is_empty() {
        app.metrics.policy_errors(decision.errors.len());
        tracing::error!(
            policy = inquiry.policy,
            errors = ?decision.errors,
            "the policy engine reported an error; it denies"
        );
    }
    let answer = answer::build(tenant, inquiry, &judged, &facts, &decision, now)?;
    let keep = answer::keep_seconds(tenant, &decision);
    let completed = seal(app, tenant, answer, request_id).await?;
    #[cfg(test)]
    defect::strike();
    Ok(Evaluated {
        completed,
        nonce_use,
        keep_seconds: seconds(keep),
        begun,
        _place: place,
    })
}

/// Logs, then signs. Nothing leaves that is not in the log.
async fn seal(
    app: &App,
    tenant: &Tenant,
    answer: Answer,
    request_id: &str,
) -> Result<Completed, Refusal> {
    let internal = || Refusal::from(&request::INTERNAL);
    let salt = Salt::generate().map_err(|_| internal())?;
    let leaf = answer.commit(&salt).map_err(|_| internal())?;
    let entry = leaf.bytes().map_err(|_| internal())?;
    let begun = Instant::now();
    let appended = app.peers.auditor.append(entry, request_id).await?;
    app.metrics.observe(Stage::Append, begun);
    let answer = answer.with_evidence(Evidence {
        log: tenant.log_origin.clone(),
        index: appended.index,
        leaf: appended.leaf,
        salt,
    });
    let begun = Instant::now();
    let (jws, receipt) = tokio::try_join!(
        app.peers.signer.sign(&answer, request_id),
        app.peers.auditor.receipt(appended.index, request_id),
    )?;
    app.metrics.observe(Stage::Seal, begun);
    Ok(Completed {
        at: answer.iat,
        verdict: answer.verdict,
        jws,
        receipt,
    })
}
