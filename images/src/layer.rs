//! The layer of an image: its files, archived and compressed.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};

use crate::archive::Archive;
use crate::files::Files;

/// The archive.
pub fn archived(files: &Files) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    for folder in files.folders() {
        archive.folder(folder)?;
    }
    for (path, file) in files.iter() {
        archive.file(path, file.mode(), &file.bytes)?;
    }
    archive.bytes()
}

/// The archive as it travels: gzip, which every registry and node reads, without time and name.
///
/// The compressor is miniz_oxide, which finds the same matches on every kind of processor.
pub fn compressed(archive: &[u8]) -> Result<Vec<u8>> {
    // The system of RFC 1952 that says nothing.
    const UNKNOWN: u8 = 255;
    let gzip = GzBuilder::new().mtime(0).operating_system(UNKNOWN);
    let mut encoder = gzip.write(Vec::new(), Compression::best());
    encoder
        .write_all(archive)
        .context("a layer cannot be compressed")?;
    encoder.finish().context("a layer cannot be compressed")
}
