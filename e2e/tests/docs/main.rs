//! Whoever reads the documentation gets everywhere it points to, and what it names is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod capabilities;
mod commands;
mod links;
mod metrics;

use std::fs;
use std::path::{Path, PathBuf};

/// The pages of the book.
fn book() -> PathBuf {
    pavilion_e2e::root().join("docs/src")
}

/// Every Markdown file below a folder.
fn pages(folder: &Path) -> Vec<PathBuf> {
    files(folder, "md")
}

/// Every file below a folder whose name ends so.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
