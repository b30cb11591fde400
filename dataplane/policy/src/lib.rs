//! What may be asked, decided.
//!
//! A [`Policy`] names evidence (credentials and the claims looked at) and a [`Rule`] over it.
//! [`check`] compiles it to Cedar: one `forbid … unless` per clause, so that a refusal names every
//! clause that broke, and one `permit`. [`Engine`] holds one small Cedar policy set per relying
//! party and policy it may ask, and [`Engine::decide`] evaluates exactly that one.
//!
//! What this crate promises:
//! - A verdict is [`Verdict::Pass`] only if Cedar allowed and reported no error at all.
//! - Evidence whose state could not be established makes a condition unknown, never true.
//! - Evidence or claims that are not there, or are of another type, satisfy no condition and no
//!   negation of one: absence proves nothing.
//! - No error, sentence or code holds a claim's value; sentences are made of the policy's words.

mod cedar;
mod check;
mod claim_ref;
mod compile;
mod context;
mod digest;
mod domain;
mod duration;
mod engine;
mod explain;
mod facts;
mod feasible;
mod formula;
mod literal;
mod model;
mod obligations;
mod rule;
mod select;
mod slice;
mod slot;
mod words;

pub use check::{CompileError, check};
pub use claim_ref::{ClaimRef, ClaimRefError};
pub use compile::Compiled;
pub use digest::{engine_version, revision_digest};
pub use duration::{DurationError, GoDuration};
pub use engine::{BuildError, Clause, Decision, Engine, Question, Refusal, RpRules, Verdict};
pub use facts::{Assurance, Fact, Facts};
pub use literal::{Bound, Date, DateError, TimeOfDay, TimeOfDayError, Value};
pub use model::{Claim, Evidence, EvidenceWithRequest, Format, PathElement, Policy};
pub use obligations::Obligations;
pub use rule::{AgeBounds, Leaf, OneOf, Rule, Test, TimeWindow};
