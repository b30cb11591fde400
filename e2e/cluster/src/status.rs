//! What is up, and what it costs.

use std::fmt::Write;

use crate::directory::Directory;
use crate::node::Node;
use crate::owned;
use crate::plan::Plan;
use crate::process::{Record, recorded};
use crate::scope::Scope;

/// A table of every cluster of the directory, its nodes, and their processes with the memory of each.
pub fn table(directory: &Directory) -> String {
    let plans = Plan::all(directory);
    if plans.is_empty() {
        return "no cluster is up".to_owned();
    }
    let mut text = String::new();
    for plan in plans {
        let _ = writeln!(text, "{} at {}", plan.name, plan.server());
        for node in plan.all_nodes(directory) {
            text += &lines(directory, &node);
        }
    }
    text.trim_end().to_owned()
}

fn lines(directory: &Directory, node: &Node) -> String {
    let mut text = format!("  {} {}\n", node.name(), node.address);
    let mut known = Vec::new();
    for (name, record) in recorded(node) {
        let state = if record.lives() { "runs" } else { "ended" };
        text += &line(
            &name,
            record.pid,
            state,
            record.memory().unwrap_or_default(),
        );
        known.push(record.pid);
    }
    let scope = Scope::node(directory, &node.cluster, node.number);
    let all = owned::processes(&scope).unwrap_or_default();
    let memory = |pid: &i32| Record::of(*pid).and_then(|record| record.memory());
    let others: Vec<_> = all.iter().filter(|pid| !known.contains(pid)).collect();
    let of_pods = others.iter().filter_map(|pid| memory(pid)).sum();
    let total = all.iter().filter_map(memory).sum();
    let _ = writeln!(
        text,
        "    {:<20} {:>8} processes  {}",
        "pods and shims",
        others.len(),
        size(of_pods)
    );
    let _ = writeln!(
        text,
        "    {:<20} {:>8} processes  {}",
        "in all",
        all.len(),
        size(total)
    );
    text
}

fn line(name: &str, pid: i32, state: &str, memory: u64) -> String {
    format!("    {name:<20} {pid:>8} {state:<10} {}\n", size(memory))
}

fn size(bytes: u64) -> String {
    format!("{:>5} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_directory_without_clusters_says_so() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        assert_eq!(table(&directory), "no cluster is up");
    }

    #[test]
    fn a_program_that_ended_is_shown_as_that() {
        let text = line("etcd", 4242, "ended", 3 << 20);
        assert_eq!(
            text,
            "    etcd                     4242 ended          3 MiB\n"
        );
    }
}
