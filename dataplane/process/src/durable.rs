//! Files and folders that are there, and whole, after a crash or a power cut.
//!
//! A file is durable when its bytes were fsynced and then the folder that has its name; a folder
//! when the folder above was. Whoever makes one of them with the plain calls of the standard
//! library has neither.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Replaces `path` by `bytes` in one step, with these permissions (less the umask), and returns
/// when that is on disk. Until then the old file is there, whole.
///
/// # Errors
/// What the system says; the old file is still there then, or the new one already.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let aside = aside(path)?;
    // What an earlier process left there has permissions of its own, which an open would keep.
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let written = options
        .open(&aside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&aside, path));
    written.inspect_err(|_| {
        // The error that matters is the one that is returned.
        let _ = fs::remove_file(&aside);
    })?;
    sync_folder(above(path))
}

/// Makes `path` and the folders above it where they are missing, with these permissions (less the
/// umask), and returns when all their names are on disk, also those that an earlier process made
/// and was killed before it could make sure.
///
/// # Errors
/// What the system says.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    let disk = fs::metadata(path)?.dev();
    let mut folder = path;
    while let Some(parent) = folder.parent() {
        let names = above(folder);
        if fs::metadata(names)?.dev() != disk {
            // A mount point: its name was there before the disk.
            return Ok(());
        }
        match sync_folder(names) {
            // A folder that we may not even list was not made by a program like this one.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            outcome => outcome?,
        }
        folder = parent;
    }
    Ok(())
}

/// Makes the names in a folder durable.
///
/// # Errors
/// What the system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that has the name of `path`.
fn above(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Where the new form of `path` is written.
fn aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut name: OsString = name.to_owned();
    name.push(".new");
    Ok(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_replaced_file_is_whole_and_has_its_mode_whatever_was_left_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        replace(&path, b"first", 0o600).unwrap();
        fs::write(folder.path().join("pin.new"), "left by a killed process").unwrap();
        fs::set_permissions(
            folder.path().join("pin.new"),
            fs::Permissions::from_mode(0o666),
        )
        .unwrap();
        replace(&path, b"second", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("inside")).unwrap();
        assert!(replace(&path, b"x", 0o600).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(Path::new(".."), b"x", 0o600).is_err());
    }

    #[test]
    fn a_folder_is_made_with_those_above_it_and_may_be_there_already() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        make_folder(&deep, 0o700).unwrap();
        make_folder(&deep, 0o700).unwrap();
        assert_eq!(
            (mode(&deep), mode(&folder.path().join("a"))),
            (0o700, 0o700)
        );
        fs::write(deep.join("file"), "x").unwrap();
        assert!(make_folder(&deep.join("file"), 0o700).is_err());
    }
}
