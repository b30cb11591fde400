//! This host under the operator: real processes, real files, and health sockets that the test
//! answers for the programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod configurations;
mod hosting;
mod stage;
mod statuses;
mod supervision;
