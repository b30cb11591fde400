//! The programs that keep running on a node: started in its namespaces, written down, watched while waited for.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::directory::write;
use crate::namespaces;
use crate::node::{MARK, Node};
use crate::patience;

/// As much of a log as an error shows.
const LINES: usize = 12;

/// A program and how it is run.
pub struct Program {
    /// What logs and records call it.
    pub name: &'static str,
    /// The file.
    pub binary: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// More variables for it.
    pub environment: Vec<(&'static str, OsString)>,
}

/// A process as it is written down. The time it began tells it from a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number.
    pub pid: i32,
    began: u64,
}

/// A program that runs on a node.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    record: Record,
    log: PathBuf,
}

impl Program {
    /// A program with arguments of the form `--name=value`.
    pub fn new<A: Into<OsString>>(
        name: &'static str,
        binary: PathBuf,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            name,
            binary,
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
        }
    }

    /// Starts it in the namespaces of the node.
    pub fn start(self, node: &Node) -> Result<Process> {
        // Replaces itself by the program: the number stays.
        let mut command = Command::new("nsenter");
        command.args(namespaces::enter(node)?).arg(&self.binary);
        command.args(&self.arguments).envs(self.environment);
        start(node, self.name, command)
    }
}

/// Starts a command that carries the mark of the node and outlives this program.
pub fn start(node: &Node, name: &'static str, mut command: Command) -> Result<Process> {
    let log = node.log(name);
    let file = File::options().create(true).append(true).open(&log);
    let file = file.with_context(|| format!("cannot write {}", log.display()))?;
    command
        .env(MARK, node.folder())
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        // What is typed at this terminal is not for it.
        .process_group(0);
    let child = command.spawn().with_context(|| {
        format!("cannot start {name}; `make e2e-packages` installs what the harness calls")
    })?;
    let pid = i32::try_from(child.id()).context("a process id")?;
    let Some(record) = Record::of(pid) else {
        bail!("{name} ended at once; {}", shown(&log));
    };
    write(&node.record(name), serde_json::to_vec(&record)?)?;
    Ok(Process { name, record, log })
}

impl Process {
    /// Waits for what the program is to bring about, and no longer than it lives.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
        let waited = patience::wait_until(what, || {
            if !self.record.lives() {
                bail!("{} ended before {what}", self.name);
            }
            holds()
        });
        waited.with_context(|| format!("{} did not come up; {}", self.name, shown(&self.log)))
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.record.pid
    }
}

impl Record {
    /// The process with this number, if it runs.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, began) = state_and_beginning(&stat)?;
        (!"ZX".contains(state)).then_some(Self { pid, began })
    }

    /// What is written down of a program of a node.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Whether the very process that was written down runs.
    pub fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// The memory that is its own, with its share of what it shares, in bytes.
    pub fn memory(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes * 1024)
    }
}

/// What is written down on a node: the name of each program and its process.
pub fn recorded(node: &Node) -> Vec<(String, Record)> {
    let entries = fs::read_dir(node.path("process"))
        .into_iter()
        .flatten()
        .flatten();
    let record = |path: PathBuf| {
        let name = path.file_stem()?.to_str()?.to_owned();
        Some((name, Record::read(&path)?))
    };
    let mut all: Vec<_> = entries.filter_map(|entry| record(entry.path())).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// The last lines of a log.
pub fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn shown(log: &Path) -> String {
    format!("the end of {}:\n{}", log.display(), tail(log, LINES))
}

/// The third and the 22nd field of `/proc/<pid>/stat`, counted after the name, which may contain anything.
fn state_and_beginning(stat: &str) -> Option<(char, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let began = fields.nth(18)?.parse().ok()?;
    Some((state, began))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_fields_are_counted_after_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 8 0 0 0 1 2 0 0 20 0 1 0 4242 9000 100";
        assert_eq!(state_and_beginning(stat), Some(('S', 4242)));
        assert_eq!(state_and_beginning("7 (a) S 1"), None);
    }

    #[test]
    fn a_record_is_of_one_process_and_not_of_its_number() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let mut record = Record::of(pid).unwrap();
        assert!(record.lives());
        assert!(record.memory().unwrap() > 0);
        record.began += 1;
        assert!(!record.lives());
    }

    #[test]
    fn a_child_that_ended_unasked_does_not_live() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        patience::wait_until("it has ended", || Ok(Record::of(pid).is_none())).unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_tail_of_a_log_is_its_last_lines() {
        let folder = tempfile::TempDir::new().unwrap();
        let log = folder.path().join("a.log");
        assert_eq!(tail(&log, 2), "");
        fs::write(&log, "one\ntwo\nthree\n").unwrap();
        assert_eq!(tail(&log, 2), "two\nthree");
    }
}
