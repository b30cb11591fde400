//! Files that are there whole or not at all: written aside, fsynced, renamed, folder fsynced.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

use pavilion_process::durable::sync_folder;

/// Files that are written at the same time; the threads wait for the disk, they do not compute.
const WORKERS: usize = 16;

/// Writes files under one directory so that each appears in one step and survives a power cut.
///
/// [`Placer::place`] renames a fsynced file to its name; [`Placer::settle`] fsyncs the folders of
/// everything placed before it. Only after `settle` may something depend on those files.
#[derive(Debug)]
pub(crate) struct Placer {
    root: PathBuf,
    unsettled: BTreeSet<PathBuf>,
    /// Folders whose names are durable, or will be with the next `settle`.
    known: BTreeSet<PathBuf>,
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
            known: BTreeSet::from([root.to_owned()]),
            count: 0,
        })
    }

    /// Writes `bytes` to `path` (below the root), replacing what is there.
    pub fn place(&mut self, path: &Path, bytes: Vec<u8>) -> io::Result<()> {
        self.place_all(&[(path.to_owned(), bytes)])
    }

    /// Places many files; several are fsynced at a time, because the file system makes one journal
    /// commit of them.
    pub fn place_all(&mut self, files: &[(PathBuf, Vec<u8>)]) -> io::Result<()> {
        let (mut jobs, mut folders) = (Vec::new(), BTreeSet::new());
        for (path, bytes) in files {
            let path = self.root.join(path);
            let folder = path.parent().unwrap_or(&self.root).to_owned();
            self.make(&folder)?;
            folders.insert(folder);
            self.count += 1;
            jobs.push((
                self.root.join("tmp").join(self.count.to_string()),
                path,
                bytes,
            ));
        }
        if let [(aside, path, bytes)] = jobs.as_slice() {
            move_in(aside, path, bytes)?;
            self.unsettled.append(&mut folders);
            return Ok(());
        }
        let outcome = thread::scope(|scope| {
            let workers = jobs
                .chunks(jobs.len().div_ceil(WORKERS).max(1))
                .map(|share| {
                    scope.spawn(move || {
                        share
                            .iter()
                            .try_for_each(|(aside, path, bytes)| move_in(aside, path, bytes))
                    })
                });
            let workers: Vec<_> = workers.collect();
            let ended = |worker: ScopedJoinHandle<'_, io::Result<()>>| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a worker ended by a fault")))
            };
            // Every worker is waited for, whatever the first one says.
            workers.into_iter().map(ended).fold(Ok(()), Result::and)
        });
        self.unsettled.append(&mut folders);
        outcome
    }

    /// Makes the names of everything placed so far durable.
    pub fn settle(&mut self) -> io::Result<()> {
        for folder in &self.unsettled {
            sync_folder(folder)?;
        }
        self.unsettled.clear();
        Ok(())
    }

    /// Creates a folder and those above it, and remembers to make their names durable: also of those
    /// that are there already, because a process that was killed may have made them.
    fn make(&mut self, folder: &Path) -> io::Result<()> {
        // A folder of partial tiles goes away, and may come back.
        if self.known.contains(folder) && folder.is_dir() {
            return Ok(());
        }
        if let Some(above) = folder.parent() {
            self.make(above)?;
            self.unsettled.insert(above.to_owned());
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => self.known.insert(folder.to_owned()),
        };
        Ok(())
    }
}

/// Writes a file aside, fsyncs it and renames it to its name.
fn move_in(aside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_synced(aside, bytes)
        .and_then(|()| fs::rename(aside, path))
        .inspect_err(|_| {
            // The error that matters is the one that is returned.
            let _ = fs::remove_file(aside);
        })
}

/// Writes a new file and fsyncs it.
fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
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
        placer.place(path, b"one".to_vec()).unwrap();
        placer.place(path, b"two".to_vec()).unwrap();
        assert_eq!(placer.unsettled.len(), 4);
        placer.settle().unwrap();
        assert_eq!(
            read_if_there(&root.path().join(path)).unwrap().unwrap(),
            b"two"
        );
        assert_eq!(read_if_there(&root.path().join("tile/1")).unwrap(), None);
    }

    #[test]
    fn a_folder_that_a_killed_process_made_is_made_durable_as_well() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("tile/0")).unwrap();
        let mut placer = Placer::new(root.path()).unwrap();
        placer
            .place(Path::new("tile/0/000"), b"x".to_vec())
            .unwrap();
        let unsettled: Vec<_> = ["", "tile", "tile/0"]
            .map(|name| root.path().join(name))
            .into();
        assert!(unsettled.iter().all(|folder| {
            let mut found = placer.unsettled.iter();
            found.any(|one| one.components().eq(folder.components()))
        }));
        placer.settle().unwrap();
        placer
            .place(Path::new("tile/0/001"), b"x".to_vec())
            .unwrap();
        assert_eq!(placer.unsettled.len(), 1, "only what is new");
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_aside() {
        let root = tempfile::tempdir().unwrap();
        let mut placer = Placer::new(root.path()).unwrap();
        fs::create_dir_all(root.path().join("taken/inside")).unwrap();
        assert!(placer.place(Path::new("taken"), b"x".to_vec()).is_err());
        assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
        fs::write(root.path().join("tmp/left"), b"x").unwrap();
        Placer::new(root.path()).unwrap();
        assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
    }
}
