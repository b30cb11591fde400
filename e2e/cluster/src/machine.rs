//! What the machine must have, and the one setting of it that is changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::directory::{Directory, write};

const NEEDED: [&str; 11] = [
    "containerd",
    "ctr",
    "runc",
    "ip",
    "ipset",
    "iptables",
    "nft",
    "mount",
    "nsenter",
    "tee",
    "unshare",
];
/// Cilium compiles its programs for the kernel on the machine they will run on.
pub const COMPILER: &str = "clang-19";
const LOOPBACK: &str = "/usr/lib/cni/loopback";

const INSTANCES: &str = "/proc/sys/fs/inotify/max_user_instances";
/// The kernel's default of 128 is used up by the second cluster: every kubelet, containerd and pod watches files.
const ENOUGH: u32 = 1024;

/// What was changed on the machine.
#[derive(Serialize, Deserialize)]
struct Changed {
    inotify_instances: u32,
}

/// Refuses a machine on which a cluster cannot come up.
pub fn check() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "a cluster needs namespaces, cgroups and mounts: run this as root"
    );
    let programs = NEEDED
        .iter()
        .chain([&COMPILER])
        .filter(|name| find(name).is_none());
    let mut missing: Vec<&str> = programs.copied().collect();
    if !Path::new(LOOPBACK).exists() {
        missing.push(LOOPBACK);
    }
    ensure!(
        missing.is_empty(),
        "this machine lacks {}: run `make e2e-packages`",
        missing.join(", ")
    );
    Ok(())
}

/// Where a program is.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    places.find(|place| place.is_file())
}

/// Lets more programs watch files, and writes down first how many could before.
pub fn raise_watches(directory: &Directory) -> Result<()> {
    let now = watches()?;
    if now >= ENOUGH {
        return Ok(());
    }
    let changed = Changed {
        inotify_instances: now,
    };
    fs::create_dir_all(directory.run()).context("cannot make the folder of clusters")?;
    write(&record(directory), serde_json::to_vec(&changed)?)?;
    write(Path::new(INSTANCES), ENOUGH.to_string())
}

/// Puts back what was changed, unless somebody else has changed it since.
pub fn put_back(directory: &Directory) -> Result<()> {
    let path = record(directory);
    let Ok(text) = fs::read(&path) else {
        return Ok(());
    };
    let changed: Changed = serde_json::from_slice(&text)
        .with_context(|| format!("{} cannot be read: remove it", path.display()))?;
    if watches()? == ENOUGH {
        write(Path::new(INSTANCES), changed.inotify_instances.to_string())?;
    }
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
}

fn watches() -> Result<u32> {
    let text = fs::read_to_string(INSTANCES).with_context(|| format!("cannot read {INSTANCES}"))?;
    text.trim()
        .parse()
        .with_context(|| format!("{INSTANCES} is no number"))
}

fn record(directory: &Directory) -> PathBuf {
    directory.run().join("machine.json")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn programs_are_found_where_the_shell_finds_them() {
        assert!(find("sh").unwrap().is_absolute());
        assert_eq!(find("no-such-program"), None);
    }

    #[test]
    fn nothing_is_put_back_where_nothing_was_changed() {
        let folder = tempfile::TempDir::new().unwrap();
        put_back(&Directory::open(folder.path()).unwrap()).unwrap();
    }
}
