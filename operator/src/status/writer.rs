//! Writes status documents when something but a time changed in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    sync::Arc,
};

use jiff::Timestamp;
use pavilion_catalogue::manifest;
use serde_json::{Value, json};

use crate::host::StateDir;

/// The documents as they are on disk.
#[derive(Debug)]
pub struct StatusWriter {
    state: Arc<StateDir>,
    written: BTreeMap<String, Value>,
    folders: BTreeSet<String>,
    /// Whether there is room put by for the next status.
    reserved: bool,
}

/// A file that holds room for status documents: on a full disk the old ones would go on saying that all
/// is well.
const RESERVE: &str = "operator/reserve";
const RESERVE_BYTES: usize = 256 * 1024;

impl StatusWriter {
    /// Takes over what an operator before this one wrote, so that times of conditions go on.
    pub fn open(state: Arc<StateDir>) -> Self {
        let mut written = BTreeMap::new();
        for folder in entries(&state, "status") {
            for file in entries(&state, &format!("status/{folder}")) {
                let name = format!("{folder}/{file}");
                let bytes = state.read(format!("status/{name}")).ok().flatten();
                let document = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                written.insert(name, document.unwrap_or_default());
            }
        }
        Self {
            state,
            written,
            folders: BTreeSet::new(),
            reserved: false,
        }
    }

    /// Makes these the documents on disk. Returns how many were written or removed, and the first
    /// failure: one document that cannot be written keeps back no other, and is tried again the next
    /// time.
    pub fn write(
        &mut self,
        documents: BTreeMap<String, Value>,
        now: Timestamp,
    ) -> (usize, io::Result<()>) {
        let (changes, outcome) = self.write_all(&documents, now);
        if outcome.is_err() && self.reserved {
            self.reserved = false;
            // What keeps it from being removed keeps the documents from being written as well.
            let _ = self.state.remove(RESERVE);
            let (more, outcome) = self.write_all(&documents, now);
            return (changes + more, outcome);
        }
        self.reserve();
        (changes, outcome)
    }

    /// Puts room by, as long as there is plenty.
    fn reserve(&mut self) {
        if self.reserved {
            return;
        }
        let room = rustix::fs::statvfs(self.state.path())
            .map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if room >= 4 * RESERVE_BYTES as u64 {
            let written = self
                .state
                .write_quickly(RESERVE, &vec![b' '; RESERVE_BYTES]);
            self.reserved = written.is_ok();
        }
    }

    fn write_all(
        &mut self,
        documents: &BTreeMap<String, Value>,
        now: Timestamp,
    ) -> (usize, io::Result<()>) {
        let mut changes = 0;
        let mut outcome = Ok(());
        let gone: Vec<String> = self
            .written
            .keys()
            .filter(|name| !documents.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            let removed = self.state.remove(format!("status/{name}"));
            changes += usize::from(removed.is_ok());
            if removed.is_ok() {
                self.written.remove(&name);
            }
            outcome = outcome.and(removed);
        }
        for (name, document) in documents {
            let mut document = document.clone();
            let before = self.written.get(name);
            keep_times(&mut document, before, now);
            if before != Some(&document) {
                let placed = self.place(name, &document);
                changes += usize::from(placed.is_ok());
                if placed.is_ok() {
                    self.written.insert(name.clone(), document);
                }
                outcome = outcome.and(placed);
            }
        }
        (changes, outcome)
    }

    /// The operator ends: what only its watching made true is not known any more.
    ///
    /// # Errors
    /// What the system says.
    pub fn forget(&mut self, now: Timestamp) -> io::Result<()> {
        let mut documents = self.written.clone();
        for document in documents.values_mut() {
            pavilion_crds::forget(
                document,
                manifest::OPERATOR_STOPPED.code,
                manifest::OPERATOR_STOPPED.meaning,
            );
        }
        self.write(documents, now).1
    }

    fn place(&mut self, name: &str, document: &Value) -> io::Result<()> {
        let folder = name.split('/').next().unwrap_or_default();
        if !self.folders.contains(folder) {
            self.state.make_dir(format!("status/{folder}"))?;
            self.folders.insert(folder.to_owned());
        }
        let mut bytes = serde_json::to_vec_pretty(document).map_err(io::Error::other)?;
        bytes.push(b'\n');
        self.state.write_quickly(format!("status/{name}"), &bytes)
    }
}

/// Fills in times: a condition keeps the one it had before until its status changes.
pub fn keep_times(document: &mut Value, before: Option<&Value>, now: Timestamp) {
    let earlier = before.and_then(|before| before["status"]["conditions"].as_array());
    let conditions = document["status"]["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        let same = earlier.into_iter().flatten().find(|earlier| {
            earlier["type"] == condition["type"] && earlier["status"] == condition["status"]
        });
        condition["lastTransitionTime"] = match same {
            Some(same) => same["lastTransitionTime"].clone(),
            None => json!(format!("{now:.0}")),
        };
    }
}

fn entries(state: &StateDir, folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(state.join(folder)) else {
        return Vec::new(); // There is none yet.
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn document(status: &str, message: &str) -> BTreeMap<String, Value> {
        let condition = json!({"type": "Ready", "status": status, "message": message, "lastTransitionTime": ""});
        let document = json!({"status": {"conditions": [condition]}});
        BTreeMap::from([("tenant/acme.json".to_owned(), document)])
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn written(
        writer: &mut StatusWriter,
        documents: BTreeMap<String, Value>,
        second: i64,
    ) -> usize {
        let (count, outcome) = writer.write(documents, at(second));
        outcome.unwrap();
        count
    }

    #[test]
    fn one_document_that_cannot_be_written_keeps_back_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(folder.path()).unwrap());
        let mut writer = StatusWriter::open(Arc::clone(&state));
        let mut documents = document("True", "a");
        written(&mut writer, document("False", "a"), 0);
        let reserve = state.join(RESERVE);
        assert!(reserve.exists());
        let stuck = "policy/acme.over18.json";
        documents.insert(stuck.to_owned(), json!({}));
        fs::create_dir_all(state.join("status").join(stuck).join("in the way")).unwrap();
        let (count, outcome) = writer.write(documents.clone(), at(0));
        assert_eq!(count, 1);
        assert!(outcome.is_err());
        assert!(!reserve.exists(), "what is put by is given first");
        assert!(state.join("status/tenant/acme.json").is_file());
        fs::remove_dir_all(state.join("status").join(stuck)).unwrap();
        assert_eq!(written(&mut writer, documents, 1), 1);
        assert!(reserve.exists());
        assert!(state.join("status").join(stuck).is_file());
    }

    #[test]
    fn an_operator_that_ends_says_that_nobody_looks_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(folder.path()).unwrap());
        let mut writer = StatusWriter::open(Arc::clone(&state));
        written(&mut writer, document("True", "a"), 0);
        writer.forget(at(5)).unwrap();
        let bytes = state.read("status/tenant/acme.json").unwrap().unwrap();
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let ready = &document["status"]["conditions"][0];
        assert_eq!(ready["status"], "Unknown");
        assert_eq!(ready["reason"], "OperatorStopped");
        assert_eq!(ready["lastTransitionTime"], "1970-01-01T00:00:05Z");
    }

    #[test]
    fn a_steady_state_writes_nothing_and_a_flip_has_a_new_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(folder.path()).unwrap());
        let mut writer = StatusWriter::open(Arc::clone(&state));
        let time = || {
            let bytes = state.read("status/tenant/acme.json").unwrap().unwrap();
            let document: Value = serde_json::from_slice(&bytes).unwrap();
            document["status"]["conditions"][0]["lastTransitionTime"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(written(&mut writer, document("False", "a"), 0), 1);
        assert_eq!(time(), "1970-01-01T00:00:00Z");
        assert_eq!(written(&mut writer, document("False", "a"), 1), 0);
        assert_eq!(written(&mut writer, document("False", "b"), 2), 1);
        assert_eq!(time(), "1970-01-01T00:00:00Z");
        assert_eq!(written(&mut writer, document("True", "b"), 3), 1);
        assert_eq!(time(), "1970-01-01T00:00:03Z");
        let mut next = StatusWriter::open(Arc::clone(&state));
        assert_eq!(written(&mut next, document("True", "b"), 9), 0);
        assert_eq!(written(&mut next, BTreeMap::new(), 9), 1);
        assert_eq!(state.read("status/tenant/acme.json").unwrap(), None);
    }
}
