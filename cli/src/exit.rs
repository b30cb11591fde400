//! How a command ends: a number for programs, a sentence for people.

use std::process::ExitCode;

/// The exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; for `ask` the verdict is pass, for `verify` every check holds.
    Ok = 0,
    /// The verdict is fail, or a check does not hold; for `why` the tenant is not Ready.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The verdict is indeterminate: something needed could not be found out.
    Indeterminate = 3,
    /// The broker, or the API server, refused and said why.
    Refused = 4,
    /// The broker, or the API server, could not be reached or did not answer in time; for `status` and `why` no
    /// operator runs, or Pavilion is not installed.
    Away = 5,
    /// A file could not be read or written, or is not what it should be.
    File = 6,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Indeterminate,
        Self::Refused,
        Self::Away,
        Self::File,
    ];

    /// What the number means.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done; for `ask` the verdict is pass, for `verify` every check holds",
            Self::Failed => {
                "the verdict is fail, or a check does not hold; for `why` the tenant is not Ready"
            }
            Self::Usage => "the command line is wrong",
            Self::Indeterminate => {
                "the verdict is indeterminate: something needed could not be found out"
            }
            Self::Refused => "the broker, or the API server, refused and said why",
            Self::Away => {
                "the broker, or the API server, could not be reached or did not answer in time; \
                 for `status` and `why` no operator runs, or Pavilion is not installed"
            }
            Self::File => "a file could not be read or written, or is not what it should be",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// The number to end with.
    pub exit: Exit,
    /// One sentence.
    pub message: String,
    /// Further lines, each a label and a text: code, field, hint.
    pub notes: Vec<(&'static str, String)>,
}

impl Failure {
    /// A failure with a sentence.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            notes: Vec::new(),
        }
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file that is not there or not right.
    pub fn file(message: impl Into<String>) -> Self {
        Self::new(Exit::File, message)
    }

    /// The same failure with one more line.
    #[must_use]
    pub fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((label, text.into()));
        self
    }
}
