//! How everything of ours goes away, whatever state it is in.
//!
//! Nothing here reads what was written down on the way up: a process is known by its mark, a cgroup and an interface
//! by their names. So it makes no difference where a crash struck, or whether the folders are still there.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::directory::Directory;
use crate::names::{ClusterName, NodeNumber};
use crate::node::Node;
use crate::plan::Plan;
use crate::scope::Scope;
use crate::{cgroups, machine, network, owned};

/// Takes down everything of the directory. The directory must be locked.
pub fn everything(directory: &Directory) -> Result<()> {
    let scope = Scope::all(directory);
    owned::end(&scope)?;
    cgroups::remove(&scope)?;
    network::remove(directory)?;
    machine::put_back(directory)?;
    remove_folder(&directory.run())
}

/// Takes down a cluster; with the last one, everything. The directory must be locked.
pub fn cluster(directory: &Directory, name: &ClusterName) -> Result<()> {
    if directory.clusters().iter().all(|known| known == name) {
        return everything(directory);
    }
    let scope = Scope::cluster(directory, name);
    owned::end(&scope)?;
    cgroups::remove(&scope)?;
    let links = network::of(directory)?;
    for number in NodeNumber::up_to(NodeNumber::MAX) {
        let link = Node::new(directory, name, number, Ipv4Addr::UNSPECIFIED).link();
        if links.contains(&link) {
            network::disconnect(&link)?;
        }
    }
    remove_folder(&directory.cluster(name))
}

/// Ends everything that runs on a node, and what a boot finds empty. The directory must be locked.
pub fn power(directory: &Directory, node: &Node) -> Result<()> {
    let scope = Scope::node(directory, &node.cluster, node.number);
    owned::end(&scope)?;
    cgroups::remove(&scope)?;
    network::disconnect(&node.link())?;
    // Containers start once the network is enforced, and that is when it is told in `cni`. The last three are linked
    // and compiled from the tools.
    let emptied = [
        "run",
        "process",
        "cni",
        "cni-bin",
        "compiler",
        "var-lib/cilium",
    ];
    let mut emptied = emptied.iter().map(|name| node.path(name));
    emptied.try_for_each(|folder| remove_folder(&folder))
}

/// Takes down one node. The directory must be locked.
pub fn node(directory: &Directory, node: &Node) -> Result<()> {
    let scope = Scope::node(directory, &node.cluster, node.number);
    owned::end(&scope)?;
    cgroups::remove(&scope)?;
    network::disconnect(&node.link())?;
    remove_folder(node.folder())
}

/// Takes down what no plan speaks of: it would be in the way of what comes up. The directory must be locked.
pub fn lost(directory: &Directory) -> Result<()> {
    let scope = Scope::lost(directory);
    owned::end(&scope)?;
    cgroups::remove(&scope)?;
    let folders = directory.clusters().into_iter();
    let mut without = folders.filter(|name| Plan::read(directory, name).is_none());
    without.try_for_each(|name| remove_folder(&directory.cluster(&name)))
}

/// Removes a folder with all below it, unless something is mounted there: it would be emptied too.
fn remove_folder(folder: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("cannot read the mounts")?;
    let mounted = mounted_below(&mounts, folder);
    ensure!(
        mounted.is_empty(),
        "{} stays: unmount {} first, which the harness did not mount",
        folder.display(),
        mounted.join(", ")
    );
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn mounted_below(mounts: &str, folder: &Path) -> Vec<String> {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    let below = points.filter(|point| Path::new(point).starts_with(folder));
    below.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_folder_with_a_mount_in_it_is_told_from_its_neighbours() {
        let mounts =
            "1 0 0:1 / /d/run/c1/n1/disk rw - tmpfs t rw\n2 0 0:2 / /d/run/c11 rw - tmpfs t rw\n";
        assert_eq!(
            mounted_below(mounts, Path::new("/d/run/c1")),
            ["/d/run/c1/n1/disk"]
        );
        assert!(mounted_below(mounts, Path::new("/d/run/c2")).is_empty());
    }

    #[test]
    fn a_folder_that_is_gone_is_as_good_as_removed() {
        let folder = tempfile::TempDir::new().unwrap();
        let below = folder.path().join("run");
        fs::create_dir_all(below.join("c1")).unwrap();
        remove_folder(&below).unwrap();
        remove_folder(&below).unwrap();
        assert!(!below.exists());
    }
}
