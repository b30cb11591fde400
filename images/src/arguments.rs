//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

use crate::program::{ALL, Program, named};

/// Container images of the broker's programs, without a container engine.
#[derive(Debug, Parser)]
#[command(name = "pavilion-images")]
pub struct Arguments {
    /// Where images go: a layout <PROGRAM>/ and an archive <PROGRAM>.tar of each
    #[arg(long, default_value = "target/images")]
    pub out: PathBuf,
    /// Take the built programs from this folder instead of building them
    #[arg(long)]
    pub from: Option<PathBuf>,
    /// Write what is in each image to this folder, and no image: for a Containerfile
    #[arg(long)]
    pub files: Option<PathBuf>,
    /// Programs to make images of [default: all]
    #[arg(value_name = "PROGRAM")]
    pub names: Vec<String>,
}

impl Arguments {
    /// The programs, each once, in the order of the table.
    pub fn programs(&self) -> Result<Vec<&'static Program>> {
        for name in &self.names {
            named(name).with_context(|| {
                let names: Vec<&str> = ALL.iter().map(|program| program.name).collect();
                format!(
                    "there is no program {name}: name one of {}",
                    names.join(", ")
                )
            })?;
        }
        let wanted = |program: &&Program| {
            self.names.is_empty() || self.names.iter().any(|name| name == program.name)
        };
        Ok(ALL.iter().filter(wanted).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory;

    use super::*;

    fn programs(arguments: &[&str]) -> Result<Vec<&'static str>> {
        let arguments = Arguments::try_parse_from([&["pavilion-images"], arguments].concat())?;
        let programs = arguments.programs()?;
        Ok(programs.iter().map(|program| program.name).collect())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_name_all_are_made_and_a_wrong_name_is_told_the_right_ones() {
        assert_eq!(programs(&[]).unwrap().len(), ALL.len());
        assert_eq!(
            programs(&["signer", "router", "signer"]).unwrap(),
            ["router", "signer"]
        );
        let error = programs(&["privacy"]).unwrap_err().to_string();
        assert!(error.contains("operator, router"), "{error}");
    }
}
