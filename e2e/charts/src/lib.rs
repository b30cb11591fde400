//! The charts as those see them who install them: by Helm 3 and by Helm 4.

mod helm;
pub mod page;
mod rendered;
mod values;

pub use helm::{Helm, Outcome};
pub use rendered::{find, name, objects, pod_templates};
pub use values::{Difference, compare};

use std::path::PathBuf;

/// The namespace that the documentation installs into.
pub const NAMESPACE: &str = "pavilion-system";
/// The release of operator and edge.
pub const RELEASE: &str = "pavilion";
/// The release of the custom resources.
pub const CRDS_RELEASE: &str = "pavilion-crds";

/// The folder of a chart.
pub fn chart(name: &str) -> PathBuf {
    pavilion_e2e_cluster::checkout().join("charts").join(name)
}
