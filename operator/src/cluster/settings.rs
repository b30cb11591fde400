//! What the operator was told about the cluster it runs in.

use crate::arguments::Run;

/// The part of the command line that objects are built from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's and the router's namespace.
    pub namespace: String,
    /// The region this cluster is.
    pub region: String,
    /// The port relying parties use.
    pub public_port: u16,
}

impl From<&Run> for Settings {
    fn from(options: &Run) -> Self {
        Self {
            namespace: options.namespace.clone(),
            region: options.region.clone(),
            public_port: options.public_port,
        }
    }
}
