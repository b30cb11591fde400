//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::names::ClusterName;
use crate::sources::checkout;

/// Kubernetes on this machine, without a container engine, for tests that need a real one.
#[derive(Debug, Parser)]
#[command(name = "e2e-cluster", arg_required_else_help = true)]
pub struct Arguments {
    /// The directory that everything lies under [default: target/e2e of the checkout]
    #[arg(long, global = true, env = "PAVILION_E2E_DIR", hide_env_values = true)]
    pub dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the tools that are missing
    Build {
        /// Tools that no cluster needs, and single tests do: contour, gateway-api, certmanager.
        also: Vec<String>,
    },
    /// Bring a cluster up; print the path of its kubeconfig
    ///
    /// A cluster that is up already is left as it is. One that is not whole, because a process of it or an `up` was
    /// killed, is taken down and made anew.
    Up {
        /// The cluster.
        #[arg(long, default_value = "c1")]
        name: ClusterName,
        /// How many nodes it has at least.
        #[arg(long, default_value_t = 1)]
        nodes: u8,
    },
    /// Take a cluster down, or everything of the directory
    Down {
        /// The cluster; without it, everything, also what a crash left behind.
        #[arg(long)]
        name: Option<ClusterName>,
    },
    /// Show what is up and how much memory it has
    Status,
    /// Show the ends of the logs of a cluster
    Logs {
        /// One program, like `kubelet`; without it, all.
        program: Option<String>,
        /// The cluster.
        #[arg(long, default_value = "c1")]
        name: ClusterName,
        /// How many lines of each.
        #[arg(long, default_value_t = 20)]
        lines: usize,
    },
    /// Write the image of a program that tests run in pods, built if it is missing; print its path
    Image {
        /// The program: pause, coredns or probe.
        program: String,
    },
    /// Give every node of a cluster a container image
    Load {
        /// Docker or OCI archives.
        #[arg(required = true)]
        archives: Vec<PathBuf>,
        /// The cluster.
        #[arg(long, default_value = "c1")]
        name: ClusterName,
    },
}

impl Arguments {
    /// The directory, given or not.
    pub fn directory(&self) -> PathBuf {
        let given = self.dir.clone();
        given.unwrap_or_else(|| checkout().join("target/e2e"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_name_that_no_cluster_can_have_is_refused_with_the_rule() {
        let error = Arguments::try_parse_from(["e2e-cluster", "up", "--name", "A"]).unwrap_err();
        assert!(error.to_string().contains("lower-case"), "{error}");
    }
}
