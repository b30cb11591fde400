//! The signer of a tenant: the only program that talks to the PKCS#11 token.
//!
//! [`engine`] is everything about the token and knows nothing of gRPC: sessions, keys, rotation,
//! what a key may sign. [`callers`] says who may ask for what. [`service`] puts it on a unix socket,
//! [`program`] runs it as a process.
//!
//! Promises: a private key that the token can hold never leaves it; a key signs only messages of
//! its purpose's form, and for callers that may ask for them; a key that was ever published is
//! never lost by a crash of this program; a lost session or a restarted token is repaired without
//! losing a request that still has time.

pub mod callers;
pub mod config;
pub mod engine;
pub mod program;
pub mod service;

pub use config::Config;
pub use engine::Engine;
