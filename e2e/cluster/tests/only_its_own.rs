//! `down` ends its own processes and no others, however much they look like its own.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "other tests use the rest")]
mod machine;

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use pavilion_e2e_cluster::{MARK, Record, recorded};

/// Somebody else's processes; gone with the test.
struct Strangers(Vec<Child>);

impl Strangers {
    fn start() -> Self {
        let run = machine::directory().run();
        let sleep = |name: &str| {
            let mut command = Command::new("sleep");
            command.arg0(name).arg("600");
            command
        };
        let by_name = sleep("kube-apiserver").spawn().unwrap();
        let by_argument = sleep(&format!("--config={}/own/n1/etc", run.display()))
            .spawn()
            .unwrap();
        let of_another = sleep("etcd")
            .env(MARK, "/elsewhere/run/own/n1")
            .spawn()
            .unwrap();
        let by_folder = sleep("kubelet")
            .current_dir(machine::first_node("own").folder())
            .spawn();
        Self(vec![by_name, by_argument, of_another, by_folder.unwrap()])
    }

    fn alive(&mut self) -> usize {
        let alive = |child: &mut Child| child.try_wait().unwrap().is_none();
        self.0.iter_mut().map(alive).filter(|alive| *alive).count()
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Of one that ended there is nothing to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn down_ends_only_its_own_processes() {
    machine::run(&["up"]);
    machine::run(&["up", "--name", "own"]);
    let mut strangers = Strangers::start();
    // A number that was given again: the record names a stranger.
    let pid = i32::try_from(strangers.0[0].id()).unwrap();
    let record = serde_json::to_vec(&Record::of(pid)).unwrap();
    fs::write(machine::first_node("own").record("apiserver"), record).unwrap();
    let neighbours = recorded(&machine::first_node("c1"));

    machine::run(&["down", "--name", "own"]);

    assert_eq!(strangers.alive(), 4);
    assert!(neighbours.iter().all(|(_, record)| record.lives()));
    assert_eq!(recorded(&machine::first_node("c1")), neighbours);
    // Its real API server was ended without a record; of this name, the strangers alone are left.
    let left = machine::processes("own");
    assert!(
        left.iter().all(|process| process.ends_with(" sleep")),
        "{left:?}"
    );
}
