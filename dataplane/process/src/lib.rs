//! What every program of the data plane does as a process.
//!
//! [`run`] is a program's whole frame: it reads one configuration file strictly, writes JSON log
//! lines, sends traces where `--otlp` says, serves `/livez /readyz /metrics /status` on its health
//! socket, drains on the first signal and ends at once on the second, and leaves with an exit code
//! that a supervisor can act on ([`Exit`]). Beside it live the things several programs need to do
//! in the same way: listen on a unix socket ([`socket`]) or over mutual TLS ([`mutual_tls`]) or both
//! ([`entrance`]) and serve HTTP there ([`serve()`]), follow a document that is replaced by rename
//! ([`watch`]), leave files that outlast a power cut ([`durable`]), and end when a thread they need
//! has ([`Fault`]).

mod arguments;
mod config;
pub mod crypto;
pub mod durable;
pub mod entrance;
mod exit;
mod fault;
pub mod files;
pub mod health;
mod health_server;
mod log;
mod metrics;
pub mod mutual_tls;
pub mod pem;
mod run;
mod serve;
mod shutdown;
pub mod socket;
pub mod standard_error;
pub mod stream;
pub mod traces;
pub mod watch;

pub use config::{Listen, LogLevel, ProcessConfig, ProgramConfig, read_config};
pub use exit::Exit;
pub use fault::Fault;
pub use health::{Check, Health};
pub use health_server::HealthServer;
pub use metrics::Metrics;
pub use run::{Context, Identity, run};
pub use serve::serve;
pub use shutdown::{Shutdown, Signals};
pub use watch::watch_document;

/// The commit this was built from; "unknown" when built outside git.
pub const COMMIT: &str = env!("PAVILION_COMMIT");
