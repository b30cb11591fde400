//! The processes of the quickstart's pod, as the machine sees them that its node is on.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::{command::kubectl, stage::TENANT_NAMESPACE};

/// A program's process in the pod that is there now, if it runs. Its name and its pod's uid say which: nothing else
/// on the machine has both.
pub fn of(program: &str) -> Option<Pid> {
    let uid = kubectl(&format!(
        "-n {TENANT_NAMESPACE} get pod data-plane-0 -o jsonpath={{.metadata.uid}}"
    ));
    // As the kubelet writes it, with and without systemd.
    let pod = [format!("pod{uid}"), format!("pod{}", uid.replace('-', "_"))];
    let begins = format!("/pavilion-{program}\0");
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let found = numbers.find(|number| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{number}/{file}"));
        let is_program = read("cmdline").is_ok_and(|line| line.starts_with(&begins));
        let groups = || read("cgroup").unwrap_or_default();
        is_program && pod.iter().any(|pod| groups().contains(pod))
    });
    Pid::from_raw(found?)
}

/// Sends it a signal; which process that was.
pub fn signal(program: &str, signal: Signal) -> Pid {
    let pid = of(program).unwrap_or_else(|| panic!("no {program} runs on this machine"));
    kill_process(pid, signal).unwrap();
    pid
}
