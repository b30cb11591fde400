//! The logs of a cluster's programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::directory::Directory;
use crate::plan::Plan;
use crate::process::tail;

/// The last lines of the logs of a cluster: of one program on every node, or of all.
pub fn text(
    directory: &Directory,
    plan: &Plan,
    program: Option<&str>,
    lines: usize,
) -> Result<String> {
    let wanted = |path: &PathBuf| {
        let name = path.file_stem().and_then(|name| name.to_str());
        program.is_none_or(|program| name == Some(program))
    };
    let nodes = plan.all_nodes(directory);
    let mut logs: Vec<PathBuf> = nodes
        .iter()
        .flat_map(|node| {
            fs::read_dir(node.path("log"))
                .into_iter()
                .flatten()
                .flatten()
        })
        .map(|entry| entry.path())
        .collect();
    logs.sort();
    let names = logs.iter().filter_map(|path| path.file_stem()?.to_str());
    let names: BTreeSet<_> = names.map(str::to_owned).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    logs.retain(wanted);
    ensure!(
        !logs.is_empty(),
        "{} has no log of {}; it has: {names}",
        plan.name,
        program.unwrap_or("anything")
    );
    let parts = logs
        .iter()
        .map(|log| format!("==> {}\n{}", log.display(), tail(log, lines)));
    Ok(parts.collect::<Vec<_>>().join("\n\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::Ipv4Addr;

    use super::*;
    use crate::directory::{private_folder, write};
    use crate::names::NodeNumber;

    #[test]
    fn the_log_of_a_program_is_shown_and_an_unknown_one_names_those_there_are() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let plan = Plan::new("c1".parse().unwrap(), 1, Ipv4Addr::LOCALHOST, &[]).unwrap();
        let node = plan.node(&directory, NodeNumber::FIRST);
        private_folder(&node.path("log")).unwrap();
        write(&node.log("etcd"), "one\ntwo\n").unwrap();
        write(&node.log("kubelet"), "three\n").unwrap();
        let etcd = text(&directory, &plan, Some("etcd"), 1).unwrap();
        assert!(etcd.ends_with("etcd.log\ntwo"), "{etcd}");
        let all = text(&directory, &plan, None, 1).unwrap();
        assert!(all.contains("two") && all.contains("three"), "{all}");
        let error = text(&directory, &plan, Some("helm"), 1)
            .unwrap_err()
            .to_string();
        assert!(error.contains("it has: etcd, kubelet"), "{error}");
    }
}
