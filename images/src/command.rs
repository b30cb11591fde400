//! Other programs, run to their end.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// What it printed, or what it said when it failed.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| unrunnable(command))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{} ended with {}: {}",
            line(command),
            output.status,
            said.trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} printed no text", line(command)))
}

/// Runs it where its output can be seen.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| unrunnable(command))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

fn unrunnable(command: &Command) -> String {
    let program = command.get_program().display();
    format!("{program} cannot be run: `make packages` installs what is needed")
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_error_tells_the_command_and_what_it_said() {
        let mut failing = Command::new("sh");
        let error = output(failing.args(["-c", "echo no disk >&2; exit 3"])).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("`sh -c") && error.contains("exit status: 3: no disk"),
            "{error}"
        );
        assert_eq!(output(Command::new("echo").arg("here")).unwrap(), "here\n");
    }

    #[test]
    fn a_program_that_is_not_there_names_the_way_to_get_it() {
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("make packages"), "{error}");
    }
}
