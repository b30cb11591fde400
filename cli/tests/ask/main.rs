//! `ask` over TLS: what it sends, what it prints, what it keeps, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
#[path = "../support/broker.rs"]
mod broker;
#[path = "../support/chain.rs"]
mod chain;
#[path = "../support/command.rs"]
mod command;
mod refusals;
mod steps;
mod world;
