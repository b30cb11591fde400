//! Somebody who follows a tenant's log without trusting whoever serves it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    judges::{LogSource, judge_log},
    load::Answered,
    relying_party::Session,
};

/// What outsiders know of a log: its key, and the newest checkpoint they have seen.
pub struct Outsider {
    folder: TempDir,
}

impl Outsider {
    /// Somebody who learns them now.
    pub async fn of(session: &Session) -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("log.vkey"), session.log_key().await).expect("a folder");
        let outsider = Self { folder };
        outsider.look(session).await;
        outsider
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keeps the checkpoint that is served now.
    pub async fn look(&self, session: &Session) {
        let checkpoint = session.get("/log/checkpoint").await;
        if checkpoint.status == 200 {
            fs::write(self.file("checkpoint"), checkpoint.bytes).expect("a folder");
        }
    }

    /// The leaf hashes of a log that only grew since the checkpoint seen last.
    ///
    /// # Errors
    /// What a foreign implementation has against it.
    pub fn read(&self, log: &LogSource<'_>) -> Result<Vec<String>, String> {
        let seen = self.file("checkpoint");
        judge_log(
            &self.file("log.vkey"),
            log,
            seen.exists().then_some(Path::new(&seen)),
        )
    }
}

/// Every answer's leaf stands among those of the log at the answer's index, which no other has.
pub fn assert_holds(leaves: &[String], answered: &[Answered]) {
    let indices: BTreeSet<_> = answered.iter().map(|answer| answer.index).collect();
    assert_eq!(
        indices.len(),
        answered.len(),
        "an index was given out twice"
    );
    for answer in answered {
        let at = usize::try_from(answer.index).expect("an index of this machine");
        assert_eq!(
            leaves.get(at),
            Some(&answer.leaf),
            "entry {at} is not the answer's that was acknowledged"
        );
    }
}
