//! Tar archives that are the same bytes wherever and whenever they are made: in the order of names, without times,
//! users or names of a machine.

use std::path::Path;

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};

/// An archive that is being written.
pub struct Archive(Builder<Vec<u8>>);

impl Archive {
    /// An empty one.
    pub fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    /// Adds a folder.
    pub fn folder(&mut self, path: &Path) -> Result<()> {
        self.entry(&path.join(""), EntryType::Directory, 0o755, &[])
    }

    /// Adds a file.
    pub fn file(&mut self, path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
        self.entry(path, EntryType::Regular, mode, bytes)
    }

    fn entry(&mut self, path: &Path, kind: EntryType, mode: u32, bytes: &[u8]) -> Result<()> {
        // Only the fields that every reader knows; the rest of a header stays zero.
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(u64::try_from(bytes.len())?);
        let added = self.0.append_data(&mut header, path, bytes);
        added.with_context(|| format!("{} cannot be put into an archive", path.display()))
    }

    /// Its bytes.
    pub fn bytes(self) -> Result<Vec<u8>> {
        self.0.into_inner().context("an archive has no end")
    }
}
