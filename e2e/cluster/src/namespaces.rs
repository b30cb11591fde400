//! A node's own view of the machine: its network, its mounts, and the settings of the kernel that it may see.
//!
//! One process, the anchor, holds both namespaces; nothing pins them to a file. When the last process of a node ends,
//! however it ends, the kernel takes its mounts, interfaces and rules away: no crash leaves any behind. It is also
//! why no two nodes meet in the folders whose places the kubelet, containerd, the CNI library and Cilium do not let
//! anyone choose.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::Run;
use crate::directory::{private_folder, write};
use crate::node::{MARK, Node};
use crate::process::{self, Record};

const ANCHOR: &str = "anchor";

/// A folder of the machine that a node has for itself.
pub struct Hidden {
    /// Where it is.
    pub on_machine: &'static str,
    in_folder: &'static str,
}

/// `/run` has the sockets of containerd, its shims and Cilium, and the lock of iptables; `/var/lib` the kubelet's
/// and containerd's state and the CNI library's cache; `/var/log` the logs of pods and the links to them.
pub const HIDDEN: [Hidden; 3] = [
    Hidden {
        on_machine: "/run",
        in_folder: "run",
    },
    Hidden {
        on_machine: "/var/lib",
        in_folder: "var-lib",
    },
    Hidden {
        on_machine: "/var/log",
        in_folder: "var-log",
    },
];

/// What a kubelet insists on, and would set for the whole machine. It is shown these values instead.
const SHOWN: [(&str, &str); 6] = [
    ("kernel/keys/root_maxbytes", "25000000"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
];

/// Starts the anchor and arranges what is seen from its namespaces.
pub fn make(node: &Node, pause: &Path) -> Result<i32> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--"]).arg(pause);
    let anchor = process::start(node, ANCHOR, command)?;
    // Until it has become the anchor, it is in the machine's namespaces, and what is mounted there stays there.
    anchor.wait_until("it holds its namespaces", || {
        let program = fs::read_link(format!("/proc/{}/exe", anchor.pid()));
        Ok(program.is_ok_and(|program| program == pause))
    })?;
    hide_folders(node)?;
    guard_kernel(node)?;
    Ok(anchor.pid())
}

/// The arguments for `nsenter` to get into the namespaces of a node.
///
/// Not `ip netns exec`: that mounts a new `/sys`, and the cgroups are not in it.
pub fn enter(node: &Node) -> Result<Vec<OsString>> {
    let anchor = Record::read(&node.record(ANCHOR)).filter(Record::lives);
    let anchor = anchor.with_context(|| {
        format!(
            "{} has no anchor: take it down, then bring it up again",
            node.name()
        )
    })?;
    let arguments = [
        "--target",
        &anchor.pid.to_string(),
        "--mount",
        "--net",
        "--",
    ];
    Ok(arguments.map(OsString::from).to_vec())
}

/// A command that runs in the namespaces of a node.
pub fn within(node: &Node, program: &str) -> Result<Run> {
    let run = Run::new("nsenter").env(MARK, node.folder());
    Ok(run.args(enter(node)?).arg(program))
}

fn hide_folders(node: &Node) -> Result<()> {
    for Hidden {
        on_machine,
        in_folder,
    } in HIDDEN
    {
        let own = node.path(in_folder);
        private_folder(&own)?;
        mount(node, &[&"--bind", &own, &on_machine])?;
    }
    // A pod may ask that what it mounts is seen outside; `/` may be a private mount, where nothing is passed on.
    mount(node, &[&"--make-rshared", &"/var/lib"])?;
    // In it Cilium keeps what it loads into the kernel; it goes with the mount.
    mount(node, &[&"-t", &"bpf", &"bpf", &"/sys/fs/bpf"])
}

/// Keeps the settings that are the whole machine's from being changed by a node.
///
/// Cilium forbids unprivileged BPF until the next boot and turns off the migration of timers; both are refused and
/// it goes on without. A kubelet that may not write what it wants does not start, hence the values shown to it.
fn guard_kernel(node: &Node) -> Result<()> {
    let kernel = "/proc/sys/kernel";
    mount(node, &[&"--bind", &kernel, &kernel])?;
    mount(node, &[&"-o", &"remount,bind,ro", &kernel])?;
    private_folder(&node.path("shown"))?;
    for (setting, value) in SHOWN {
        let file = node.path("shown").join(setting.replace('/', "."));
        write(&file, format!("{value}\n"))?;
        let place = Path::new("/proc/sys").join(setting);
        // Not every kernel has keys.
        if place.exists() {
            mount(node, &[&"--bind", &file, &place])?;
        }
    }
    Ok(())
}

/// Mounts something that this node alone sees.
pub fn mount(node: &Node, arguments: &[&dyn AsRef<OsStr>]) -> Result<()> {
    let command = within(node, "mount")?.args(arguments);
    command.output().map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_settings_shown_have_files_of_their_own() {
        let mut names = SHOWN.map(|(setting, _)| setting.replace('/', "."));
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_node_without_an_anchor_says_what_to_do() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = crate::directory::Directory::open(folder.path()).unwrap();
        let number = crate::names::NodeNumber::FIRST;
        let cluster = "c1".parse().unwrap();
        let node = Node::new(&directory, &cluster, number, std::net::Ipv4Addr::LOCALHOST);
        let error = enter(&node).unwrap_err().to_string();
        assert!(
            error.contains("c1-n1 has no anchor: take it down"),
            "{error}"
        );
    }
}
