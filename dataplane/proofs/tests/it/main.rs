//! What a verifier relies on, shown with real keys, real certificates and real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod anchors;
mod certificates;
mod conformance;
mod disclosures;
mod foreign;
mod limits;
mod properties;
mod status_kept;
mod status_lists;
mod status_network;
mod wallet;
mod world;
