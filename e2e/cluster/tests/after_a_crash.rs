//! Whatever is killed, and whenever: `down` leaves the machine as it was, and `up` makes a whole cluster.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "other tests use the rest")]
mod machine;

use std::collections::BTreeSet;
use std::fs;

use pavilion_e2e_cluster::{recorded, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// Kills programs of a cluster's first node, without warning.
fn kill(cluster: &str, which: impl Fn(&str) -> bool) -> usize {
    let all = recorded(&machine::first_node(cluster));
    let chosen: Vec<_> = all.iter().filter(|(name, _)| which(name)).collect();
    for (_, record) in &chosen {
        kill_process(Pid::from_raw(record.pid).unwrap(), Signal::KILL).unwrap();
    }
    chosen.len()
}

/// Begins to bring a cluster up and kills the harness as soon as it has started a program.
fn killed_when_started(cluster: &str, program: &str) {
    let record = machine::first_node(cluster).record(program);
    let mut harness = machine::start(&["up", "--name", cluster]);
    let started = wait_until("the program is started", || {
        assert!(
            harness.try_wait()?.is_none(),
            "the harness ended before it started {program}"
        );
        Ok(record.exists())
    });
    harness.kill().unwrap();
    harness.wait().unwrap();
    started.unwrap();
}

/// The machine is as it was.
fn assert_as_before(cluster: &str, before: &BTreeSet<String>, after_what: &str) {
    let now = machine::look(cluster);
    let left: Vec<_> = now.difference(before).collect();
    let gone: Vec<_> = before.difference(&now).collect();
    assert!(
        left.is_empty() && gone.is_empty(),
        "{after_what}: left {left:?}, gone {gone:?}"
    );
}

#[test]
fn killed_programs_leave_nothing_behind() {
    let before = machine::look("crash");
    machine::run(&["up", "--name", "crash"]);
    let during = machine::look("crash");
    assert!(
        during.difference(&before).count() > 20,
        "a cluster is not seen at all"
    );
    // The anchor too: then nobody holds the namespaces but those who are in them.
    let killed = kill("crash", |name| name != "kubelet");
    assert!(killed >= 8, "{killed}");
    machine::run(&["down", "--name", "crash"]);
    assert_as_before("crash", &before, "all but the kubelet was killed");
}

#[test]
fn an_up_that_was_killed_leaves_nothing_behind() {
    let before = machine::look("half");
    for program in ["anchor", "etcd", "apiserver", "kubelet", "cilium-agent"] {
        killed_when_started("half", program);
        machine::run(&["down", "--name", "half"]);
        assert_as_before("half", &before, program);
    }
}

#[test]
fn a_down_without_any_record_leaves_nothing_behind() {
    let before = machine::look("lost");
    killed_when_started("lost", "cilium-agent");
    // Out of the way rather than removed: those who still run write into it.
    let run = machine::directory().run();
    let aside = run.with_file_name("lost");
    fs::rename(run.join("lost"), &aside).unwrap();
    machine::run(&["down", "--name", "lost"]);
    fs::remove_dir_all(&aside).unwrap();
    assert_as_before("lost", &before, "the folder of the cluster was lost");
}

#[test]
fn a_cluster_that_lost_a_program_is_made_anew() {
    killed_when_started("again", "kubelet");
    machine::run(&["up", "--name", "again"]);
    assert_eq!(kill("again", |name| name == "etcd"), 1);
    assert!(machine::run(&["status"]).contains("ended"));
    machine::run(&["up", "--name", "again"]);
    let all = recorded(&machine::first_node("again"));
    assert!(all.iter().all(|(_, record)| record.lives()), "{all:?}");
    machine::run(&["down", "--name", "again"]);
}
