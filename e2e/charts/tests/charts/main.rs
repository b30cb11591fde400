//! The charts with Helm 3 and Helm 4, and in the cluster that KUBECONFIG names.
//!
//! There is one Pavilion in a cluster, so the tests that install it run one after the other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod admission;
mod benchmark;
mod callers;
mod certificates;
mod definitions;
mod drift;
mod gateway;
mod guide;
mod hardening;
mod lifecycle;
mod manifests;
mod namespaces;
mod network;
mod objects;
mod operator;
mod pods;
mod probes;
mod rendering;
mod rights;
mod stage;
mod traffic;
