//! What an author of manifests meets: every fault named, with its place; what is right, built.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod building;
mod faults;
mod folder;
mod keys;
mod policies;
mod residency;
