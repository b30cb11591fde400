//! The few Cedar policies that one relying party's question of one policy is decided by.

use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision as CedarDecision, Effect, Entities, EntityId,
    EntityTypeName, EntityUid, PolicyId, PolicySet, Request,
};

use crate::cedar;
use crate::compile::{self, Compiled, Plan, RELYING_PARTY};
use crate::context::Situation;
use crate::engine::{Clause, Decision, Question, RpRules, Verdict};
use crate::explain::{self, Outcome};
use crate::facts::{Fact, Facts};
use crate::obligations::Obligations;

/// What one pair of relying party and policy is decided by.
pub(crate) struct Slice {
    pub(crate) set: PolicySet,
    pub(crate) plan: Arc<Plan>,
    pub(crate) obligations: Obligations,
    guard: PolicyId,
    principal: EntityUid,
    resource: EntityUid,
}

/// What is the same for every question.
pub(crate) struct Judge {
    authorizer: Authorizer,
    entities: Entities,
    action: EntityUid,
}

/// How one evaluation came out.
struct Evaluation {
    allowed: bool,
    broken: Vec<PolicyId>,
    errors: Vec<PolicyId>,
}

impl Judge {
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Self {
            authorizer: Authorizer::new(),
            entities: Entities::empty(),
            action: uid("Action", cedar::ASK)?,
        })
    }
}

impl Slice {
    pub(crate) fn new(party: &str, rules: &RpRules, compiled: &Compiled) -> Result<Self, String> {
        let purposes = rules.purposes.iter();
        let purposes: Vec<_> = purposes
            .filter(|purpose| compiled.plan.purposes.contains(purpose))
            .collect();
        if purposes.is_empty() {
            let name = &compiled.name;
            return Err(format!(
                "is registered for none of the purposes of policy '{name}'"
            ));
        }
        let guard = cedar::forbid_unless(RELYING_PARTY, cedar::asker(party, &purposes));
        let annotations = compile::annotations(&rules.obligations);
        let permit = cedar::permit(Some(party), &compiled.name, annotations);
        let own = [
            compiled.validated(RELYING_PARTY, guard)?,
            compiled.validated("relyingParty.permit", permit)?,
        ];
        let policies = compiled.policies.iter().cloned().chain(own);
        let set = PolicySet::from_policies(policies).map_err(|error| error.to_string())?;
        Ok(Self {
            obligations: merged(&set).ok_or("an obligation cannot be read back")?,
            set,
            plan: Arc::clone(&compiled.plan),
            guard: PolicyId::new(RELYING_PARTY),
            principal: uid(cedar::PARTY, party)?,
            resource: uid(cedar::POLICY, &compiled.name)?,
        })
    }

    pub(crate) fn decide(&self, judge: &Judge, question: &Question<'_>, facts: &Facts) -> Decision {
        let mut filled = Vec::with_capacity(self.plan.readers.len());
        let first = self.evaluate(judge, question, facts, false, &mut filled);
        let second = self
            .may_be_undecided(&first, facts)
            .then(|| self.evaluate(judge, question, facts, true, &mut Vec::new()));
        let errors = second
            .as_ref()
            .map_or(&first.errors, |second| &second.errors);
        let verdict = match &second {
            _ if !errors.is_empty() || first.broken.contains(&self.guard) => Verdict::Fail,
            _ if first.allowed => Verdict::Pass,
            Some(second) if second.allowed => Verdict::Indeterminate,
            _ => Verdict::Fail,
        };
        Decision {
            verdict,
            revision: Some(self.plan.digest),
            clauses: self.clauses(&first, second.as_ref(), facts, &filled),
            obligations: self.obligations.clone(),
            disclose: match verdict {
                Verdict::Pass => question.disclosed(&self.plan.disclose, &self.obligations, facts),
                Verdict::Fail | Verdict::Indeterminate => Vec::new(),
            },
            // Cedar's own sentences may quote values; the id says enough.
            errors: errors
                .iter()
                .map(|id| format!("{id} could not be evaluated"))
                .collect(),
        }
    }

    /// Whether to ask again with unknown conditions counted as true. Also where the registration
    /// forbids the question, which stays forbidden: to tell what failed from what is unknown.
    fn may_be_undecided(&self, first: &Evaluation, facts: &Facts) -> bool {
        let unknown = |id: &String| matches!(facts.of(id), Fact::Indeterminate { .. });
        !first.allowed && first.errors.is_empty() && self.plan.evidence.iter().any(unknown)
    }

    fn evaluate(
        &self,
        judge: &Judge,
        question: &Question<'_>,
        facts: &Facts,
        optimistic: bool,
        filled: &mut Vec<bool>,
    ) -> Evaluation {
        let about = Situation {
            facts,
            purpose: question.purpose,
            now: question.now,
            optimistic,
        };
        let mut pairs = Vec::with_capacity(self.plan.readers.len());
        for reader in &self.plan.readers {
            let pair = reader.read(&about);
            filled.push(pair.is_some());
            pairs.extend(pair);
        }
        match self.request(judge, pairs) {
            Ok(request) if optimistic => Evaluation::of(judge, &request, &self.plan.optimistic),
            Ok(request) => Evaluation::of(judge, &request, &self.set),
            Err(id) => Evaluation {
                allowed: false,
                broken: Vec::new(),
                errors: vec![id],
            },
        }
    }

    /// The request; its context was made by the readers of the schema's slots, so that it is not
    /// validated against the schema again.
    fn request(
        &self,
        judge: &Judge,
        pairs: Vec<(String, cedar_policy::RestrictedExpression)>,
    ) -> Result<Request, PolicyId> {
        let bad = no_context;
        let context = Context::from_pairs(pairs).map_err(|_| bad())?;
        let [principal, action, resource] = [&self.principal, &judge.action, &self.resource];
        Request::new(
            principal.clone(),
            action.clone(),
            resource.clone(),
            context,
            None,
        )
        .map_err(|_| bad())
    }

    fn clauses(
        &self,
        first: &Evaluation,
        second: Option<&Evaluation>,
        facts: &Facts,
        filled: &[bool],
    ) -> Vec<Clause> {
        let mut outcomes = vec![Outcome::Held; self.plan.clauses.len()];
        let mut set = |ids: &[PolicyId], outcome: Outcome| {
            for id in ids {
                if let Some(&at) = self.plan.by_id.get(id) {
                    outcomes[at] = outcome;
                }
            }
        };
        let nothing_judged = [Some(first), second]
            .into_iter()
            .flatten()
            .any(|evaluation| evaluation.errors.contains(&no_context()));
        match second {
            None => set(&first.broken, Outcome::Broke),
            Some(second) => {
                set(&first.broken, Outcome::Open);
                set(&second.broken, Outcome::Broke);
                // The registration is not evidence: no set without it can lift what it forbids.
                if first.broken.contains(&self.guard) {
                    set(std::slice::from_ref(&self.guard), Outcome::Broke);
                }
                set(&second.errors, Outcome::Error);
            }
        }
        set(&first.errors, Outcome::Error);
        if nothing_judged {
            outcomes.fill(Outcome::Error);
        }
        let clauses = self.plan.clauses.iter().zip(outcomes);
        clauses
            .filter_map(|(clause, outcome)| {
                explain::clause(clause, outcome, &self.plan, facts, filled)
            })
            .collect()
    }
}

impl Evaluation {
    fn of(judge: &Judge, request: &Request, set: &PolicySet) -> Self {
        let response = judge
            .authorizer
            .is_authorized(request, set, &judge.entities);
        let diagnostics = response.diagnostics();
        let errors = diagnostics.errors().map(|error| match error {
            AuthorizationError::PolicyEvaluationError(error) => error.policy_id().clone(),
        });
        let errors: Vec<_> = errors.collect();
        let denied = response.decision() == CedarDecision::Deny;
        Self {
            // Cedar leaves out a policy that it cannot evaluate, be it the one that forbids.
            allowed: !denied && errors.is_empty(),
            broken: if denied {
                diagnostics.reason().cloned().collect()
            } else {
                Vec::new()
            },
            errors,
        }
    }
}

/// What stands for every clause when the context they are evaluated in cannot be built.
fn no_context() -> PolicyId {
    PolicyId::new("context")
}

/// The obligations of every `permit`, merged by the strictest rule.
fn merged(set: &PolicySet) -> Option<Obligations> {
    set.policies()
        .filter(|policy| policy.effect() == Effect::Permit)
        .try_fold(Obligations::default(), |merged, policy| {
            Some(merged.merge(&compile::obligations(policy)?))
        })
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind: EntityTypeName = kind
        .parse()
        .map_err(|_| format!("{kind} is no entity type"))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

#[cfg(test)]
mod tests;
