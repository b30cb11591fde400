//! Tells when the manifest folder may have changed: at once by inotify, and every few seconds for
//! file systems that tell nobody and for files outside the folder.

use std::{path::Path, time::Duration};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

/// Several files are often saved together.
const QUIET: Duration = Duration::from_millis(100);
/// A folder that is never quiet is looked at all the same.
const IMPATIENT: Duration = Duration::from_secs(1);
/// How often to look without being told.
const LOOK: Duration = Duration::from_secs(5);

/// Watches a folder.
#[derive(Debug)]
pub struct FolderWatch {
    events: mpsc::Receiver<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl FolderWatch {
    /// Starts watching. Where the system cannot tell, only the regular look is left.
    pub fn start(folder: &Path) -> Self {
        // One waiting note is enough: a look sees everything that came before it.
        let (tell, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let touched = event.map_or(true, |event| {
                !matches!(event.kind, EventKind::Access(_)) // Reading is not changing.
            });
            if touched {
                // A full channel holds a note already.
                let _ = tell.try_send(());
            }
        })
        .and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watcher
            .inspect_err(|error| {
                let every = LOOK.as_secs();
                tracing::warn!(%error, "the manifest folder is looked at only every {every} s");
            })
            .ok();
        Self {
            events,
            _watcher: watcher,
        }
    }

    /// Completes when it is time to look.
    pub async fn changed(&mut self) {
        match timeout(LOOK, self.events.recv()).await {
            Err(_) => return,
            Ok(None) => return sleep(LOOK).await,
            Ok(Some(())) => {}
        }
        let deadline = Instant::now() + IMPATIENT;
        while Instant::now() < deadline {
            if timeout(QUIET, self.events.recv()).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_saved_file_is_seen_and_a_read_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "1").unwrap();
        let mut watch = FolderWatch::start(folder.path());
        fs::read(&file).unwrap();
        let soon = Duration::from_millis(500);
        assert!(timeout(soon, watch.changed()).await.is_err());
        fs::write(&file, "2").unwrap();
        timeout(Duration::from_secs(4), watch.changed())
            .await
            .unwrap();
    }
}
