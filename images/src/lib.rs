//! Container images of the broker's programs, made without a container engine.
//!
//! The promises: the same bytes from the same binaries; nothing in an image but its program, what that program
//! cannot run without, their licences and the list of what they are made of; a user that is not root; a size that
//! is kept.

mod archive;
mod arguments;
mod checkout;
mod command;
mod compile;
mod contents;
mod crates;
mod debian;
mod elf;
mod files;
mod image;
mod labels;
mod layer;
mod layout;
mod libraries;
mod links;
mod program;
mod report;
mod roots;
mod sbom;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

pub use crate::arguments::Arguments;
pub use crate::contents::{Contents, USER};
pub use crate::crates::Crates;
pub use crate::debian::Debian;
pub use crate::files::Files;
pub use crate::image::Image;
pub use crate::labels::Labels;
pub use crate::layout::write as write_layout;
pub use crate::program::{ALL, Linking, Program, REGISTRY, VERSION, named};

/// Does what the command line says.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let programs = arguments.programs()?;
    let checkout = checkout::folder();
    let labels = Labels::of_this_build(&checkout)?;
    let binaries = match &arguments.from {
        Some(folder) => compile::taken(folder, &programs),
        None => compile::build(&checkout, &programs, &labels)?,
    };
    let crates = Crates::of(&checkout)?;
    let debian = Debian::here()?;
    let mut made = Vec::new();
    for program in &programs {
        let contents = contents(program, &binaries, &crates, &debian)?;
        if let Some(folder) = &arguments.files {
            contents.files.write(&folder.join(program.name))?;
        } else {
            let image = Image::of(program, &contents, &labels)?;
            layout::write(&arguments.out, &image)?;
            made.push(image);
        }
    }
    if !made.is_empty() {
        report::table(&made);
    }
    Ok(())
}

fn contents(
    program: &Program,
    binaries: &BTreeMap<&str, PathBuf>,
    crates: &Crates,
    debian: &Debian,
) -> Result<Contents> {
    let binary = binaries
        .get(program.name)
        .with_context(|| format!("{} was not built", program.name))?;
    Contents::of(program, binary, crates, debian)
        .with_context(|| format!("the image of {} cannot be made", program.name))
}
