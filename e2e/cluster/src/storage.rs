//! Volumes: folders of a node, of which a pod gets one by claiming it.
//!
//! They are `local` ones: the kubelet hands such a volume to the group that a pod names, and a `hostPath` it does
//! not. Nobody makes more when they are used up, and none is used twice; they go with their node.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::directory::private_folder;
use crate::node::Node;

/// The storage class, which is the default.
const CLASS: &str = "local";

/// How many volumes a node has.
const VOLUMES: usize = 256;

/// How much each is said to hold; nothing counts what it does.
const SIZE: &str = "16Gi";

/// Makes the folders of a node's volumes, and says what the API server is to know of them.
pub fn make(node: &Node) -> Result<Vec<Value>> {
    let mut objects = vec![class()];
    for number in 1..=VOLUMES {
        let folder = folder(node, number);
        private_folder(&folder)?;
        // As a new disk is: its owner looks into it, and a pod gets in by its group.
        let opened = fs::set_permissions(&folder, fs::Permissions::from_mode(0o755));
        opened.with_context(|| format!("cannot open {}", folder.display()))?;
        objects.push(volume(node, number));
    }
    Ok(objects)
}

fn folder(node: &Node, number: usize) -> PathBuf {
    node.path("volumes").join(number.to_string())
}

fn class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain",
    })
}

fn volume(node: &Node, number: usize) -> Value {
    let here = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name()]});
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": format!("{}-{number}", node.name())},
        "spec": {
            "capacity": {"storage": SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "local": {"path": folder(node, number)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    use super::*;
    use crate::directory::Directory;
    use crate::names::NodeNumber;

    #[test]
    fn every_volume_has_a_folder_of_its_own_below_its_node() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let cluster = "c1".parse().unwrap();
        let node = Node::new(&directory, &cluster, NodeNumber::FIRST, Ipv4Addr::LOCALHOST);
        let objects = make(&node).unwrap();
        let paths = objects
            .iter()
            .filter_map(|object| object["spec"]["local"]["path"].as_str());
        let paths: BTreeSet<PathBuf> = paths.map(PathBuf::from).collect();
        assert_eq!(paths.len(), VOLUMES);
        for path in paths {
            assert!(path.starts_with(node.folder()));
            assert_eq!(
                fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o755
            );
        }
        // Again is the same.
        assert_eq!(make(&node).unwrap(), objects);
    }
}
