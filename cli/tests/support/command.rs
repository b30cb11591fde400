//! The built program, run as a person runs it.

use assert_cmd::Command;

/// What a run left behind.
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// stdout.
    pub out: String,
    /// stderr.
    pub err: String,
}

/// Runs `kubectl-pavilion` with these arguments.
pub fn pavilion<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    let mut command = Command::cargo_bin("kubectl-pavilion").unwrap();
    finished(command.args(args))
}

/// Runs a command to its end.
pub fn finished(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
