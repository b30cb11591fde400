//! How much is meant: everything of a directory, a cluster of it, or a node.

use std::path::Path;

use crate::directory::Directory;
use crate::names::{ClusterName, NodeNumber};
use crate::node::MARK;
use crate::plan::Plan;

/// What stands for a cluster in the mark of a compiler; no cluster can have this name.
pub const BUILDS: &str = "-build";

/// A part of what a directory's harness made, told by names alone: it also covers what a crash left without records.
#[derive(Clone, Debug)]
pub struct Scope {
    run: String,
    cgroup: String,
    cluster: Option<String>,
    node: Option<String>,
    spared: Vec<String>,
}

impl Scope {
    /// Everything.
    pub fn all(directory: &Directory) -> Self {
        Self {
            run: format!("{MARK}={}/", directory.run().display()),
            cgroup: format!("pavilion-{}.", directory.tag()),
            cluster: None,
            node: None,
            spared: Vec::new(),
        }
    }

    /// One cluster.
    pub fn cluster(directory: &Directory, cluster: &ClusterName) -> Self {
        Self {
            cluster: Some(cluster.to_string()),
            ..Self::all(directory)
        }
    }

    /// One node.
    pub fn node(directory: &Directory, cluster: &ClusterName, node: NodeNumber) -> Self {
        Self {
            node: Some(node.to_string()),
            ..Self::cluster(directory, cluster)
        }
    }

    /// What belongs to no cluster that has a plan: the compilers of the tools, and clusters whose folder was lost.
    pub fn lost(directory: &Directory) -> Self {
        let plans = Plan::all(directory).into_iter();
        Self {
            spared: plans.map(|plan| plan.name.to_string()).collect(),
            ..Self::all(directory)
        }
    }

    /// Whether an environment, as the kernel shows it, is that of a process in scope.
    pub fn has_environment(&self, environment: &[u8]) -> bool {
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| {
            let place = std::str::from_utf8(variable).ok();
            let place = place.and_then(|variable| variable.strip_prefix(&self.run));
            place.is_some_and(|place| self.covers(place.split_once('/')))
        })
    }

    /// Whether a cgroup at the top of a hierarchy is in scope.
    pub fn has_cgroup(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        let place = name.and_then(|name| name.strip_prefix(&self.cgroup));
        place.is_some_and(|place| self.covers(place.split_once('.')))
    }

    fn covers(&self, place: Option<(&str, &str)>) -> bool {
        let within = |part: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| wanted == part)
        };
        place.is_some_and(|(cluster, node)| {
            within(cluster, &self.cluster)
                && within(node, &self.node)
                && !self.spared.iter().any(|spared| spared == cluster)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_scope_covers_its_own_and_nothing_beside_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let [one, other] = ["c1", "c11"].map(|name| name.parse::<ClusterName>().unwrap());
        let scopes = [
            Scope::all(&directory),
            Scope::cluster(&directory, &one),
            Scope::node(&directory, &one, NodeNumber::FIRST),
        ];
        let places = [(&one, "n1"), (&one, "n11"), (&other, "n1")];
        let expected = [
            [true, true, true],
            [true, true, false],
            [true, false, false],
        ];
        for (scope, expected) in scopes.iter().zip(expected) {
            let environments = places.map(|(cluster, node)| {
                let run = directory.run();
                let environment = format!("A=1\0{MARK}={}/{cluster}/{node}\0", run.display());
                scope.has_environment(environment.as_bytes())
            });
            assert_eq!(environments, expected);
            let cgroups = places.map(|(cluster, node)| {
                let name = format!("/cpu/pavilion-{}.{cluster}.{node}", directory.tag());
                scope.has_cgroup(Path::new(&name))
            });
            assert_eq!(cgroups, expected);
        }
    }

    #[test]
    fn lost_is_what_no_plan_speaks_of() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let gateway = std::net::Ipv4Addr::LOCALHOST;
        let plan = Plan::new("c1".parse().unwrap(), 1, gateway, &[]).unwrap();
        plan.write(&directory).unwrap();
        let scope = Scope::lost(&directory);
        let lost = ["c1/n1", "c2/n1", "-build/kube"].map(|place| {
            let environment = format!("{MARK}={}/{place}\0", directory.run().display());
            scope.has_environment(environment.as_bytes())
        });
        assert_eq!(lost, [false, true, true]);
    }

    #[test]
    fn the_environment_of_a_stranger_is_in_no_scope() {
        let folder = tempfile::TempDir::new().unwrap();
        let scope = Scope::all(&Directory::open(folder.path()).unwrap());
        let elsewhere = format!("{MARK}=/elsewhere/run/c1/n1\0");
        for stranger in [&b""[..], b"PATH=/bin\0", elsewhere.as_bytes()] {
            assert!(!scope.has_environment(stranger));
        }
        assert!(!scope.has_cgroup(Path::new("/cpu/kubepods")));
    }
}
