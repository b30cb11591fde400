//! What can go wrong with the store.

use std::io;

/// Why a change was not made, or a row not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// One row cannot be read: it is damaged, or its key is not there. Others are as they were.
    #[error("a row is not of the form that this version writes")]
    Row,
    /// The store as a whole does not work.
    #[error(transparent)]
    Store(#[from] redb::Error),
}

impl From<redb::StorageError> for Fault {
    fn from(error: redb::StorageError) -> Self {
        Self::Store(error.into())
    }
}

impl From<redb::TableError> for Fault {
    fn from(error: redb::TableError) -> Self {
        Self::Store(error.into())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Store(redb::Error::Io(error))
    }
}
