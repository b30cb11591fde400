//! `dev`: keys, credentials and presentations for trying things out.

mod issue;
mod key;
mod present;

pub use key::published;

use crate::args::DevCommand;
use crate::console::Console;
use crate::exit::{Exit, Failure};

/// Makes what was asked for.
pub fn run(command: &DevCommand, console: &mut Console) -> Result<Exit, Failure> {
    match command {
        DevCommand::Key(args) => key::run(args, console),
        DevCommand::Issue(args) => issue::run(args, console),
        DevCommand::Present(args) => present::run(args, console),
    }
}
