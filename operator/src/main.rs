//! `pavilion-operator`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use pavilion_operator::{
    arguments::{Arguments, Command},
    cluster, standalone,
};
use pavilion_process::{Exit, standard_error};

fn main() -> ExitCode {
    let _finish = standard_error::FinishOnDrop;
    let outcome = match Arguments::parse().command {
        Command::Standalone(options) => standalone::run(&options),
        Command::Run(options) => cluster::run(&options),
        Command::Crds => print_definitions(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            standard_error::write(format!("pavilion-operator: {exit}\n").as_bytes());
            ExitCode::from(&exit)
        }
    }
}

fn print_definitions() -> Result<(), Exit> {
    let mut out = io::stdout().lock();
    for definition in pavilion_crds::all() {
        let yaml =
            pavilion_crds::yaml(&definition).map_err(|error| Exit::Bug(error.to_string()))?;
        match write!(out, "---\n{yaml}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Exit::CannotWrite(format!("standard output: {error}"))),
            Ok(()) => {}
        }
    }
    Ok(())
}
