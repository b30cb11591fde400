//! Deciding questions.

use std::collections::HashMap;
use std::fmt::Display;

use jiff::Timestamp;
use pavilion_catalogue::policy as codes;
use pavilion_json::Digest;
use serde::{Deserialize, Serialize};

use crate::check::{CompileError, check};
use crate::claim_ref::ClaimRef;
use crate::facts::{Fact, Facts};
use crate::model::Policy;
use crate::obligations::Obligations;
use crate::slice::{Judge, Slice};

/// What a relying party is registered for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RpRules {
    /// The purposes it may ask for.
    pub purposes: Vec<String>,
    /// The policies it may ask.
    pub policies: Vec<String>,
    /// What its answers are limited to, beside what each policy says.
    pub obligations: Obligations,
}

/// A question of a relying party.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub relying_party: &'a str,
    /// Which policy.
    pub policy: &'a str,
    /// For what purpose.
    pub purpose: &'a str,
    /// The claims the answer shall carry; `None` asks for all that may leave.
    pub requested_disclosure: Option<&'a [ClaimRef]>,
    /// The time that ages, freshness and windows are measured against.
    pub now: Timestamp,
}

/// How a question came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The rule holds.
    Pass,
    /// The rule does not hold.
    Fail,
    /// Whether it holds depends on what could not be established.
    Indeterminate,
}

/// How one clause came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// Where it stands: `rule.all[1]`, `evidence.pid`, or `relyingParty` for a question that may not
    /// be asked.
    pub path: String,
    /// How it came out.
    pub verdict: Verdict,
    /// The stable code if it did not pass.
    pub code: Option<&'static str>,
    /// A sentence of the policy's words if it did not pass.
    pub because: Option<String>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The digest of the revision that decided; `None` when there is no policy of the name.
    pub revision: Option<Digest>,
    /// Every clause: required evidence first, then those of the rule in their order.
    pub clauses: Vec<Clause>,
    /// What the answer is limited to.
    pub obligations: Obligations,
    /// The claims that the answer carries; none unless the verdict is a pass.
    pub disclose: Vec<ClaimRef>,
    /// What the engine could not evaluate. Not empty means that something is wrong with the engine
    /// or the policy: the verdict is a fail, and somebody should be told.
    pub errors: Vec<String>,
}

/// A question that may not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The stable code.
    pub code: &'static str,
    /// A sentence for the relying party.
    pub detail: String,
}

/// Why an engine could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A policy does not compile.
    #[error("policy '{name}': {}", listed(errors))]
    Policy {
        /// The policy's name.
        name: String,
        /// What is wrong with it.
        errors: Vec<CompileError>,
    },
    /// A relying party is registered for a policy that is not there.
    #[error("relying party '{relying_party}' names policy '{policy}', which is not there")]
    UnknownPolicy {
        /// The relying party.
        relying_party: String,
        /// The policy it names.
        policy: String,
    },
    /// A relying party's rules cannot be put into Cedar.
    #[error("relying party '{relying_party}': {message}")]
    RelyingParty {
        /// The relying party.
        relying_party: String,
        /// What Cedar says.
        message: String,
    },
    /// The engine itself cannot be set up.
    #[error("the policy engine cannot be set up: {0}")]
    Engine(String),
}

/// All policies and relying parties of one tenant, ready to decide.
pub struct Engine {
    judge: Judge,
    /// The digest of each policy's revision.
    policies: HashMap<String, Digest>,
    parties: HashMap<String, Party>,
}

struct Party {
    purposes: Vec<String>,
    slices: HashMap<String, Slice>,
}

impl Engine {
    /// Compiles every policy, and one slice per relying party and policy it is registered for.
    /// Takes maps, or iterators over pairs of a name and a policy, a name and rules.
    ///
    /// # Errors
    /// The first policy that does not compile, or relying party whose rules do not fit.
    pub fn build<'a, N, M>(
        policies: impl IntoIterator<Item = (&'a N, &'a Policy)>,
        relying_parties: impl IntoIterator<Item = (&'a M, &'a RpRules)>,
    ) -> Result<Self, BuildError>
    where
        N: AsRef<str> + ?Sized + 'a,
        M: AsRef<str> + ?Sized + 'a,
    {
        let mut compiled = HashMap::new();
        for (name, policy) in policies {
            let name = name.as_ref();
            let policy = check(name, policy).map_err(|errors| BuildError::Policy {
                name: name.to_owned(),
                errors,
            })?;
            compiled.insert(name.to_owned(), policy);
        }
        let mut parties = HashMap::new();
        for (name, rules) in relying_parties {
            let name = name.as_ref();
            let mut slices = HashMap::new();
            for policy in &rules.policies {
                let compiled = compiled
                    .get(policy)
                    .ok_or_else(|| BuildError::UnknownPolicy {
                        relying_party: name.to_owned(),
                        policy: policy.clone(),
                    })?;
                let slice = Slice::new(name, rules, compiled);
                let slice = slice.map_err(|message| BuildError::RelyingParty {
                    relying_party: name.to_owned(),
                    message,
                })?;
                slices.insert(policy.clone(), slice);
            }
            let purposes = rules.purposes.clone();
            parties.insert(name.to_owned(), Party { purposes, slices });
        }
        Ok(Self {
            judge: Judge::new().map_err(BuildError::Engine)?,
            policies: compiled
                .into_iter()
                .map(|(name, policy)| (name, policy.digest()))
                .collect(),
            parties,
        })
    }

    /// Whether the question may be asked, before any evidence is looked at.
    ///
    /// # Errors
    /// `policy_unknown`, `policy_not_registered`, `purpose_not_registered` or `over_asking`.
    pub fn admit(&self, question: &Question<'_>) -> Result<(), Refusal> {
        let Question {
            policy, purpose, ..
        } = question;
        if !self.policies.contains_key(*policy) {
            return Err(refusal(
                codes::UNKNOWN.code,
                "there is no policy of this name",
            ));
        }
        let party = self.parties.get(question.relying_party);
        let registered = party.and_then(|party| Some((party, party.slices.get(*policy)?)));
        let Some((party, slice)) = registered else {
            let detail = "the relying party is not registered for this policy";
            return Err(refusal(codes::NOT_REGISTERED.code, detail));
        };
        let lists = |purposes: &[String]| purposes.iter().any(|known| known == purpose);
        if !lists(&slice.plan.purposes) || !lists(&party.purposes) {
            let detail = "the purpose is not among those of the policy and the relying party";
            return Err(refusal(codes::PURPOSE_NOT_REGISTERED.code, detail));
        }
        let requested = question.requested_disclosure.unwrap_or_default();
        let allowed = |claim: &&ClaimRef| {
            slice.plan.disclose.contains(claim) && slice.obligations.allows(claim)
        };
        match requested.iter().find(|claim| !allowed(claim)) {
            Some(claim) => {
                let detail = format!("an answer to this relying party may not carry '{claim}'");
                Err(refusal(codes::OVER_ASKING.code, detail))
            }
            None => Ok(()),
        }
    }

    /// Decides a question. One that [`Engine::admit`] would refuse fails here as well.
    pub fn decide(&self, question: &Question<'_>, facts: &Facts) -> Decision {
        let party = self.parties.get(question.relying_party);
        match party.and_then(|party| party.slices.get(question.policy)) {
            Some(slice) => slice.decide(&self.judge, question, facts),
            None => Decision {
                verdict: Verdict::Fail,
                revision: self.policies.get(question.policy).copied(),
                clauses: vec![Clause {
                    path: crate::compile::RELYING_PARTY.to_owned(),
                    verdict: Verdict::Fail,
                    code: Some(codes::NOT_REGISTERED.code),
                    because: Some("the relying party is not registered for this policy".to_owned()),
                }],
                obligations: Obligations::default(),
                disclose: Vec::new(),
                errors: Vec::new(),
            },
        }
    }
}

impl Question<'_> {
    /// What leaves: what the policy discloses, the obligations allow, the question asks for, and
    /// the verified evidence holds.
    pub(crate) fn disclosed(
        &self,
        disclose: &[ClaimRef],
        obligations: &Obligations,
        facts: &Facts,
    ) -> Vec<ClaimRef> {
        let asked = |claim: &ClaimRef| {
            self.requested_disclosure
                .is_none_or(|requested| requested.contains(claim))
        };
        let known = |claim: &ClaimRef| match facts.of(claim.evidence()) {
            Fact::Verified { claims, .. } => claims.contains_key(claim.claim()),
            Fact::Missing | Fact::Indeterminate { .. } | Fact::Failed { .. } => false,
        };
        let leaves = |claim: &&ClaimRef| obligations.allows(claim) && asked(claim) && known(claim);
        disclose.iter().filter(leaves).cloned().collect()
    }
}

fn refusal(code: &'static str, detail: impl Into<String>) -> Refusal {
    Refusal {
        code,
        detail: detail.into(),
    }
}

fn listed(errors: &[impl Display]) -> String {
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}
