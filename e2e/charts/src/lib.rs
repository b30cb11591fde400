//! The charts as those see them who install them: by Helm 3 and by Helm 4.

pub mod cert_manager;
pub mod gateway;
mod helm;
pub mod page;
mod rendered;
mod values;

pub use helm::{Helm, Outcome};
pub use rendered::{find, name, objects, pod_templates};
pub use values::{Difference, compare};

use std::path::PathBuf;

use anyhow::Result;
use pavilion_e2e_cluster::{Directory, Tools, build_also, checkout};

/// The namespace that the documentation installs into.
pub const NAMESPACE: &str = "pavilion-system";
/// The release of operator and edge.
pub const RELEASE: &str = "pavilion";
/// The release of the custom resources.
pub const CRDS_RELEASE: &str = "pavilion-crds";

/// The folder of a chart.
pub fn chart(name: &str) -> PathBuf {
    checkout().join("charts").join(name)
}

/// A tool that the cluster harness built.
///
/// # Errors
/// One that is not there.
pub fn tool(name: &str) -> Result<PathBuf> {
    Tools::of(&harness()?).program(name)
}

/// A tool of a test's own, built if it is missing.
///
/// # Errors
/// One that cannot be built.
pub fn tools_with(name: &str) -> Result<Tools> {
    build_also(&harness()?, name)
}

fn harness() -> Result<Directory> {
    let named = std::env::var_os("PAVILION_E2E_DIR").map(PathBuf::from);
    let path = named.unwrap_or_else(|| checkout().join("target/e2e"));
    Directory::open(&path)
}
