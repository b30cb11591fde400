//! What the harness says while it works, on standard error; results go to standard output.

use std::fmt;
use std::time::Instant;

/// Says a line.
#[allow(clippy::print_stderr, reason = "this is where the harness talks")]
pub fn say(line: fmt::Arguments<'_>) {
    eprintln!("e2e-cluster: {line}");
}

/// Prints a line of a result.
#[allow(clippy::print_stdout, reason = "this is where results are printed")]
pub fn print(line: fmt::Arguments<'_>) {
    println!("{line}");
}

/// Says what was reached, and how long after the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Something was reached.
    pub fn reached(&self, what: fmt::Arguments<'_>) {
        let seconds = self.0.elapsed().as_secs_f64();
        say(format_args!("{seconds:5.1} s  {what}"));
    }
}
