//! What is in an image: regular files and their folders, nothing else. No links, no devices, no owner but root.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

const FOLDER_MODE: u32 = 0o755;

/// Files by their paths in the image.
#[derive(Debug, Default)]
pub struct Files(BTreeMap<PathBuf, File>);

/// One file.
#[derive(Debug)]
pub struct File {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Whether it is run.
    pub runs: bool,
}

impl File {
    /// Its mode: everybody reads it, nobody but root could write it.
    pub fn mode(&self) -> u32 {
        if self.runs { 0o755 } else { 0o644 }
    }
}

impl Files {
    /// Adds a program.
    pub fn program(&mut self, path: impl AsRef<Path>, bytes: Vec<u8>) -> Result<()> {
        self.add(path.as_ref(), File { bytes, runs: true })
    }

    /// Adds data, or a library.
    pub fn data(&mut self, path: impl AsRef<Path>, bytes: Vec<u8>) -> Result<()> {
        self.add(path.as_ref(), File { bytes, runs: false })
    }

    fn add(&mut self, path: &Path, file: File) -> Result<()> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let plain = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        ensure!(
            plain && path.is_absolute(),
            "{} is no path of an image",
            path.display()
        );
        if self.0.insert(relative.to_owned(), file).is_some() {
            bail!("{} would be in the image twice", path.display());
        }
        Ok(())
    }

    /// The files in the order of their paths, which are relative to the root of the image.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &File)> {
        self.0.iter().map(|(path, file)| (path.as_path(), file))
    }

    /// The folders that the files need, each after the one it is in.
    pub fn folders(&self) -> BTreeSet<&Path> {
        let parents = self.0.keys().flat_map(|path| path.ancestors().skip(1));
        parents
            .filter(|parent| !parent.as_os_str().is_empty())
            .collect()
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.0.values().map(|file| file.bytes.len() as u64).sum()
    }

    /// Writes them to a folder, which must not hold anything yet.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let taken = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        ensure!(
            !taken,
            "{} is not empty: choose another folder, or remove it",
            folder.display()
        );
        make(folder)?;
        for path in self.folders() {
            make(&folder.join(path))?;
        }
        for (path, file) in self.iter() {
            put(&folder.join(path), file)?;
        }
        Ok(())
    }
}

fn make(folder: &Path) -> Result<()> {
    let made = fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE)));
    made.with_context(|| format!("cannot make {}", folder.display()))
}

fn put(path: &Path, file: &File) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let opened = options
        .write(true)
        .create_new(true)
        .mode(file.mode())
        .open(path);
    let written = opened.and_then(|mut to| {
        to.set_permissions(fs::Permissions::from_mode(file.mode()))?;
        std::io::Write::write_all(&mut to, &file.bytes)
    });
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn files() -> Files {
        let mut files = Files::default();
        files.program("/program", b"run".to_vec()).unwrap();
        files.data("/etc/ssl/roots", b"read".to_vec()).unwrap();
        files
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let files = files();
        let folders: Vec<_> = files.folders().into_iter().collect();
        assert_eq!(folders, [Path::new("etc"), Path::new("etc/ssl")]);
        assert_eq!(files.bytes(), 7);
    }

    #[test]
    fn a_path_that_leaves_the_image_or_is_there_already_is_refused() {
        let mut files = files();
        for path in ["/../etc/passwd", "program", "/etc/ssl/roots"] {
            let error = files.data(path, Vec::new()).unwrap_err().to_string();
            assert!(error.contains(path), "{error}");
        }
    }

    #[test]
    fn files_are_written_with_their_modes_and_never_over_others() {
        let folder = tempfile::TempDir::new().unwrap();
        let root = folder.path().join("root");
        files().write(&root).unwrap();
        let mode =
            |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(
            [mode("program"), mode("etc/ssl/roots"), mode("etc")],
            [0o755, 0o644, 0o755]
        );
        let error = files().write(&root).unwrap_err().to_string();
        assert!(error.contains("is not empty"), "{error}");
    }
}
