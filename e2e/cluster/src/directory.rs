//! Everything the harness makes lies under one directory:
//!
//! ```text
//! lock                     held while something is brought up or taken down
//! tools/<tool>-<digest>/   what was built, named by what it was built from
//! images/<name>-<digest>   container images made of those
//! run/<cluster>/           one cluster: plan.json, pki, kubeconfigs, and a folder for each node
//! run/machine.json         what was changed on the machine itself, to be put back
//! ```

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use rustix::fs::{FlockOperation, flock};

use crate::names::ClusterName;
use crate::namespaces::HIDDEN;
use crate::sources::checkout;

/// A longer path leaves no room for the sockets of a node: a unix socket's path may have 107 bytes.
const MAX: usize = 55;

/// The directory of a harness.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
    tag: String,
}

/// While it lives, no other harness works in the directory; the kernel releases it with the process.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, not read")] File);

impl Directory {
    /// The one that `PAVILION_E2E_DIR` names, or that of the checkout.
    pub fn usual() -> Result<Self> {
        let named = std::env::var_os("PAVILION_E2E_DIR").map(PathBuf::from);
        Self::open(&named.unwrap_or_else(|| checkout().join("target/e2e")))
    }

    /// Opens the directory, making it where it is missing.
    pub fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        let root = fs::canonicalize(path).with_context(|| format!("no {}", path.display()))?;
        ensure!(
            root.as_os_str().len() <= MAX,
            "{} is too long: choose a --dir of at most {MAX} bytes, sockets must fit below it",
            root.display()
        );
        let hidden = HIDDEN
            .iter()
            .find(|hidden| root.starts_with(hidden.on_machine));
        if let Some(hidden) = hidden {
            anyhow::bail!(
                "{} is below {}, which a node does not see: choose another --dir",
                root.display(),
                hidden.on_machine
            );
        }
        let tag = short_digest(root.as_os_str().as_encoded_bytes(), 6);
        Ok(Self { root, tag })
    }

    /// Where built tools are.
    pub fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }

    /// Where images are.
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// Where everything that runs is.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The folder of a cluster.
    pub fn cluster(&self, name: &ClusterName) -> PathBuf {
        self.run().join(name.as_str())
    }

    /// The clusters that have a folder.
    pub fn clusters(&self) -> Vec<ClusterName> {
        let entries = fs::read_dir(self.run()).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        let names = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut names: Vec<ClusterName> = names.collect();
        names.sort();
        names
    }

    /// Six characters that tell what this directory made on the machine from what any other did.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Waits until no other harness works in the directory.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.root.join("lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        flock(&file, FlockOperation::LockExclusive)
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Lock(file))
    }
}

/// Makes a folder that only root can look into: it will hold keys.
pub fn private_folder(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.with_context(|| format!("cannot make {}", path.display()))
}

/// Writes a file, or says which one could not be written.
pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The first characters of a SHA-256 in hexadecimal.
pub fn short_digest(bytes: &[u8], length: usize) -> String {
    let mut text = hex::encode(digest(&SHA256, bytes));
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn two_directories_have_two_tags_and_one_keeps_its_own() {
        let folder = tempfile::TempDir::new().unwrap();
        let tag = |name: &str| Directory::open(&folder.path().join(name)).unwrap().tag;
        assert_eq!(tag("a"), tag("a"));
        assert_ne!(tag("a"), tag("b"));
        assert_eq!(tag("a").len(), 6);
    }

    #[test]
    fn a_directory_without_room_for_sockets_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let error = Directory::open(&folder.path().join("x".repeat(MAX))).unwrap_err();
        assert!(error.to_string().contains("choose a --dir"), "{error}");
    }

    #[test]
    fn only_folders_with_the_name_of_a_cluster_are_clusters() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        assert!(directory.clusters().is_empty());
        for name in ["c2", "c1", "Not"] {
            fs::create_dir_all(directory.run().join(name)).unwrap();
        }
        write(&directory.run().join("c3"), "a file").unwrap();
        let names: Vec<_> = directory
            .clusters()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["c1", "c2"]);
    }
}
