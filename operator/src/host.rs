//! Apply, on one host: child processes, unix sockets and state under one directory.
//!
//! The operator owns the state directory by a lock. It supervises one router and, for each tenant,
//! a signer, an auditor and a verifier. A change restarts only what it touches; a new bundle or
//! route table restarts nothing.

mod backoff;
mod certificates;
mod child;
mod configs;
mod health_client;
mod ledger;
mod process;
mod programs;
mod relay;
mod routes;
mod state_dir;
mod supervisor;
mod tenant;

pub use child::{Child, ChildSpec, ChildState, Gate, Phase, Surroundings};
pub use configs::Platform;
pub(crate) use configs::{FEW_WORKER_THREADS, MAX_BODY_BYTES, WORKER_THREADS, token_label};
pub use health_client::{Report, ReportedCheck, ReportedRefusal, ReportedServed, ask_at};
pub use ledger::Ledger;
pub use programs::{ChildId, Program, Programs, find_module};
pub use state_dir::StateDir;
pub use supervisor::{ApplyError, Host, Observed, ObservedTenant};
