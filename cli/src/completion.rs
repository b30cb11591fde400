//! Completion scripts for shells.

use clap::CommandFactory;

use crate::args::{Cli, CompletionArgs};
use crate::console::Console;
use crate::exit::{Exit, Failure};

/// Prints the script of one shell.
pub fn run(args: &CompletionArgs, console: &mut Console) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut Cli::command(),
        "kubectl-pavilion",
        &mut script,
    );
    console.result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
