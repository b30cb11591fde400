//! The program under test, and the machine as somebody sees it who knows nothing of how the harness works.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use pavilion_e2e_cluster::{Cluster, ClusterName, Directory, Node, NodeNumber};

const PROGRAM: &str = env!("CARGO_BIN_EXE_e2e-cluster");

/// The directory that the program uses.
pub fn directory() -> Directory {
    Directory::usual().unwrap()
}

/// Runs the program; it succeeds.
pub fn run(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "e2e-cluster {arguments:?}: {said}");
    String::from_utf8(stdout).unwrap()
}

/// Starts the program and does not wait for it.
pub fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A cluster, by its name.
pub fn cluster(name: &str) -> Cluster {
    Cluster::find(&directory(), &name.parse().unwrap()).unwrap()
}

/// The first node of a cluster, whether or not there is one.
pub fn first_node(name: &str) -> Node {
    let name: ClusterName = name.parse().unwrap();
    let nowhere = std::net::Ipv4Addr::UNSPECIFIED;
    Node::new(&directory(), &name, NodeNumber::FIRST, nowhere)
}

/// What can be told of a machine that a cluster of this name could have left something on.
pub fn look(cluster: &str) -> BTreeSet<String> {
    let files = FOLDERS.iter().flat_map(|folder| paths(folder));
    let hierarchies = paths("/sys/fs/cgroup");
    let cgroups = hierarchies.flat_map(|hierarchy| paths(&hierarchy).collect::<Vec<_>>());
    let settings = SETTINGS.map(|setting| format!("{setting} {}", text(setting)));
    let mounts = text("/proc/self/mounts");
    let rules = rules();
    let lines = mounts.lines().chain(rules.lines()).map(str::to_owned);
    let all = files.chain(cgroups).chain(settings).chain(lines);
    all.chain(processes(cluster)).collect()
}

/// Where programs of a node would put something, and where interfaces are.
const FOLDERS: [&str; 8] = [
    "/etc/cni",
    "/opt",
    "/run",
    "/run/netns",
    "/sys/class/net",
    "/sys/fs/bpf",
    "/var/lib",
    "/var/log",
];

/// What they would set.
const SETTINGS: [&str; 4] = [
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/kernel/timer_migration",
    "/proc/sys/vm/overcommit_memory",
];

/// Every process that has to do with a cluster: by what it runs, carries, mounts or is confined by.
pub fn processes(cluster: &str) -> Vec<String> {
    let folder = format!("{}/{cluster}/", directory().run().display());
    let cgroup = format!("/pavilion-{}.{cluster}.", directory().tag());
    let of_cluster = |process: &String| {
        let has = |file: &str, what: &str| text(format!("{process}/{file}")).contains(what);
        let files = ["cmdline", "environ", "mountinfo"];
        files.iter().any(|file| has(file, &folder)) || has("cgroup", &cgroup)
    };
    // One that has ended, but that nobody asked after, has no command line.
    let alive = |process: &String| !text(format!("{process}/cmdline")).is_empty();
    let all = paths("/proc").filter(|path| path.ends_with(|last: char| last.is_ascii_digit()));
    let found = all.filter(of_cluster).filter(alive);
    found
        .map(|process| format!("{process} {}", text(format!("{process}/comm")).trim()))
        .collect()
}

fn rules() -> String {
    let output = Command::new("nft")
        .args(["list", "ruleset"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn paths(folder: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().to_string_lossy().into_owned())
}

fn text(path: impl AsRef<Path>) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
