//! The state directory of one host: what its operator wrote about its objects.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Document, Found, Watch};
use crate::exit::Failure;
use crate::file;

/// Every status document, and whether the operator that wrote them lives.
pub fn find(state: &Path) -> Result<Found, Failure> {
    let documents = read(&state.join("status"))?;
    let watch = if is_watched(state)? {
        Watch::Held
    } else {
        Watch::Free(format!("no operator runs on {}", state.display()))
    };
    Ok(Found { documents, watch })
}

/// Whether an operator holds the directory. It holds the lock as long as it lives, however it ends.
fn is_watched(state: &Path) -> Result<bool, Failure> {
    let path = state.join("lock");
    let failed = |error| Failure::file(format!("cannot read {}: {error}", path.display()));
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    // Let go of at once, when `lock` is dropped.
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn read(dir: &Path) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for kind in children(dir)? {
        if !kind.is_dir() {
            continue;
        }
        let files = children(&kind)?;
        for path in files.iter().filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        }) {
            documents.push(Document::new(file::json(path)?));
        }
    }
    Ok(documents)
}

fn children(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| {
        Failure::file(format!("cannot read {}: {error}", dir.display())).note(
            "hint",
            "--state is the directory that pavilion-operator standalone was given",
        )
    };
    let entries = std::fs::read_dir(dir).map_err(failed)?;
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
        .collect()
}
