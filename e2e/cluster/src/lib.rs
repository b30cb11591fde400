//! Kubernetes clusters on this machine, without a container engine: API server, etcd, kubelet, containers and
//! enforced network policy, all real.
//!
//! [`Cluster::up`] brings one up, [`down`] takes it down; the program `e2e-cluster` does the same from a shell.
//! Everything lies under one [`Directory`], and what happens on the machine outside of it (processes, cgroups,
//! interfaces) is told by marks and names that carry the directory, so that two checkouts do not meet and a crash is
//! cleaned up without records.

mod api_server;
mod arguments;
mod audit;
mod bring_up;
mod certificates;
mod cgroups;
mod cilium;
#[cfg(feature = "cluster")]
mod client;
mod cluster;
mod command;
mod containerd;
mod controllers;
mod coredns;
mod credentials;
mod directory;
mod etcd;
mod images;
mod kube_proxy;
mod kubeconfig;
mod kubectl;
mod kubelet;
mod logs;
mod machine;
mod names;
mod namespaces;
mod network;
mod node;
mod owned;
mod patience;
mod plan;
mod probe;
mod process;
mod report;
mod scope;
mod sources;
mod status;
mod storage;
mod take_down;
mod tools;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

pub use audit::{AuditLog, Write};
pub use cluster::{Cluster, build, build_also, down, image, tool};
pub use directory::Directory;
pub use images::reference;
pub use names::{ClusterName, NodeNumber};
pub use node::{MARK, Node};
pub use patience::{PATIENCE, wait_until};
pub use plan::Plan;
pub use probe::Seen;
pub use process::{Record, recorded};
pub use sources::checkout;
pub use tools::Tools;

use arguments::{Arguments, Command};
use report::{print, say};

/// Runs the program `e2e-cluster`.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let directory = Directory::open(&arguments.directory())?;
    match &arguments.command {
        Command::Build { also } => {
            build(&directory)?;
            also.iter()
                .try_for_each(|tool| build_also(&directory, tool).map(drop))
        }
        Command::Up { name, nodes } => {
            let cluster = Cluster::up(&directory, name, *nodes)?;
            print(format_args!("{}", cluster.kubeconfig().display()));
            Ok(())
        }
        Command::Down { name } => down(&directory, name.as_ref()),
        Command::Status => {
            print(format_args!("{}", status::table(&directory)));
            Ok(())
        }
        Command::Logs {
            program,
            name,
            lines,
        } => {
            let cluster = Cluster::find(&directory, name)?;
            let text = logs::text(&directory, cluster.plan(), program.as_deref(), *lines)?;
            print(format_args!("{text}"));
            Ok(())
        }
        Command::Image { program } => {
            print(format_args!("{}", image(&directory, program)?.display()));
            Ok(())
        }
        Command::Load { archives, name } => {
            let cluster = Cluster::find(&directory, name)?;
            archives
                .iter()
                .try_for_each(|archive| cluster.load(archive))
        }
    }
}
