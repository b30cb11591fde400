//! What a cluster is made of, decided and written down before anything is made.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::directory::{self, Directory};
use crate::names::{ClusterName, NodeNumber};
use crate::node::Node;

/// Slots are counted from 1; each has 20 addresses of the network that all clusters share.
const SLOTS: u8 = 11;
const ADDRESSES_OF_A_SLOT: u8 = 20;

/// The plan of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub name: ClusterName,
    /// Its place among the clusters of the directory; every range of addresses follows from it.
    pub slot: u8,
    /// How many nodes it has.
    pub nodes: u8,
    /// The address of the machine on the network that the nodes share.
    pub gateway: Ipv4Addr,
}

impl Plan {
    /// A plan in the first slot that no other cluster has.
    pub fn new(name: ClusterName, nodes: u8, gateway: Ipv4Addr, others: &[Self]) -> Result<Self> {
        let taken = |slot: &u8| others.iter().any(|other| other.slot == *slot);
        let slot = (1..=SLOTS).find(|slot| !taken(slot));
        let slot = slot.with_context(|| {
            format!("{SLOTS} clusters are up in this directory; take one down before another comes")
        })?;
        Ok(Self {
            name,
            slot,
            nodes,
            gateway,
        })
    }

    /// The plan of a cluster; none where it has no folder, or one without a plan.
    pub fn read(directory: &Directory, name: &ClusterName) -> Option<Self> {
        let text = fs::read(path(directory, name)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The plans of every cluster of the directory.
    pub fn all(directory: &Directory) -> Vec<Self> {
        let names = directory.clusters().into_iter();
        names
            .filter_map(|name| Self::read(directory, &name))
            .collect()
    }

    /// Writes the plan down: by rename, so that a crash leaves none or a whole one.
    pub fn write(&self, directory: &Directory) -> Result<()> {
        directory::private_folder(&directory.cluster(&self.name))?;
        let path = path(directory, &self.name);
        let new = path.with_extension("new");
        directory::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// A node of the cluster.
    pub fn node(&self, directory: &Directory, number: NodeNumber) -> Node {
        Node::new(directory, &self.name, number, self.node_address(number))
    }

    /// Every node of the cluster, the one with the control plane first.
    pub fn all_nodes(&self, directory: &Directory) -> Vec<Node> {
        let numbers = NodeNumber::up_to(self.nodes);
        numbers.map(|number| self.node(directory, number)).collect()
    }

    fn node_address(&self, number: NodeNumber) -> Ipv4Addr {
        let [a, b, c, _] = self.gateway.octets();
        Ipv4Addr::new(a, b, c, self.slot * ADDRESSES_OF_A_SLOT + number.get())
    }

    /// Where the API server listens.
    pub fn server(&self) -> String {
        format!("https://{}:6443", self.node_address(NodeNumber::FIRST))
    }

    /// The addresses of pods: no two clusters of a directory share any, so that a pod of one may talk to a node port of another.
    pub fn pods(&self) -> String {
        format!("10.{}.0.0/16", 240 + self.slot)
    }

    /// The addresses of services.
    pub fn services(&self) -> String {
        format!("10.{}.0.0/16", 100 + self.slot)
    }

    /// The address of a service: `.1` is the API server's, `.10` the name server's.
    pub fn service(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 100 + self.slot, 0, host)
    }
}

/// Refuses a number of nodes that has no addresses.
pub fn nodes_fit(nodes: u8) -> Result<()> {
    ensure!(
        (1..=NodeNumber::MAX).contains(&nodes),
        "a cluster has 1 to {} nodes, not {nodes}: choose another --nodes",
        NodeNumber::MAX
    );
    Ok(())
}

fn path(directory: &Directory, name: &ClusterName) -> PathBuf {
    directory.cluster(name).join(Path::new("plan.json"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 31, 7, 1);

    fn plan(name: &str, others: &[Plan]) -> Result<Plan> {
        Plan::new(name.parse().unwrap(), 2, GATEWAY, others)
    }

    #[test]
    fn no_two_clusters_share_an_address() {
        let first = plan("c1", &[]).unwrap();
        let second = plan("c2", std::slice::from_ref(&first)).unwrap();
        assert_ne!(first.pods(), second.pods());
        assert_ne!(first.services(), second.services());
        let last_of_first = first.node_address("n19".parse().unwrap());
        assert_eq!(last_of_first.to_string(), "172.31.7.39");
        assert_eq!(second.server(), "https://172.31.7.41:6443");
        assert_eq!(second.service(10).to_string(), "10.102.0.10");
    }

    #[test]
    fn the_slot_of_a_cluster_that_is_gone_is_given_again() {
        let mut all = Vec::new();
        for number in 1..=SLOTS {
            all.push(plan(&format!("c{number}"), &all).unwrap());
        }
        let full = plan("one", &all).unwrap_err().to_string();
        assert!(full.contains("take one down"), "{full}");
        all.remove(2);
        assert_eq!(plan("one", &all).unwrap().slot, 3);
        assert_eq!(SLOTS * ADDRESSES_OF_A_SLOT + NodeNumber::MAX, 239);
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let made = plan("c1", &[]).unwrap();
        assert_eq!(Plan::read(&directory, &made.name), None);
        made.write(&directory).unwrap();
        assert_eq!(Plan::all(&directory), [made]);
    }
}
