//! A whole broker on this machine for tests and benchmarks, with every part real.
//!
//! [`Broker`] runs `pavilion-operator standalone` on a folder of manifests; [`RelyingParty`] asks over
//! HTTPS; [`Wallet`] holds credentials of a test issuer; [`World`] is one of each; [`judges`] are
//! implementations that are not ours. Everything a test starts ends with it.

// A harness says what went wrong by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::missing_panics_doc)]

pub mod broker;
pub mod judges;
pub mod load;
pub mod manifests;
pub mod outsider;
pub mod relying_party;
pub mod status_lists;
pub mod wallet;
pub mod world;

pub use broker::Broker;
pub use manifests::Manifests;
pub use relying_party::RelyingParty;
pub use wallet::Wallet;
pub use world::World;

use std::path::PathBuf;

/// The checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("e2e lies in the checkout")
        .to_owned()
}

/// The folder of this build's programs: the one this very program was built into.
pub fn programs() -> PathBuf {
    let here = std::env::current_exe().expect("a running program has a path");
    let folder = here
        .ancestors()
        .find(|folder| folder.join("pavilion-operator").is_file());
    folder
        .expect("build the programs first: cargo build --workspace --bins")
        .to_owned()
}

/// One of this build's programs.
pub fn program(name: &str) -> PathBuf {
    programs().join(name)
}
