//! The files that were sent, each called by the SHA-256 of its content.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pavilion_json::Digest;
use pavilion_process::durable;
use zeroize::Zeroizing;

use super::naming::{digest_of, name_of};

/// Only the router reads them.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A folder of them.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    kept: HashSet<Digest>,
}

impl Store {
    /// Opens the folder, makes it where it is missing, and removes from it whatever is not whole.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        durable::make_folder(folder, FOLDER_MODE)?;
        let mut kept = HashSet::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_name().to_str().and_then(digest_of) {
                Some(digest) if is_whole(&entry.path(), digest) => {
                    kept.insert(digest);
                }
                _ if entry.file_type()?.is_dir() => {}
                _ => fs::remove_file(entry.path())?,
            }
        }
        let folder = folder.to_path_buf();
        Ok(Self { folder, kept })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Their digests.
    pub(super) fn names(&self) -> impl Iterator<Item = Bytes> {
        self.kept.iter().map(|digest| super::bytes_of(*digest))
    }

    /// Keeps a file.
    pub(super) fn put(&mut self, content: &[u8]) -> io::Result<()> {
        let digest = Digest::of(content);
        if self.kept.contains(&digest) {
            return Ok(());
        }
        let path = self.path(digest);
        let aside = path.with_extension("new");
        // What an earlier process left there has permissions of its own, which an open would keep.
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        options.open(&aside)?.write_all(content)?;
        fs::rename(&aside, &path)?;
        self.kept.insert(digest);
        Ok(())
    }

    /// Removes all others. One that cannot be removed is tried again the next time.
    pub(super) fn keep_only(&mut self, wanted: &HashSet<Digest>) {
        let unwanted: Vec<Digest> = self.kept.difference(wanted).copied().collect();
        for digest in unwanted {
            match fs::remove_file(self.path(digest)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, %digest, "a file that no route names any more cannot be removed");
                }
                _ => {
                    self.kept.remove(&digest);
                }
            }
        }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(name_of(digest))
    }
}

fn is_whole(path: &Path, digest: Digest) -> bool {
    // It may be a key.
    fs::read(path).is_ok_and(|content| Digest::of(&Zeroizing::new(content)) == digest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn files_are_for_the_router_alone_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("files");
        let mut store = Store::open(&at).unwrap();
        store.put(b"a key").unwrap();
        store.put(b"a key").unwrap();
        store.put(b"a chain").unwrap();
        let path = at.join(name_of(Digest::of(b"a key")));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&at), mode(&path)), (0o700, 0o600));
        assert_eq!(Store::open(&at).unwrap().len(), 2);
        store.keep_only(&HashSet::from([Digest::of(b"a chain")]));
        assert!(!path.exists() && store.len() == 1);
    }

    #[test]
    fn what_is_broken_or_no_file_of_ours_is_removed_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let mut store = Store::open(at).unwrap();
        store.put(b"whole").unwrap();
        store.put(b"cut short").unwrap();
        fs::write(at.join(name_of(Digest::of(b"cut short"))), b"cut").unwrap();
        fs::write(at.join("something.new"), b"left by a killed process").unwrap();
        assert_eq!(Store::open(at).unwrap().len(), 1);
        assert_eq!(fs::read_dir(at).unwrap().count(), 1);
    }
}
