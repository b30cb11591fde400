//! Why a program ends, as a number a supervisor can act on.

use std::process::ExitCode;

/// The end of a program that did not simply finish. Numbers follow `sysexits.h`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exit {
    /// 65: data on disk is refused (of a newer version, or damaged).
    #[error("{0}")]
    DataRefused(String),
    /// 66: a file that is needed is missing or unreadable.
    #[error("{0}")]
    InputMissing(String),
    /// 69: a thing that is needed is away: a port is taken, the token module is missing.
    #[error("{0}")]
    Unavailable(String),
    /// 70: a fault of the program itself.
    #[error("{0}")]
    Bug(String),
    /// 73: a file cannot be written.
    #[error("{0}")]
    CannotWrite(String),
    /// 75: told to stop, and the time to finish was over before the work was: what was left is dropped.
    #[error("{0}")]
    Unfinished(String),
    /// 78: the configuration is refused.
    #[error("{0}")]
    ConfigRefused(String),
}

impl Exit {
    /// The number handed to the system.
    pub fn code(&self) -> u8 {
        match self {
            Self::DataRefused(_) => 65,
            Self::InputMissing(_) => 66,
            Self::Unavailable(_) => 69,
            Self::Bug(_) => 70,
            Self::CannotWrite(_) => 73,
            Self::Unfinished(_) => 75,
            Self::ConfigRefused(_) => 78,
        }
    }

    /// The exit in one stable word, for logs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::DataRefused(_) => "data_refused",
            Self::InputMissing(_) => "input_missing",
            Self::Unavailable(_) => "unavailable",
            Self::Bug(_) => "bug",
            Self::CannotWrite(_) => "cannot_write",
            Self::Unfinished(_) => "unfinished",
            Self::ConfigRefused(_) => "config_refused",
        }
    }
}

impl From<&Exit> for ExitCode {
    fn from(exit: &Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<crate::socket::ListenError> for Exit {
    fn from(error: crate::socket::ListenError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_the_documented_number() {
        let exits = [
            (Exit::DataRefused("x".into()), 65, "data_refused"),
            (Exit::InputMissing("x".into()), 66, "input_missing"),
            (Exit::Unavailable("x".into()), 69, "unavailable"),
            (Exit::Bug("x".into()), 70, "bug"),
            (Exit::CannotWrite("x".into()), 73, "cannot_write"),
            (Exit::Unfinished("x".into()), 75, "unfinished"),
            (Exit::ConfigRefused("x".into()), 78, "config_refused"),
        ];
        for (exit, code, reason) in exits {
            assert_eq!((exit.code(), exit.reason()), (code, reason));
            assert_eq!(ExitCode::from(&exit), ExitCode::from(code));
        }
    }
}
