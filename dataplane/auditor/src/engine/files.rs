//! Files that are there whole or not at all: written aside, fsynced, renamed, folder fsynced.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes files under one directory so that each appears in one step and survives a power cut.
///
/// [`Placer::place`] renames a fsynced file to its name; [`Placer::settle`] fsyncs the folders of
/// everything placed before it. Only after `settle` may something depend on those files.
#[derive(Debug)]
pub(crate) struct Placer {
    root: PathBuf,
    unsettled: BTreeSet<PathBuf>,
    count: u64,
}

impl Placer {
    /// Places files under `root`; leftovers of an earlier process are swept away.
    pub fn new(root: &Path) -> io::Result<Self> {
        let aside = root.join("tmp");
        if aside.exists() {
            fs::remove_dir_all(&aside)?;
        }
        fs::create_dir_all(&aside)?;
        Ok(Self {
            root: root.to_owned(),
            unsettled: BTreeSet::new(),
            count: 0,
        })
    }

    /// Writes `bytes` to `path` (below the root), replacing what is there.
    pub fn place(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(path);
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        self.make(&folder)?;
        self.count += 1;
        let aside = self.root.join("tmp").join(self.count.to_string());
        let written = write_synced(&aside, bytes).and_then(|()| fs::rename(&aside, &path));
        if let Err(error) = written {
            // The error that matters is the one above.
            let _ = fs::remove_file(&aside);
            return Err(error);
        }
        self.unsettled.insert(folder);
        Ok(())
    }

    /// Makes the names of everything placed so far durable.
    pub fn settle(&mut self) -> io::Result<()> {
        for folder in &self.unsettled {
            sync_folder(folder)?;
        }
        self.unsettled.clear();
        Ok(())
    }

    /// Creates a folder and those above it, and remembers to make their names durable.
    fn make(&mut self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(above) = folder.parent() {
            self.make(above)?;
            self.unsettled.insert(above.to_owned());
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

/// Writes a new file and fsyncs it.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The file's content; `None` when there is no such file.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_appears_with_its_folders_and_is_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        let mut placer = Placer::new(root.path()).unwrap();
        let path = Path::new("tile/0/x001/002");
        placer.place(path, b"one").unwrap();
        placer.place(path, b"two").unwrap();
        assert_eq!(placer.unsettled.len(), 4);
        placer.settle().unwrap();
        assert_eq!(
            read_if_there(&root.path().join(path)).unwrap().unwrap(),
            b"two"
        );
        assert_eq!(read_if_there(&root.path().join("tile/1")).unwrap(), None);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_aside() {
        let root = tempfile::tempdir().unwrap();
        let mut placer = Placer::new(root.path()).unwrap();
        fs::create_dir_all(root.path().join("taken/inside")).unwrap();
        assert!(placer.place(Path::new("taken"), b"x").is_err());
        assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
        fs::write(root.path().join("tmp/left"), b"x").unwrap();
        Placer::new(root.path()).unwrap();
        assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
    }
}
