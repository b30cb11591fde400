//! From a Tenant that is applied to an answer at its ingress, in the cluster that KUBECONFIG names, with the charts and
//! images of this checkout.
//!
//! There is one Pavilion in a cluster, so the tests run one after the other, on the same installation.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod answers;
mod api_server;
mod changes;
mod command;
mod deletion;
mod faults;
mod gateway;
mod isolation;
mod killed;
mod node;
mod processes;
mod rest;
mod roots;
mod shop;
mod stage;
mod steady;
mod traffic;
mod trial;
mod tutorial;
mod upgrade;
