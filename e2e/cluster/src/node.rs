//! One node: its names on the machine, its folder, and what is in it.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::audit;
use crate::directory::{Directory, short_digest};
use crate::names::{ClusterName, NodeNumber};

/// The variable that every process of a node carries: the node's folder. It is how a process is told to be ours.
pub const MARK: &str = "PAVILION_E2E_NODE";

/// A node of a cluster.
#[derive(Clone, Debug)]
pub struct Node {
    /// The cluster it belongs to.
    pub cluster: ClusterName,
    /// Which one of it.
    pub number: NodeNumber,
    /// Its address on the network that all nodes share.
    pub address: Ipv4Addr,
    folder: PathBuf,
    tag: String,
}

impl Node {
    /// A node by its place; nothing is made yet.
    pub fn new(
        directory: &Directory,
        cluster: &ClusterName,
        number: NodeNumber,
        address: Ipv4Addr,
    ) -> Self {
        Self {
            cluster: cluster.clone(),
            number,
            address,
            folder: directory.cluster(cluster).join(number.to_string()),
            tag: directory.tag().to_owned(),
        }
    }

    /// Its name in Kubernetes.
    pub fn name(&self) -> String {
        format!("{}-{}", self.cluster, self.number)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file or folder of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The log of one of its programs.
    pub fn log(&self, program: &str) -> PathBuf {
        self.folder.join("log").join(format!("{program}.log"))
    }

    /// Where the process of one of its programs is written down.
    pub fn record(&self, program: &str) -> PathBuf {
        self.folder.join("process").join(format!("{program}.json"))
    }

    /// The socket of its containerd, as the machine sees it.
    pub fn containerd_socket(&self) -> PathBuf {
        self.path("run/containerd/containerd.sock")
    }

    /// The cgroup of its pods, in every hierarchy.
    pub fn cgroup(&self) -> String {
        format!("pavilion-{}.{}.{}", self.tag, self.cluster, self.number)
    }

    /// The machine's end of its cable; an interface's name may have 15 bytes.
    pub fn link(&self) -> String {
        format!("pv{}-{}", self.tag, short_digest(self.name().as_bytes(), 4))
    }

    /// The folders that a node starts with.
    pub fn folders(&self) -> [PathBuf; 6] {
        ["log", "process", "etc", "pki", "cni", audit::FOLDER].map(|name| self.path(name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_names_of_a_node_fit_where_the_kernel_takes_them() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let cluster = "abcdefghijkl".parse().unwrap();
        let number = "n19".parse().unwrap();
        let node = Node::new(&directory, &cluster, number, Ipv4Addr::LOCALHOST);
        assert_eq!(node.name(), "abcdefghijkl-n19");
        assert!(node.link().len() <= 15, "{}", node.link());
        let below = node.containerd_socket();
        let below = below.strip_prefix(folder.path()).unwrap();
        assert!(
            55 + 1 + below.as_os_str().len() <= 107,
            "{}",
            below.display()
        );
    }
}
