//! Measured figures of a whole broker, each beside its limit in the same run.
//!
//! `make bench` runs this and the drivers of the parts; the tables of docs/src/performance.md come from
//! there.

#![allow(clippy::print_stdout)]

mod client;
mod cluster;
mod floor;
mod footprint;
mod machine;
mod operator;
mod usage;
mod verification;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Measures a broker started from the programs beside this one.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Everything below, one after the other.
    All,
    /// A whole verification, against the sum of its unavoidable parts.
    Verification {
        /// Seconds of load at saturation, and again at half of it.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Samples the programs' stacks into this file while they are saturated; needs perf.
        #[arg(long, value_name = "FILE")]
        perf: Option<PathBuf>,
    },
    /// An operator with many Tenants, against a bare client; needs root and the tools of `make e2e`.
    Operator {
        /// How many Tenants.
        #[arg(long, default_value_t = 1000)]
        tenants: usize,
    },
    /// Pavilion in a cluster, against a broker on the host; needs root, the tools of `make e2e` and the images.
    Cluster,
    /// Memory of idle tenants, and the time from start to ready.
    Footprint,
    /// Raw `C_Sign` calls with one session per thread; started by the other benches with a token.
    #[command(hide = true)]
    RawSign {
        /// The PKCS#11 module.
        module: String,
        /// Threads, each with a session of its own.
        threads: usize,
    },
}

fn main() -> anyhow::Result<()> {
    machine::keep_to_two_cores()?;
    match Arguments::parse().what {
        What::All => {
            machine::print();
            footprint::run()?;
            verification::run(10, None)
        }
        What::Verification { seconds, perf } => {
            machine::print();
            verification::run(seconds, perf.as_deref())
        }
        What::Footprint => {
            machine::print();
            footprint::run()
        }
        What::Operator { tenants } => {
            machine::print();
            operator::run(tenants)
        }
        What::Cluster => {
            machine::print();
            cluster::run()
        }
        What::RawSign { module, threads } => floor::raw_sign(&module, threads),
    }
}
