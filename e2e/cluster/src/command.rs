//! The one room that runs other programs to their end: an error tells the command, how it ended and what it said.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// A program to run until it ends.
pub struct Run {
    command: Command,
    input: Vec<u8>,
}

impl Run {
    /// This program, without arguments yet.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            command: Command::new(program),
            input: Vec::new(),
        }
    }

    /// With one more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// With these arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// With this variable in its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// In this folder.
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// With this on its standard input.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it; what it printed when it succeeded.
    pub fn output(mut self) -> Result<String> {
        let output = self.run().with_context(|| {
            let program = self.command.get_program().display();
            format!("{program} cannot be run; `make e2e-packages` installs what the harness calls")
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        bail!(
            "`{}` ended with {}: {}",
            self.line(),
            output.status,
            said(&output)
        );
    }

    /// Runs it; whether it succeeded.
    pub fn succeeds(mut self) -> bool {
        self.run().is_ok_and(|output| output.status.success())
    }

    fn run(&mut self) -> std::io::Result<Output> {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A program that ends before it has read everything says why on its standard error.
            let _ = input.write_all(&self.input);
        }
        child.wait_with_output()
    }

    fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let words: Vec<OsString> = words.map(OsStr::to_owned).collect();
        words.join(OsStr::new(" ")).to_string_lossy().into_owned()
    }
}

fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let text = if stderr.trim().is_empty() {
        stdout
    } else {
        stderr
    };
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_a_program_reads_and_prints_passes_through() {
        assert_eq!(Run::new("cat").input("here").output().unwrap(), "here");
        assert!(Run::new("true").succeeds());
    }

    #[test]
    fn an_error_tells_the_command_the_exit_and_the_message() {
        let failing = Run::new("sh").args(["-c", "echo no bridge >&2; exit 3"]);
        let error = failing.output().unwrap_err().to_string();
        assert!(error.contains("`sh -c"), "{error}");
        assert!(error.contains("exit status: 3: no bridge"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_names_the_way_to_get_it() {
        let error = Run::new("no-such-program")
            .output()
            .unwrap_err()
            .to_string();
        assert!(error.contains("make e2e-packages"), "{error}");
    }
}
