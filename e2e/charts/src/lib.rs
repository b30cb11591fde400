//! The charts as those see them who install them: by Helm 3 and by Helm 4.

pub mod cert_manager;
mod conditions;
pub mod gateway;
mod helm;
pub mod page;
mod rendered;
mod values;

pub use conditions::{condition, verdict};
pub use helm::{Helm, Outcome};
pub use rendered::{find, name, objects, pod_templates};
pub use values::{Difference, compare, default_values};

use std::path::PathBuf;

use anyhow::Result;
use pavilion_e2e_cluster::{Directory, Tools, build_also, checkout};

pub use pavilion_e2e_cluster::tool;

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

/// A tool of a test's own, built if it is missing.
///
/// # Errors
/// One that cannot be built.
pub fn tools_with(name: &str) -> Result<Tools> {
    build_also(&Directory::usual()?, name)
}
