//! One policy, compiled: Cedar policies that passed strict validation, and what is needed to feed
//! and to explain them.

use std::collections::HashMap;
use std::fmt::{self, Display, Write as _};
use std::sync::Arc;

use cedar_policy::{Policy as CedarPolicy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use pavilion_json::Digest;
use serde_json::{Value as Json, json};

use crate::cedar::{self, Writer};
use crate::check::CompileError;
use crate::claim_ref::ClaimRef;
use crate::context::Reader;
use crate::digest::digest_with_schema;
use crate::formula::Formula;
use crate::model::Policy;
use crate::obligations::Obligations;
use crate::slot::{self, Slot};
use crate::words;

/// Id of the clause that holds the question to the policy's purposes and the relying party's
/// registration.
pub(crate) const RELYING_PARTY: &str = "relyingParty";

/// A policy that compiled.
pub struct Compiled {
    pub(crate) name: String,
    pub(crate) plan: Arc<Plan>,
    pub(crate) policies: Vec<CedarPolicy>,
    validator: Validator,
    schema: String,
}

/// What a decision needs beside the Cedar policies.
pub(crate) struct Plan {
    /// Names the revision that decides.
    pub(crate) digest: Digest,
    pub(crate) readers: Vec<Reader>,
    pub(crate) clauses: Vec<ClausePlan>,
    /// Positions in `clauses` by the id of their Cedar policy.
    pub(crate) by_id: HashMap<PolicyId, usize>,
    /// The same clauses with unknown conditions counted as true.
    pub(crate) optimistic: PolicySet,
    /// Ids of evidence.
    pub(crate) evidence: Vec<String>,
    pub(crate) purposes: Vec<String>,
    pub(crate) disclose: Vec<ClaimRef>,
}

/// One `forbid`, and how to speak about it.
pub(crate) struct ClausePlan {
    pub(crate) path: String,
    pub(crate) kind: ClauseKind,
}

pub(crate) enum ClauseKind {
    /// The question is one that may be asked; spoken of only if it is not.
    Guard,
    /// Required evidence was verified.
    Evidence(String),
    /// A clause of the rule.
    Rule {
        /// The conditions over evidence, as the positions of their readers.
        reads: Vec<usize>,
        /// The sentence if it fails.
        failed: String,
        /// The sentence if it cannot be decided.
        undecided: String,
    },
}

impl Compiled {
    /// The name it was compiled under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest of the revision.
    pub fn digest(&self) -> Digest {
        self.plan.digest
    }

    /// The Cedar schema its policies were validated against.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The Cedar policies, for people.
    pub fn cedar(&self) -> String {
        let mut text = String::new();
        for policy in &self.policies {
            let _ = writeln!(text, "{policy}\n");
        }
        text
    }

    /// A Cedar policy, once it passed strict validation against this policy's schema.
    pub(crate) fn validated(&self, id: &str, policy: Json) -> Result<CedarPolicy, String> {
        validated(&self.validator, id, policy)
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled")
            .field("name", &self.name)
            .field("digest", &self.plan.digest)
            .finish_non_exhaustive()
    }
}

pub(crate) fn compile(
    name: &str,
    policy: &Policy,
    clauses: Vec<Formula>,
) -> Result<Compiled, CompileError> {
    let slots = slot::slots(policy, &clauses);
    let schema = slot::schema(&slots);
    let at = |path: &str| {
        let path = format!("spec.{path}");
        move |error: String| CompileError::invalid(path, error)
    };
    let (parsed, _) = Schema::from_cedarschema_str(&schema)
        .map_err(shown)
        .map_err(at("rule"))?;
    let validator = Validator::new(parsed);
    let readers: Vec<_> = slots.into_iter().map(Reader::new).collect();

    let mut policies = Vec::new();
    let mut optimistic = Vec::new();
    let mut plans = Vec::new();
    for clause in plan_clauses(policy, clauses, &readers) {
        let path = &clause.plan.path;
        for (list, condition) in [
            (&mut policies, clause.known),
            (&mut optimistic, clause.optimistic),
        ] {
            let forbid = cedar::forbid_unless(path, condition);
            list.push(validated(&validator, path, forbid).map_err(at(path))?);
        }
        plans.push(clause.plan);
    }
    let permit = cedar::permit(None, name, annotations(&policy.obligations));
    let permit = validated(&validator, "permit", permit).map_err(at("obligations"))?;
    policies.push(permit.clone());
    optimistic.push(permit);
    let optimistic = PolicySet::from_policies(optimistic)
        .map_err(shown)
        .map_err(at("rule"))?;
    plans.push(ClausePlan {
        path: RELYING_PARTY.to_owned(),
        kind: ClauseKind::Guard,
    });

    let digest = digest_with_schema(policy, &schema);
    let plan = Arc::new(Plan::of(policy, digest, readers, plans, optimistic));
    Ok(Compiled {
        name: name.to_owned(),
        plan,
        policies,
        validator,
        schema,
    })
}

/// A clause with its condition in both forms.
struct Planned {
    plan: ClausePlan,
    known: Json,
    optimistic: Json,
}

/// Every clause: required evidence, then the rule.
fn plan_clauses(policy: &Policy, clauses: Vec<Formula>, readers: &[Reader]) -> Vec<Planned> {
    let [known, optimistic] = [false, true].map(|optimistic| Writer { policy, optimistic });
    let required = policy.evidence.iter().filter(|evidence| !evidence.optional);
    let evidence = required.map(|evidence| Planned {
        plan: ClausePlan {
            path: format!("evidence.{}", evidence.id),
            kind: ClauseKind::Evidence(evidence.id.clone()),
        },
        known: known.verified(&evidence.id),
        optimistic: optimistic.verified(&evidence.id),
    });
    let rule = clauses.into_iter().map(|clause| Planned {
        known: known.formula(&clause),
        optimistic: optimistic.formula(&clause),
        plan: ClausePlan::of_rule(clause, policy, readers),
    });
    evidence.chain(rule).collect()
}

impl Plan {
    fn of(
        policy: &Policy,
        digest: Digest,
        readers: Vec<Reader>,
        clauses: Vec<ClausePlan>,
        optimistic: PolicySet,
    ) -> Self {
        let by_id = clauses.iter().enumerate();
        Self {
            digest,
            by_id: by_id
                .map(|(at, clause)| (PolicyId::new(&clause.path), at))
                .collect(),
            readers,
            clauses,
            optimistic,
            evidence: policy
                .evidence
                .iter()
                .map(|evidence| evidence.id.clone())
                .collect(),
            purposes: policy.purposes.clone(),
            disclose: policy.disclose.clone(),
        }
    }
}

impl ClausePlan {
    fn of_rule(clause: Formula, policy: &Policy, readers: &[Reader]) -> Self {
        let mut reads = Vec::new();
        clause.visit(&mut |literal, _| {
            let slot = Slot::of(&literal.leaf, policy);
            if slot.evidence().is_some() {
                reads.extend(readers.iter().position(|reader| reader.slot == slot));
            }
        });
        Self {
            kind: ClauseKind::Rule {
                reads,
                failed: words::failed(&clause),
                undecided: words::undecided(&clause),
            },
            path: clause.path,
        }
    }
}

/// Obligations as annotations of a `permit`.
pub(crate) fn annotations(obligations: &Obligations) -> Json {
    let mut annotations = serde_json::Map::new();
    let durations = [
        ("answerTimeToLive", obligations.answer_time_to_live),
        ("keepResult", obligations.keep_result),
    ];
    for (key, duration) in durations {
        if let Some(duration) = duration {
            annotations.insert(key.to_owned(), json!(duration));
        }
    }
    if let Some(disclose) = &obligations.disclose {
        let claims: Vec<_> = disclose.iter().map(ToString::to_string).collect();
        annotations.insert("disclose".to_owned(), json!(claims.join(" ")));
    }
    Json::Object(annotations)
}

/// The obligations that a Cedar policy carries; `None` if an annotation cannot be read.
pub(crate) fn obligations(policy: &CedarPolicy) -> Option<Obligations> {
    let duration = |key: &str| policy.annotation(key).map(str::parse).transpose().ok();
    let claims = policy.annotation("disclose").map(|claims| {
        claims
            .split_ascii_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
    });
    Some(Obligations {
        answer_time_to_live: duration("answerTimeToLive")?,
        keep_result: duration("keepResult")?,
        disclose: claims.transpose().ok()?,
    })
}

fn validated(validator: &Validator, id: &str, policy: Json) -> Result<CedarPolicy, String> {
    let policy = CedarPolicy::from_json(Some(PolicyId::new(id)), policy).map_err(shown)?;
    let set = PolicySet::from_policies([policy.clone()]).map_err(shown)?;
    let outcome = validator.validate(&set, ValidationMode::Strict);
    let errors: Vec<_> = outcome
        .validation_errors()
        .map(ToString::to_string)
        .collect();
    if errors.is_empty() {
        Ok(policy)
    } else {
        Err(errors.join("; "))
    }
}

fn shown(error: impl Display) -> String {
    error.to_string()
}
