//! The rules of the kinds, as an author of manifests meets them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod every;
mod objects;
mod plan;
mod policy;
mod region;
mod relying_party;
mod tenant;
mod trust_anchor;
