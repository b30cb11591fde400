//! Files that are either the old or the new one, whatever happens in between.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use pavilion_process::durable;

use super::StartError;

/// Replaces `path` by `bytes`, readable by its owner only, and returns when that is on disk.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    durable::replace(path, bytes, 0o600)
}

/// Makes `path` and its parents, open to the owner only, and returns when they are on disk.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    durable::make_folder(path, 0o700)
}

/// Brings every file below `folder` to disk: `SoftHSM` writes its objects but does not sync them.
pub(super) fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}

/// An I/O error as the reason the engine does not start.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> StartError {
    StartError::CannotWrite {
        path: path.to_owned(),
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_made_private_and_its_tree_can_be_synced() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        make_folder(&deep).unwrap();
        fs::write(deep.join("object"), b"x").unwrap();
        assert_eq!(
            fs::metadata(&deep).unwrap().permissions().mode() & 0o777,
            0o700
        );
        sync_tree(folder.path()).unwrap();
        assert!(sync_tree(&folder.path().join("missing")).is_err());
    }
}
