//! Writes status documents when something but a time changed in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::host::StateDir;

/// The documents as they are on disk.
#[derive(Debug)]
pub struct StatusWriter {
    state: Arc<StateDir>,
    written: BTreeMap<String, Value>,
    folders: BTreeSet<String>,
}

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
        }
    }

    /// Makes these the documents on disk. Returns how many were written or removed.
    ///
    /// # Errors
    /// What the system says; what was not written is tried again the next time.
    pub fn write(
        &mut self,
        documents: BTreeMap<String, Value>,
        now: Timestamp,
    ) -> io::Result<usize> {
        let mut changes = 0;
        let gone: Vec<String> = self
            .written
            .keys()
            .filter(|name| !documents.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            self.state.remove(format!("status/{name}"))?;
            self.written.remove(&name);
            changes += 1;
        }
        for (name, mut document) in documents {
            let before = self.written.get(&name);
            keep_times(&mut document, before, now);
            if before != Some(&document) {
                self.place(&name, &document)?;
                self.written.insert(name, document);
                changes += 1;
            }
        }
        Ok(changes)
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

/// A condition keeps its time until its status changes.
fn keep_times(document: &mut Value, before: Option<&Value>, now: Timestamp) {
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
        assert_eq!(writer.write(document("False", "a"), at(0)).unwrap(), 1);
        assert_eq!(time(), "1970-01-01T00:00:00Z");
        assert_eq!(writer.write(document("False", "a"), at(1)).unwrap(), 0);
        assert_eq!(writer.write(document("False", "b"), at(2)).unwrap(), 1);
        assert_eq!(time(), "1970-01-01T00:00:00Z");
        assert_eq!(writer.write(document("True", "b"), at(3)).unwrap(), 1);
        assert_eq!(time(), "1970-01-01T00:00:03Z");
        let mut next = StatusWriter::open(Arc::clone(&state));
        assert_eq!(next.write(document("True", "b"), at(9)).unwrap(), 0);
        assert_eq!(next.write(BTreeMap::new(), at(9)).unwrap(), 1);
        assert_eq!(state.read("status/tenant/acme.json").unwrap(), None);
    }
}
