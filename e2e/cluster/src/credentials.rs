//! The certificates, keys and kubeconfigs of a cluster: who there is, and where their files are.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::certificates::{Authority, Subject, served};
use crate::directory::Directory;
use crate::kubeconfig;
use crate::names::ClusterName;
use crate::node::Node;
use crate::plan::Plan;

/// The programs and people that talk to the API server: file name, user, group.
const CALLERS: [(&str, &str, Option<&str>); 5] = [
    ("admin", "admin", Some("system:masters")),
    ("controller-manager", "system:kube-controller-manager", None),
    ("scheduler", "system:kube-scheduler", None),
    ("kube-proxy", "system:kube-proxy", None),
    ("cilium", "cilium", Some("system:masters")),
];

/// Clients of something else than the API server.
const CLIENTS: [(&str, Option<&str>); 3] = [
    ("apiserver-etcd", None),
    ("apiserver-kubelet", Some("system:masters")),
    ("front-proxy", None),
];

/// Where the files of a cluster are.
#[derive(Clone, Debug)]
pub struct Credentials {
    folder: PathBuf,
}

impl Credentials {
    /// Those of a cluster, made or not.
    pub fn of(directory: &Directory, cluster: &ClusterName) -> Self {
        Self {
            folder: directory.cluster(cluster).join("pki"),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file, for a command line.
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The kubeconfig of a caller.
    pub fn kubeconfig(&self, caller: &str) -> PathBuf {
        self.folder.join(format!("{caller}.kubeconfig"))
    }

    /// Makes the files of a new cluster.
    pub fn make(&self, plan: &Plan, server: Ipv4Addr) -> Result<()> {
        let authority = Authority::make(&self.folder)?;
        authority.make_token_key()?;
        self.make_servers(&authority, plan, server)?;
        for (name, group) in CLIENTS {
            authority.issue(&self.folder, name, &caller(name, group))?;
        }
        for (name, user, group) in CALLERS {
            authority.issue(&self.folder, name, &caller(user, group))?;
            write_kubeconfig(&authority, plan, &self.folder, name)?;
        }
        Ok(())
    }

    fn make_servers(&self, authority: &Authority, plan: &Plan, server: Ipv4Addr) -> Result<()> {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let addresses = [IpAddr::V4(server), local, IpAddr::V4(plan.service(1))];
        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        let api_server = Subject {
            served: served(&addresses, &names)?,
            ..caller("kube-apiserver", None)
        };
        authority.issue(&self.folder, "apiserver", &api_server)?;
        let etcd = Subject {
            served: served(&[local], &["localhost"])?,
            ..caller("etcd", None)
        };
        authority.issue(&self.folder, "etcd", &etcd)
    }

    /// Makes what the kubelet of a node serves and calls with, in the node's folder.
    pub fn make_node(&self, plan: &Plan, node: &Node) -> Result<()> {
        let authority = Authority::read(&self.folder)?;
        let pki = node.path("pki");
        let user = format!("system:node:{}", node.name());
        let kubelet = Subject {
            user: &user,
            group: Some("system:nodes"),
            served: served(&[IpAddr::V4(node.address)], &[&node.name()])?,
        };
        authority.issue(&pki, "kubelet", &kubelet)?;
        write_kubeconfig(&authority, plan, &pki, "kubelet")
    }
}

fn write_kubeconfig(authority: &Authority, plan: &Plan, pki: &Path, name: &str) -> Result<()> {
    let cluster = plan.name.as_str();
    let path = pki.join(format!("{name}.kubeconfig"));
    kubeconfig::write_for(&path, &plan.server(), cluster, authority, pki, name)
}

fn caller<'a>(user: &'a str, group: Option<&'a str>) -> Subject<'a> {
    Subject {
        user,
        group,
        served: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::names::NodeNumber;

    #[test]
    fn every_file_that_a_program_is_told_of_is_made() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let gateway = Ipv4Addr::new(172, 31, 0, 1);
        let plan = Plan::new("c1".parse().unwrap(), 1, gateway, &[]).unwrap();
        let files = Credentials::of(&directory, &plan.name);
        let node = plan.node(&directory, NodeNumber::FIRST);
        files.make(&plan, node.address).unwrap();
        crate::directory::private_folder(&node.path("pki")).unwrap();
        files.make_node(&plan, &node).unwrap();
        for name in [
            "ca.crt",
            "apiserver.crt",
            "etcd.key",
            "front-proxy.key",
            "tokens.pub",
        ] {
            assert!(Path::new(&files.file(name)).is_file(), "{name}");
        }
        for name in ["admin", "scheduler", "cilium"] {
            assert!(files.kubeconfig(name).is_file(), "{name}");
        }
        assert!(node.path("pki/kubelet.kubeconfig").is_file());
    }
}
