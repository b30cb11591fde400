//! The command line. The page `docs/src/reference/cli.md` is generated from these types.

mod ask;
mod cluster;
mod dev;
mod trial;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use ask::{AskArgs, AskFormat, ClientArgs, NamedFile};
pub use cluster::{CheckArgs, ClusterArgs, SourceArgs, StatusArgs, WhyArgs};
pub use dev::{DevArgs, DevCommand, IssueArgs, KeyArgs, PresentArgs, StatusReference};
pub use trial::TryArgs;
pub use verify::{PolicySource, VerifyArgs};

use crate::render::Format;

/// Ask a Pavilion broker, check its answers, see how it is.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-pavilion",
    version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("PAVILION_COMMIT"), ")"),
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done/pass, 1 fail or a check does not hold, 2 usage, 3 indeterminate, \
                  4 refused, 5 broker or API server away or no operator runs, 6 file."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask a question and print the answer
    ///
    /// With presentations the whole verification is one step; they must be bound to the nonce given by
    /// --nonce. Without, the verification is opened and its id, nonce and audience are printed: present to
    /// those, then finish with --continue.
    Ask(AskArgs),
    /// Check an answer offline: signature, request, policy, log
    ///
    /// Reads the files that `ask --out` wrote, from a folder or one by one, and judges every link of the
    /// chain without a network.
    Verify(VerifyArgs),
    /// Show tenants and why they are not ready
    ///
    /// Reads the cluster of the kubeconfig, or with --state the state directory of a host. The exit code is 0 also
    /// where a tenant is not ready, and 5 where no operator runs, because then nobody knows.
    Status(StatusArgs),
    /// Say why a tenant is not Ready
    ///
    /// From the tenant down to the object and the field that cause it, what serves instead, and what to do next. It
    /// says what the conditions of the tenant's objects and its programs say, and guesses at nothing. The exit code
    /// is 0 for a tenant that is Ready and 1 for one that is not.
    Why(WhyArgs),
    /// Tell whether a cluster is fit for Pavilion and the installation whole
    ///
    /// Changes nothing. A line that cannot be judged from here is a warning and says so; the exit code is 1 where a
    /// line failed.
    Check(CheckArgs),
    /// Try an installation out: a tenant of its own is made, asked through the edge, and removed
    ///
    /// It issues a credential, asks as a relying party, checks the answer offline, and sees that a changed receipt,
    /// a presentation that was used before and a holder who is too young come to nothing. `helm test pavilion` runs
    /// it in the cluster. What an earlier trial left behind is removed first. The exit code is 1 where a step failed.
    Try(TryArgs),
    /// Replace the key that signs a tenant's answers
    ///
    /// The new key signs within 30 seconds; the old one stays in the published set for spec.signing.overlap,
    /// so that answers signed with it can be checked as long as they are valid. Run it as the user that the operator
    /// runs as.
    Rotate(RotateArgs),
    /// Say what a code means and what to do about it
    ///
    /// For the reason of a condition that wants something done the runbook follows: the page of the book, which is in the
    /// program. Nobody is asked.
    Explain(ExplainArgs),
    /// Make keys, credentials and presentations for trying things out
    Dev(DevArgs),
    /// Print a completion script
    Completion(CompletionArgs),
}

/// Arguments of `rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The tenant
    pub tenant: String,
    /// The state directory of the host
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// The form of the result
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The code, as in a problem, a check or a condition's reason; without one, every code is listed
    pub code: Option<String>,
    /// The form of the result
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    pub shell: Shell,
}
