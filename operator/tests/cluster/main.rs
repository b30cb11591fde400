//! `pavilion-operator run` against a real API server: the one that KUBECONFIG names.
//!
//! Each test has a namespace for the operator and tenants of its own, and they run one after the
//! other, because two operators of one cluster would look after the same tenants.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authorities;
mod between;
mod confinement;
mod drift;
mod faults;
mod newcomers;
mod picture;
mod plans;
mod refusals;
mod regions;
mod replicas;
mod rest;
mod rounds;
mod routes;
mod stage;
