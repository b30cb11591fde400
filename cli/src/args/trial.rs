//! Arguments of `try`.

use std::net::SocketAddr;

use clap::Args;

use super::ClusterArgs;
use crate::render::Format;

/// Arguments of `try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The region that this cluster is
    #[arg(long, value_name = "NAME")]
    pub region: String,
    /// The name of the tenant that is made for it
    #[arg(long, value_name = "NAME", default_value = "trial")]
    pub tenant: String,
    /// Where the edge is [default: the address of its Service, which pods of the cluster reach]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub connect: Option<SocketAddr>,
    /// How long the tenant may take to be Ready, and to be gone
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// Leave the tenant there
    #[arg(long)]
    pub keep: bool,
    /// The cluster
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The form of the result
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}
