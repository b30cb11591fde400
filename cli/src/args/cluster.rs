//! Where objects are looked for: in a cluster, or in the state directory of a host.

use std::path::PathBuf;

use clap::Args;

use crate::render::Format;

/// Which cluster, and as whom.
#[derive(Debug, Default, Args)]
pub struct ClusterArgs {
    /// The kubeconfig [default: what KUBECONFIG names, else ~/.kube/config, else the pod's service account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace of the operator [default: the one it is found in]
    #[arg(long, value_name = "NAME")]
    pub operator_namespace: Option<String>,
}

/// A cluster, or one host.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// The state directory of a host, to look there and not in a cluster
    #[arg(long, value_name = "DIR", conflicts_with_all = ["kubeconfig", "context", "operator_namespace"])]
    pub state: Option<PathBuf>,
    /// The cluster
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// One tenant only
    pub tenant: Option<String>,
    /// Where to look
    #[command(flatten)]
    pub source: SourceArgs,
    /// The form of the result
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The tenant
    pub tenant: String,
    /// Where to look
    #[command(flatten)]
    pub source: SourceArgs,
    /// The form of the result
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The cluster
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The form of the result
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}
