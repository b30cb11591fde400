//! The plugin against a real API server: the one that KUBECONFIG names. Objects have the statuses that the tests
//! give them; no operator is needed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/command.rs"]
#[allow(dead_code)]
mod command;

mod checks;
mod reasons;
mod rights;
mod stage;
mod statuses;
