//! The answer of a verification, what of it is signed and logged, and how an outsider checks it.
//!
//! The order is the one of `docs/src/internals/contracts.md`:
//!
//! 1. build an [`Answer`] without evidence;
//! 2. [`Answer::commit`] makes the content-free [`Leaf`] with a fresh [`Salt`]; its bytes go to the log;
//! 3. [`Answer::with_evidence`] adds where the log put it;
//! 4. [`Unsigned`] holds the compact JWS that an external signer signs ([`jwt`](Unsigned::jwt));
//! 5. [`verify()`] takes what a relying party holds and judges each link of that chain.
//!
//! Nothing here opens a file, a socket or a clock.

mod answer;
mod commitment;
mod error;
mod leaf;
mod projection;
pub mod verify;

pub use answer::{Answer, Check, CheckKind, Evidence, PolicyReference, Retention, Verdict};
pub use commitment::{Commitment, SALT_BYTES, Salt, commit};
pub use error::ResultError;
pub use leaf::{LEAF_TYPE, LEAF_VERSION, Leaf};
pub use projection::{JWT_TYPE, Projection, Unsigned, json};
pub use verify::{Expected, Finding, Inputs, Outcome, Report, verify};
