//! The plugin `kubectl-pavilion`. It works alone (`kubectl-pavilion ask …`) and under kubectl
//! (`kubectl pavilion ask …`).
//!
//! Results go to stdout, talk goes to stderr, and every way to end has its number ([`Exit`]).

pub mod args;
mod ask;
mod check;
mod cluster;
mod completion;
mod console;
mod dev;
mod exit;
mod explain;
mod file;
mod objects;
mod reference;
mod render;
mod rotate;
mod status;
mod trial;
mod verify;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use console::Console;
pub use exit::{Exit, Failure};
pub use reference::page as reference_page;

use args::{Cli, Command};

/// Runs the command line and says how it went.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut console = Console::terminal();
    let exit = match Cli::try_parse_from(args) {
        Ok(cli) => run(&cli, &mut console).unwrap_or_else(|failure| console.failure(&failure)),
        Err(error) => {
            // clap sends help and version to stdout, complaints to stderr.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            match error.print() {
                Ok(()) => exit,
                Err(_) => Exit::File,
            }
        }
    };
    exit.into()
}

/// Runs one parsed command.
///
/// # Errors
/// [`Failure`] says what went wrong, what to do, and which number to end with.
pub fn run(cli: &Cli, console: &mut Console) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Ask(args) => ask::run(args, console),
        Command::Verify(args) => verify::run(args, console),
        Command::Status(args) => status::run(args, console),
        Command::Why(args) => why::run(args, console),
        Command::Check(args) => check::run(args, console),
        Command::Try(args) => trial::run(args, console),
        Command::Rotate(args) => rotate::run(args, console),
        Command::Explain(args) => explain::run(args, console),
        Command::Dev(args) => dev::run(&args.command, console),
        Command::Completion(args) => completion::run(args, console),
    }
}
