//! What the system knows of a process: enough to tell ours from one that got its number later.

use std::{fs, path::Path};

use rustix::process::{Pid, Signal, kill_process};

/// A process, told from others that had or will have its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub pid: u32,
    /// In clock ticks after the start of the system (proc(5), field 22 of `stat`).
    pub start_time: u64,
}

impl Identity {
    /// The process that has this number now.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        start_time(&stat).map(|start_time| Self { pid, start_time })
    }

    /// Whether it still runs, a program of this file name.
    pub(super) fn runs(self, binary: &str) -> bool {
        Self::of(self.pid) == Some(self) && executable_name(self.pid).as_deref() == Some(binary)
    }

    pub(super) fn signal(self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // It may have ended in the meantime; that is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Sends a signal to a child that has not been waited for.
pub(super) fn signal(pid: u32, signal: Signal) {
    Identity { pid, start_time: 0 }.signal(signal);
}

fn start_time(stat: &str) -> Option<u64> {
    // The name in parentheses may hold spaces and parentheses itself. State `Z` is a process that
    // has ended and waits for its parent.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The file name of the program that a process runs.
pub(super) fn executable_name(pid: u32) -> Option<String> {
    let link = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let name = Path::new(&link).file_name()?.to_str()?;
    // An upgrade replaces the file under a running program.
    Some(name.trim_end_matches(" (deleted)").to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_process_is_told_by_number_start_and_name() {
        let own = Identity::of(std::process::id()).unwrap();
        let name = executable_name(own.pid).unwrap();
        assert!(own.runs(&name));
        assert!(!own.runs("pavilion-signer"));
        let other = Identity {
            start_time: own.start_time + 1,
            ..own
        };
        assert!(!other.runs(&name));
        assert_eq!(Identity::of(u32::MAX), None);
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_mislead() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(start_time(stat), Some(4242));
        assert_eq!(start_time(&stat.replace(" S ", " Z ")), None);
        assert_eq!(start_time("7"), None);
    }
}
