//! `/v1/verifications`: asking, sending evidence, reading back, calling off.
//!
//! A relying party sees its own verifications only; anybody else's look like ones that do not
//! exist. A verification that was asked without evidence is on disk before its id leaves. One that
//! comes with its evidence is written once, when it is answered: if it is refused, or something
//! needed is away, nothing of it was kept and the same request can be sent again.
//!
//! A nonce counts once in a tenant, whoever chose it. That, and that a verification ends with its
//! first answer, is what makes a presentation answer for one verification only.

mod cancel;
mod create;
mod evidence;
mod idempotency;
pub(crate) mod model;
mod open;
mod owned;
mod presentations;
mod read;

pub(crate) use cancel::{__path_cancel, cancel};
pub(crate) use create::{__path_create, check as check_question, create};
pub(crate) use evidence::{__path_submit, submit};
pub use open::OpenVerifications;
pub(crate) use owned::{Owned, PathId};
pub(crate) use presentations::check as check_presentations;
pub(crate) use read::{__path_read, read};
