//! Source files: where the checkout is, what a folder of them amounts to, copies of them.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::directory::short_digest;

/// The checkout that this program was built from.
pub fn checkout() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// A digest over the names and contents of all files below a folder.
pub fn digest(folder: &Path) -> Result<String> {
    let mut all = String::new();
    for file in files(folder)? {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(folder).unwrap_or(&file);
        let digest = short_digest(&bytes, 64);
        let _ = writeln!(all, "{} {digest}", name.display());
    }
    Ok(short_digest(all.as_bytes(), 64))
}

/// Copies a folder with all below it.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        let copy = to.join(file.strip_prefix(from).unwrap_or(&file));
        let parent = copy.parent().unwrap_or(to);
        let copied = fs::create_dir_all(parent).and_then(|()| fs::copy(&file, &copy));
        copied.with_context(|| format!("cannot copy {} to {}", file.display(), copy.display()))?;
    }
    Ok(())
}

/// Every file below a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_digest_changes_with_a_name_and_with_a_byte() {
        let folder = tempfile::TempDir::new().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        fs::create_dir_all(one.join("below")).unwrap();
        fs::write(one.join("below/a"), "text").unwrap();
        copy(&one, &other).unwrap();
        assert_eq!(digest(&one).unwrap(), digest(&other).unwrap());
        fs::write(other.join("below/a"), "texT").unwrap();
        assert_ne!(digest(&one).unwrap(), digest(&other).unwrap());
        fs::write(other.join("below/a"), "text").unwrap();
        fs::rename(other.join("below/a"), other.join("below/b")).unwrap();
        assert_ne!(digest(&one).unwrap(), digest(&other).unwrap());
    }

    #[test]
    fn the_checkout_has_this_crate() {
        assert!(checkout().join("e2e/cluster/Cargo.toml").is_file());
    }
}
