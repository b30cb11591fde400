//! Tells when the manifest folder may have changed: at once by inotify, and every few seconds for
//! file systems that tell nobody and for files outside the folder.

use std::{path::Path, time::Duration};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout_at},
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
    /// When the changes that nobody has looked at yet began, and the newest of them.
    pending: Option<(Instant, Instant)>,
    /// When to look without being told.
    look: Instant,
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
            pending: None,
            look: Instant::now() + LOOK,
        }
    }

    /// Completes when it is time to look. Nothing is forgotten when the future is dropped before:
    /// what was noted stays noted, and the regular look is not put off.
    pub async fn changed(&mut self) {
        loop {
            match timeout_at(self.due(), self.events.recv()).await {
                Err(_) => break,
                Ok(None) => {
                    sleep_until(self.due()).await;
                    break;
                }
                Ok(Some(())) => {
                    let now = Instant::now();
                    let began = self.pending.map_or(now, |(began, _)| began);
                    self.pending = Some((began, now));
                }
            }
        }
        self.pending = None;
        self.look = Instant::now() + LOOK;
    }

    fn due(&self) -> Instant {
        match self.pending {
            Some((began, newest)) => (newest + QUIET).min(began + IMPATIENT),
            None => self.look,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use tokio::time::timeout;

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

    #[tokio::test]
    async fn a_change_that_was_noted_survives_that_nobody_waited_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = FolderWatch::start(folder.path());
        fs::write(folder.path().join("a.yaml"), "1").unwrap();
        // Long enough to take the note, too short to be told.
        let short = QUIET / 2;
        assert!(timeout(short, watch.changed()).await.is_err());
        timeout(Duration::from_secs(4), watch.changed())
            .await
            .unwrap();
    }
}
