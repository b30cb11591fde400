//! The relying-party API of one tenant.
//!
//! A relying party asks a question of a policy; evidence comes with the question or later; it is
//! verified, the policy decides, and a small answer goes back, signed by the tenant's signer and
//! with a receipt of the tenant's log. This program holds no keys; its only disk is the short-lived
//! state in [`store`]. Nothing about a subject is in its logs, metrics, URLs or problems.

// The set-up of the API's tests, which a test inside uses too, names the crate as outsiders do.
#[cfg(test)]
extern crate self as pavilion_verifier;

mod answers;
pub mod app;
mod body;
pub mod clock;
pub mod config;
mod entity_tag;
pub mod evaluate;
#[doc(hidden)]
pub mod fuzzing;
mod horizon;
mod keys;
mod leftover;
pub mod metrics;
pub mod oauth;
pub mod openapi;
pub mod peers;
pub mod pool;
pub mod problems;
pub mod program;
mod request_id;
pub mod reservations;
pub mod serve;
pub mod state;
pub mod store;
pub mod tenant;
mod verifications;
mod well_known;

pub use config::Config;
