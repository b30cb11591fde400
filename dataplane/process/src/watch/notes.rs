//! Notes that something happened in a folder.

use std::path::{Path, PathBuf};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// Is told by inotify when something happens in one folder.
#[derive(Debug)]
pub(super) struct Notes {
    folder: PathBuf,
    events: mpsc::Receiver<()>,
    tell: mpsc::Sender<()>,
    watcher: Option<RecommendedWatcher>,
}

impl Notes {
    /// Notes about the folder that `path` is in.
    pub(super) fn beside(path: &Path) -> Self {
        // One waiting note is enough: a look sees everything that came before it.
        let (tell, events) = mpsc::channel(1);
        Self {
            folder: folder(path).to_path_buf(),
            events,
            tell,
            watcher: None,
        }
    }

    /// Sets the watch on the folder, as soon as there is one. Call it before each look.
    pub(super) fn begin(&mut self) {
        if self.watcher.is_some() {
            return;
        }
        let tell = self.tell.clone();
        let note = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // A full channel already holds a note.
                let _ = tell.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(note).and_then(|mut watcher| {
            watcher.watch(&self.folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                tracing::debug!(folder = %self.folder.display(), %error, "not told about changes; looking every 5 s");
            }
        }
    }

    /// Completes when something has happened since the last time.
    pub(super) async fn next(&mut self) {
        // `self` holds a sender, so there is always another note to wait for.
        let _ = self.events.recv().await;
    }
}

/// The folder that `path` is in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_file_name_is_watched_in_the_working_directory() {
        assert_eq!(folder(Path::new("bundle.json")), Path::new("."));
        assert_eq!(folder(Path::new("a/bundle.json")), Path::new("a"));
    }
}
