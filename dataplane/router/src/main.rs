//! `pavilion-router`: the shared edge.

use std::process::ExitCode;

use pavilion_process::{Identity, run};

const IDENTITY: Identity = Identity {
    name: "pavilion-router",
    version: env!("CARGO_PKG_VERSION"),
    about: "Takes HTTPS for all tenants and hands each request to its tenant.",
};

fn main() -> ExitCode {
    run(IDENTITY, pavilion_router::serve)
}
