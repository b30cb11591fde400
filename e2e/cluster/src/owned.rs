//! The processes that are ours, and their end.
//!
//! A process is ours when its environment carries the mark of a node of this directory, or when it is in a cgroup of
//! one; never by its name, and never by a number read from a file alone: numbers are given again.

use std::fs;

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::cgroups;
use crate::patience::wait_until;
use crate::scope::Scope;

/// Ends every process in scope, without warning.
///
/// A node is thrown away whole, so nothing in it needs to be asked: what `down` does is what a crash would have
/// done, and coming up after either is the same path. While one process ends another may be born of it, hence the
/// rounds; and a process that is just becoming another program shows no environment for a moment, hence the second
/// look that must also find nothing.
pub fn end(scope: &Scope) -> Result<()> {
    let mut left = Vec::new();
    let mut looks_in_vain = 0;
    let ended = wait_until("the processes of the cluster have ended", || {
        left = processes(scope)?;
        for pid in &left {
            kill(*pid, scope)?;
        }
        looks_in_vain = if left.is_empty() {
            looks_in_vain + 1
        } else {
            0
        };
        Ok(looks_in_vain == 2)
    });
    ended.with_context(|| format!("these do not end, even killed: {left:?}"))
}

/// The processes in scope.
pub fn processes(scope: &Scope) -> Result<Vec<i32>> {
    let entries = fs::read_dir("/proc").context("cannot read /proc")?;
    let all = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<i32> = all.filter(|pid| marked(*pid, scope)).collect();
    found.extend(
        cgroups::processes(scope)?
            .into_iter()
            .filter(|pid| lives(*pid)),
    );
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Kills a process if it is ours. The handle is taken before the question: whatever gets the number later is safe.
fn kill(pid: i32, scope: &Scope) -> Result<()> {
    let Some(handle) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
    else {
        return Ok(());
    };
    if !marked(pid, scope) && !cgroups::processes(scope)?.contains(&pid) {
        return Ok(());
    }
    match pidfd_send_signal(&handle, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => {
            Err(error).with_context(|| format!("cannot end process {pid}: are you root?"))
        }
    }
}

/// Whether a process carries the mark. One that has ended, but that nobody asked after, carries nothing.
fn marked(pid: i32, scope: &Scope) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|text| scope.has_environment(&text))
}

/// Whether a process still runs.
fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state(&stat).is_some_and(|state| !"ZX".contains(state))
}

/// The state in a line of `/proc/<pid>/stat`: what follows the name, and a name may contain anything.
fn state(stat: &str) -> Option<char> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;

    use super::*;
    use crate::directory::Directory;
    use crate::node::MARK;

    #[test]
    fn the_state_is_found_after_any_name() {
        assert_eq!(state("7 (a) Z) S 1 7"), Some('S'));
        assert_eq!(state(""), None);
    }

    #[test]
    fn marked_processes_end_and_their_neighbours_live() {
        let folder = tempfile::TempDir::new().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let run = directory.run();
        let sleep = |mark: String| {
            Command::new("sleep")
                .arg("600")
                .env(MARK, mark)
                .spawn()
                .unwrap()
        };
        let mut ours = sleep(format!("{}/c1/n1", run.display()));
        let mut neighbour = sleep(format!("{}/c2/n1", run.display()));
        let mut stranger = sleep("/elsewhere/run/c1/n1".to_owned());
        end(&Scope::cluster(&directory, &"c1".parse().unwrap())).unwrap();
        assert!(!ours.wait().unwrap().success());
        assert!(neighbour.try_wait().unwrap().is_none());
        end(&Scope::all(&directory)).unwrap();
        assert!(!neighbour.wait().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
