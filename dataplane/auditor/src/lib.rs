//! The auditor: the only program that writes a tenant's transparency log.
//!
//! [`engine`] is the log itself and knows no network. Around it stand [`service`], which the
//! verifier calls (gRPC on a unix socket), [`http`], which shows checkpoint and tiles to everyone,
//! and [`signer`], which has checkpoints signed by the tenant's token.

pub mod config;
pub mod engine;
pub mod http;
mod metrics;
pub mod program;
pub mod service;
pub mod signer;

pub use config::{Config, Limits};
pub use metrics::LogMetrics;
