//! Why the log refuses, in the catalogue's words.

use std::io;
use std::path::{Path, PathBuf};

use pavilion_catalogue::{Entry, log, signer};

/// Why a log's directory was not opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the directory's lock.
    #[error("{0}: another auditor is using this log; stop it first")]
    Locked(PathBuf),
    /// A newer release wrote the directory.
    #[error(
        "{path}: format {found} is newer than this release understands ({known}); run the release that wrote it, or a newer one"
    )]
    Newer {
        /// The `VERSION` file.
        path: PathBuf,
        /// The number in it.
        found: u64,
        /// The newest number this release reads.
        known: u64,
    },
    /// The directory contradicts itself; serving it could contradict what was signed before.
    #[error(
        "{path}: {what}; the log is left as it is: restore this directory from a copy, never edit it"
    )]
    Broken {
        /// Where the contradiction shows.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The origin is no origin line.
    #[error(
        "the log's origin must be 1 to 255 bytes without spaces, plus signs and control characters"
    )]
    Origin,
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl OpenError {
    pub(crate) fn broken(path: &Path, what: impl Into<String>) -> Self {
        Self::Broken {
            path: path.to_owned(),
            what: what.into(),
        }
    }

    /// Turns what the system said about a path into this error.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}

/// Why an entry was not appended. It is not in the log and will not be, unless the outcome is
/// [`Uncertain`](Self::Uncertain).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Empty, or longer than 65,535 bytes.
    #[error("an entry has 1 to 65,535 bytes")]
    Invalid,
    /// The queue is full.
    #[error("the queue of appends is full")]
    Overloaded,
    /// The log cannot be written; the reason is for operators.
    #[error("the log cannot be written: {0}")]
    Unavailable(String),
    /// The entry was handed to a disk that has not answered, or failed and does not let what it may
    /// have of it be taken back: it may be in the log, or come to be when the log is opened anew.
    #[error("it is not known whether the entry was logged: {0}")]
    Uncertain(String),
}

impl AppendError {
    /// The stable code.
    pub fn entry(&self) -> &'static Entry {
        match self {
            Self::Invalid => &log::ENTRY_INVALID,
            Self::Overloaded => &log::OVERLOADED,
            Self::Unavailable(_) | Self::Uncertain(_) => &log::UNAVAILABLE,
        }
    }
}

/// Why there is no receipt (yet).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// No acknowledged entry has this index.
    #[error("the log has no entry with this index")]
    IndexUnknown,
    /// No checkpoint could be signed over the entry in time; the entry itself is safe.
    #[error("no checkpoint could be signed: {0}")]
    SignerUnavailable(String),
    /// The log's files cannot be read.
    #[error("the log cannot be read: {0}")]
    Unavailable(String),
}

impl ReceiptError {
    /// The stable code.
    pub fn entry(&self) -> &'static Entry {
        match self {
            Self::IndexUnknown => &log::INDEX_UNKNOWN,
            Self::SignerUnavailable(_) => &signer::UNAVAILABLE,
            Self::Unavailable(_) => &log::UNAVAILABLE,
        }
    }
}
