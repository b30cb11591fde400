//! The file: opened, versioned, and opened again after the disk failed.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use pavilion_process::Exit;
use redb::{
    DatabaseError, Durability, ReadTransaction, ReadableDatabase, StorageError, WriteTransaction,
};

use super::keys::{KeyFile, Keys};
use super::tables::{self, FORMAT, META};

/// The version of the tables' format that this build writes.
pub(super) const VERSION: u64 = 2;

/// Pages kept in memory; small, because rows live for minutes and the system caches the file.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// The open file; `None` while it could not be opened again.
pub(super) struct Database {
    path: PathBuf,
    /// What rows are opened with.
    pub(super) keys: Keys,
    inner: RwLock<Option<redb::Database>>,
}

impl Database {
    /// Opens the database, and beside it the file of its keys for the one who writes.
    pub(super) fn open(path: &Path) -> Result<(Self, KeyFile), Exit> {
        make_private(path).map_err(|error| cannot_write(path, &error))?;
        let inner = open(path).map_err(|error| refuse(path, &error))?;
        // After the database, whose lock keeps other processes away from both.
        let key_path = path.with_extension("keys");
        let key_file = KeyFile::open(&key_path).map_err(|error| cannot_write(&key_path, &error))?;
        let database = Self {
            path: path.to_path_buf(),
            keys: key_file.keys(),
            inner: RwLock::new(Some(inner)),
        };
        database.check_version()?;
        Ok((database, key_file))
    }

    /// Begins reading what is committed now.
    pub(super) fn read(&self) -> Result<ReadTransaction, redb::Error> {
        let guard = self.lock();
        let database = guard.as_ref().ok_or(redb::Error::DatabaseClosed)?;
        Ok(database.begin_read()?)
    }

    /// Begins a transaction that is on disk once it is committed.
    pub(super) fn begin(&self) -> Result<WriteTransaction, redb::Error> {
        let guard = self.lock();
        let database = guard.as_ref().ok_or(redb::Error::DatabaseClosed)?;
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        Ok(transaction)
    }

    /// After an I/O error the library refuses everything until the file was opened again.
    pub(super) fn reopen(&self) -> Result<(), redb::Error> {
        let mut guard = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        drop(guard.take());
        *guard = Some(open(&self.path)?);
        Ok(())
    }

    fn lock(&self) -> RwLockReadGuard<'_, Option<redb::Database>> {
        // The guarded value is replaced whole, so a panic elsewhere leaves nothing half made.
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_version(&self) -> Result<(), Exit> {
        let found = self
            .version()
            .map_err(|error| damaged(&self.path, &error))?;
        match found {
            Some(VERSION) => Ok(()),
            Some(newer) if newer > VERSION => Err(Exit::DataRefused(format!(
                "{}: state_newer: the state has format {newer}, this release reads up to {VERSION}",
                self.path.display()
            ))),
            Some(older) => Err(Exit::DataRefused(format!(
                "{}: the state has format {older}, which no release wrote",
                self.path.display()
            ))),
            None => self
                .stamp()
                .map_err(|error| cannot_write(&self.path, &error)),
        }
    }

    fn version(&self) -> Result<Option<u64>, redb::Error> {
        match self.read()?.open_table(META) {
            Ok(meta) => Ok(meta.get(FORMAT)?.map(|version| version.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes all tables, so that readers find them, and writes the version.
    fn stamp(&self) -> Result<(), redb::Error> {
        let transaction = self.begin()?;
        transaction.open_table(META)?.insert(FORMAT, VERSION)?;
        tables::make(&transaction)?;
        transaction.commit()?;
        Ok(())
    }
}

fn open(path: &Path) -> Result<redb::Database, DatabaseError> {
    redb::Database::builder()
        .set_cache_size(CACHE_BYTES)
        .create(path)
}

fn make_private(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
}

fn refuse(path: &Path, error: &DatabaseError) -> Exit {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            Exit::Unavailable(format!("{}: another process has it open", path.display()))
        }
        DatabaseError::Storage(StorageError::Io(io)) if io.kind() != io::ErrorKind::InvalidData => {
            cannot_write(path, io)
        }
        _ => damaged(path, error),
    }
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> Exit {
    Exit::DataRefused(format!("{}: {error}", path.display()))
}

fn cannot_write(path: &Path, error: &dyn std::fmt::Display) -> Exit {
    Exit::CannotWrite(format!("{}: {error}", path.display()))
}
