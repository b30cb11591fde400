//! The probe: tries what must be refused, again and again, and tells how that went.
//!
//! It runs in two places. In a tenant's pod it tries to get out, and to see what is the other programs' own
//! ([`confinement`]); in a pod that nobody confines it tries to get in to tenants, and shows that what a tenant did
//! not reach can be reached at all. It decides nothing: whoever asks ([`wire`], served by [`http`]) says which
//! addresses are to be tried, and judges. What is asked for is tried at once ([`knock`]) and then for as long as
//! somebody goes on asking ([`book`]).
//!
//! A connection is opened and closed; nothing is ever sent.

pub mod book;
pub mod config;
pub mod confinement;
pub mod http;
pub mod knock;
mod metrics;
pub mod program;
pub mod wire;

pub use config::Config;
pub use wire::{Expected, Outcome, Own, OwnKind, Question, Told, Tried};
