//! `operator/children.json`: which processes are ours, for the operator that comes after a crash.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{
    ChildId, StateDir,
    process::{Identity, executable_name},
};

const FILE: &str = "operator/children.json";
/// How long an orphan may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// The list of our processes, kept on disk.
#[derive(Debug)]
pub struct Ledger {
    state: Arc<StateDir>,
    entries: Mutex<BTreeMap<u32, Entry>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(flatten)]
    id: ChildId,
    pid: u32,
    /// In clock ticks after the start of the system.
    start_time: u64,
    /// The file name of the program.
    binary: String,
}

impl Ledger {
    /// Ends what an operator left that did not stop by itself, and starts an empty list.
    pub async fn open(state: Arc<StateDir>) -> Self {
        let ledger = Self {
            state,
            entries: Mutex::default(),
        };
        let left: Vec<Entry> = match ledger.state.read(FILE) {
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).unwrap_or_default(),
            _ => Vec::new(),
        };
        end_all(left).await;
        ledger.write();
        ledger
    }

    /// A process of ours began.
    pub(super) fn add(&self, id: &ChildId, pid: u32) {
        let (Some(identity), Some(binary)) = (Identity::of(pid), executable_name(pid)) else {
            return; // It ended at once.
        };
        self.note(id, identity, binary);
    }

    fn note(&self, id: &ChildId, identity: Identity, binary: String) {
        let Identity { pid, start_time } = identity;
        let entry = Entry {
            id: id.clone(),
            pid,
            start_time,
            binary,
        };
        self.lock().insert(pid, entry);
        self.write();
    }

    /// A process of ours ended.
    pub(super) fn remove(&self, pid: u32) {
        self.lock().remove(&pid);
        self.write();
    }

    fn write(&self) {
        let entries: Vec<Entry> = self.lock().values().cloned().collect();
        let written = serde_json::to_vec(&entries)
            .map_err(io::Error::other)
            .and_then(|bytes| self.state.write(FILE, &bytes));
        if let Err(error) = written {
            tracing::warn!(%error, "cannot note which programs run; after a crash they may be left over");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All at once: each finishes what it has, and what needs another fails as it would in a crash.
async fn end_all(mut left: Vec<Entry>) {
    left.retain(|entry| entry.identity().runs(&entry.binary));
    if left.is_empty() {
        return;
    }
    tracing::warn!(
        count = left.len(),
        "ending programs that an operator before this one left"
    );
    for entry in &left {
        entry.identity().signal(Signal::TERM);
    }
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        left.retain(|entry| entry.identity().runs(&entry.binary));
        if left.is_empty() {
            return;
        }
        sleep(LOOK).await;
    }
    for entry in &left {
        tracing::warn!(program = %entry.id, pid = entry.pid, "does not end; killed");
        entry.identity().signal(Signal::KILL);
    }
}

impl Entry {
    fn identity(&self) -> Identity {
        Identity {
            pid: self.pid,
            start_time: self.start_time,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::host::Program;

    fn sleeping() -> Child {
        let mut command = Command::new("/bin/sleep");
        command.arg("600").stdin(Stdio::null()).spawn().unwrap()
    }

    fn id() -> ChildId {
        ChildId {
            tenant: Some("acme".parse().unwrap()),
            program: Program::Signer,
        }
    }

    #[tokio::test]
    async fn what_a_crashed_operator_left_is_ended_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(folder.path()).unwrap());
        let (mut ours, mut foreign) = (sleeping(), sleeping());
        let ledger = Ledger::open(Arc::clone(&state)).await;
        ledger.add(&id(), ours.id());
        // The number of the other was ours once: the same name on record, another start.
        let mut identity = Identity::of(foreign.id()).unwrap();
        identity.start_time -= 1;
        ledger.note(&id(), identity, executable_name(foreign.id()).unwrap());
        drop(ledger);
        let reaped = std::thread::spawn(move || ours.wait().unwrap());
        Ledger::open(Arc::clone(&state)).await;
        assert!(!reaped.join().unwrap().success());
        assert!(foreign.try_wait().unwrap().is_none());
        foreign.kill().unwrap();
        foreign.wait().unwrap();
        assert_eq!(state.read(FILE).unwrap().unwrap(), b"[]");
    }

    #[tokio::test]
    async fn a_broken_list_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(folder.path()).unwrap());
        state.write(FILE, b"{").unwrap();
        let ledger = Ledger::open(Arc::clone(&state)).await;
        ledger.add(&id(), std::process::id());
        ledger.remove(std::process::id());
        assert_eq!(state.read(FILE).unwrap().unwrap(), b"[]");
    }
}
