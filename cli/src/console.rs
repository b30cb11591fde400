//! The two streams: results to stdout, talk to stderr. Colour only on a terminal, and never alone.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::{Exit, Failure};
use crate::render::printable;

/// Green: it holds.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Red: it does not.
pub const BAD: Style = AnsiColor::Red.on_default();
/// Yellow: nobody can tell.
pub const UNSURE: Style = AnsiColor::Yellow.on_default();
/// Headings.
pub const BOLD: Style = Style::new().bold();
/// What may be skipped.
pub const DIM: Style = Style::new().dimmed();

/// Where a command writes.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
}

impl Console {
    /// The process's own streams; styles are stripped off a terminal and by `NO_COLOR`.
    pub fn terminal() -> Self {
        Self {
            out: Box::new(anstream::stdout()),
            err: Box::new(anstream::stderr()),
        }
    }

    /// Writes a result; a line break is added where the text has none at its end.
    pub fn result(&mut self, text: &str) -> Result<(), Failure> {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        match write!(self.out, "{text}{end}").and_then(|()| self.out.flush()) {
            // Whoever read us has seen enough (`| head`).
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::file(format!("cannot write to stdout: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Says something to the person. A stderr that is gone is no reason to stop.
    pub fn say(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }

    /// Says what to do next.
    pub fn next(&mut self, text: &str) {
        self.say(&format!("{DIM}next:{DIM:#} {text}"));
    }

    /// Tells why it did not work, and hands back the number to end with.
    pub fn failure(&mut self, failure: &Failure) -> Exit {
        self.say(&format!(
            "{BAD}error:{BAD:#} {}",
            printable(&failure.message)
        ));
        for (label, text) in &failure.notes {
            self.say(&format!("  {DIM}{label}:{DIM:#} {}", printable(text)));
        }
        failure.exit
    }
}

/// A sign on stderr that something is awaited; nothing at all off a terminal.
pub struct Waiting(ProgressBar);

impl Waiting {
    /// Shows what is awaited until it is dropped.
    pub fn on(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::default_spinner());
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Shows what is awaited now.
    pub fn now(&self, what: &'static str) {
        self.0.set_message(what);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
