//! Notices that one of several files has changed, without reading them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::future::select_all;

use super::notes::{Notes, folder};
use super::{LOOK, Stamp};

/// Follows files that belong together, such as a certificate and its key.
///
/// Their contents stay unread here, so that a private key is only ever in the hands of who uses it.
#[derive(Debug)]
pub struct FileChanges {
    paths: Vec<PathBuf>,
    seen: Vec<Option<Stamp>>,
    folders: Vec<Notes>,
}

impl FileChanges {
    /// Follows `paths`, of which there is at least one, from their state at this moment on: read them
    /// after this. Call it inside a runtime.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        let folders: BTreeMap<&Path, Notes> = paths
            .iter()
            .map(|path| (folder(path), Notes::beside(path)))
            .collect();
        let mut folders: Vec<Notes> = folders.into_values().collect();
        folders.iter_mut().for_each(Notes::begin);
        Self {
            seen: stamps(&paths),
            paths,
            folders,
        }
    }

    /// Completes when a file is another one than at the last time. Dropping it loses nothing.
    pub async fn next(&mut self) {
        loop {
            self.folders.iter_mut().for_each(Notes::begin);
            let now = stamps(&self.paths);
            if now != self.seen {
                self.seen = now;
                return;
            }
            let notes = self.folders.iter_mut().map(|notes| Box::pin(notes.next()));
            tokio::select! {
                _ = select_all(notes) => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| fs::metadata(path).ok().as_ref().map(Stamp::of);
    paths.iter().map(stamp).collect()
}
