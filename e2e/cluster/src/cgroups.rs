//! The cgroups of a node's pods.
//!
//! On a machine with cgroup v1 a node has one in every hierarchy, and the kubelet does not make them itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::directory::write;
use crate::patience::wait_until;
use crate::scope::Scope;

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    mount: PathBuf,
    unified: bool,
}

/// How much processor time a node's pods get together while others want it too: as much as so many threads outside, where
/// the programs of the control plane and the tests are. On a node of its own it is about a half.
const THREADS: u32 = 16;
/// What one thread weighs, by the version of the hierarchy (`sched(7)`, the kernel's cgroup-v1/cpuacct and cgroup-v2).
const WEIGHTS: [(&str, u32); 2] = [("cpu.shares", 1024), ("cpu.weight", 100)];

/// Makes the cgroup in every hierarchy.
pub fn make(name: &str) -> Result<()> {
    for hierarchy in mounted()? {
        let path = hierarchy.mount.join(name);
        fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the cgroup {}: are you root?", path.display()))?;
        inherit_processors(&hierarchy.mount, &path)?;
        weigh(&path)?;
    }
    Ok(())
}

/// Without it all pods of a node would weigh what one thread does, and starve on a busy machine.
fn weigh(path: &Path) -> Result<()> {
    for (file, thread) in WEIGHTS {
        let file = path.join(file);
        // A hierarchy without the processor has neither.
        if file.exists() {
            write(&file, (thread * THREADS).to_string())?;
        }
    }
    Ok(())
}

/// A cpuset of version 1 begins empty, and until it names processors and memory nothing may enter it.
fn inherit_processors(parent: &Path, child: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        // Version 2 has the file too, but there an empty one means the parent's.
        let above = fs::read_to_string(parent.join(file)).unwrap_or_default();
        if !above.trim().is_empty() {
            write(&child.join(file), above)?;
        }
    }
    Ok(())
}

/// The cgroup in the hierarchy of version 2, where the machine has one.
pub fn unified(name: &str) -> Result<Option<PathBuf>> {
    let unified = mounted()?.into_iter().find(|hierarchy| hierarchy.unified);
    Ok(unified.map(|hierarchy| hierarchy.mount.join(name)))
}

/// The cgroups in scope, the topmost of each tree.
pub fn found(scope: &Scope) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for hierarchy in mounted()? {
        let children = folders(&hierarchy.mount).into_iter();
        found.extend(children.filter(|path| scope.has_cgroup(path)));
    }
    Ok(found)
}

/// The processes in the cgroups in scope and below them.
pub fn processes(scope: &Scope) -> Result<Vec<i32>> {
    let trees = found(scope)?;
    let all = trees.iter().flat_map(|top| tree(top));
    let lists = all.filter_map(|path| fs::read_to_string(path.join("cgroup.procs")).ok());
    let mut processes: Vec<i32> = lists
        .flat_map(|list| {
            list.lines()
                .filter_map(|line| line.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    processes.sort_unstable();
    processes.dedup();
    Ok(processes)
}

/// Removes the cgroups in scope; they empty a moment after their last process has ended.
pub fn remove(scope: &Scope) -> Result<()> {
    wait_until("the kernel has let go of the cgroups", || {
        for top in found(scope)? {
            for path in tree(&top).iter().rev() {
                // Busy ones are tried again.
                let _ = fs::remove_dir(path);
            }
        }
        Ok(found(scope)?.is_empty())
    })
}

/// A cgroup and all below it, parents first.
fn tree(top: &Path) -> Vec<PathBuf> {
    let mut all = vec![top.to_owned()];
    let mut next = 0;
    while next < all.len() {
        let below = folders(&all[next]);
        all.extend(below);
        next += 1;
    }
    all
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

fn mounted() -> Result<Vec<Hierarchy>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("cannot read the mounts")?;
    Ok(hierarchies(&mounts))
}

fn hierarchies(mounts: &str) -> Vec<Hierarchy> {
    let hierarchy = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let unified = match right.split(' ').next()? {
            "cgroup" => false,
            "cgroup2" => true,
            _ => return None,
        };
        let mount = PathBuf::from(left.split(' ').nth(4)?);
        Some(Hierarchy { mount, unified })
    };
    mounts.lines().filter_map(hierarchy).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_hierarchy_of_a_hybrid_machine_is_found() {
        let mounts = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let expected = [
            ("/sys/fs/cgroup/cpuset", false),
            ("/sys/fs/cgroup/unified", true),
        ];
        let expected = expected.map(|(mount, unified)| Hierarchy {
            mount: PathBuf::from(mount),
            unified,
        });
        assert_eq!(hierarchies(mounts), expected);
    }

    #[test]
    fn a_tree_names_parents_before_children() {
        let folder = tempfile::TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        let below = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().to_owned();
        let tree: Vec<_> = tree(folder.path()).iter().map(below).collect();
        assert_eq!(tree, ["", "a", "a/b"].map(PathBuf::from));
    }
}
