//! Follows a document that is replaced by rename.
//!
//! The folder is watched by inotify, which sees renames and the symbolic-link swap of a mounted
//! volume; every 5 s the file is looked at anyway, for file systems that tell nobody. A document is
//! handed out once per content.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// How often the file is looked at without being told.
const LOOK: Duration = Duration::from_secs(5);

/// Why a document cannot be read at the moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// There is no such file.
    #[error("{0}: does not exist")]
    Missing(PathBuf),
    /// It is larger than allowed.
    #[error("{path}: larger than {limit} bytes")]
    TooLarge {
        /// The document.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The system refused.
    #[error("{path}: {error}")]
    Unreadable {
        /// The document.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
}

/// The document at `path` now, then each replacement; an error once when it becomes unreadable.
///
/// Documents of more than `max_bytes` are an error. The stream never ends. Call it inside a runtime.
pub fn watch_document(
    path: impl Into<PathBuf>,
    max_bytes: u64,
) -> impl Stream<Item = Result<Bytes, WatchError>> + Send + Unpin {
    let watch = Watch::new(path.into(), max_bytes, LOOK);
    Box::pin(stream::unfold(watch, |mut watch| async move {
        let next = watch.next().await;
        Some((next, watch))
    }))
}

struct Watch {
    path: PathBuf,
    max_bytes: u64,
    every: Duration,
    seen: Option<Stamp>,
    last: Option<Result<Bytes, WatchError>>,
    events: mpsc::Receiver<()>,
    tell: mpsc::Sender<()>,
    watcher: Option<RecommendedWatcher>,
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Watch {
    fn new(path: PathBuf, max_bytes: u64, every: Duration) -> Self {
        // One waiting note is enough: a look sees everything that came before it.
        let (tell, events) = mpsc::channel(1);
        Self {
            path,
            max_bytes,
            every,
            seen: None,
            last: None,
            events,
            tell,
            watcher: None,
        }
    }

    async fn next(&mut self) -> Result<Bytes, WatchError> {
        loop {
            self.watch_folder();
            if let Some(news) = self.look() {
                self.last = Some(news.clone());
                return news;
            }
            tokio::select! {
                _ = self.events.recv() => {}
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    /// Sets the watch on the folder, as soon as there is one.
    fn watch_folder(&mut self) {
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
            watcher.watch(folder(&self.path), RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                tracing::debug!(path = %self.path.display(), %error, "not told about changes; looking every 5 s");
            }
        }
    }

    /// Something new, if there is.
    fn look(&mut self) -> Option<Result<Bytes, WatchError>> {
        let stamp = match fs::metadata(&self.path) {
            Ok(file) => Stamp::of(&file),
            Err(error) => {
                self.seen = None;
                return self.unless_repeated(Err(self.error(&error)));
            }
        };
        if self.seen == Some(stamp) {
            return None;
        }
        let news = self.read();
        self.seen = news.is_ok().then_some(stamp);
        self.unless_repeated(news)
    }

    fn unless_repeated(
        &self,
        news: Result<Bytes, WatchError>,
    ) -> Option<Result<Bytes, WatchError>> {
        (self.last.as_ref() != Some(&news)).then_some(news)
    }

    fn read(&self) -> Result<Bytes, WatchError> {
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|file| {
                file.take(self.max_bytes.saturating_add(1))
                    .read_to_end(&mut bytes)
            })
            .map_err(|error| self.error(&error))?;
        if bytes.len() as u64 > self.max_bytes {
            return Err(WatchError::TooLarge {
                path: self.path.clone(),
                limit: self.max_bytes,
            });
        }
        Ok(bytes.into())
    }

    fn error(&self, error: &io::Error) -> WatchError {
        let path = self.path.clone();
        if error.kind() == io::ErrorKind::NotFound {
            WatchError::Missing(path)
        } else {
            WatchError::Unreadable {
                path,
                error: error.to_string(),
            }
        }
    }
}

impl Stamp {
    fn of(file: &fs::Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            length: file.len(),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[tokio::test]
    async fn a_folder_that_did_not_exist_is_looked_for_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("later/bundle.json");
        let mut watch = Watch::new(path.clone(), 1_000, Duration::from_millis(5));
        assert!(watch.next().await.is_err());
        fs::create_dir(folder.path().join("later")).unwrap();
        fs::write(&path, "one").unwrap();
        assert_eq!(watch.next().await.unwrap(), "one");
    }

    #[test]
    fn a_bare_file_name_is_watched_in_the_working_directory() {
        assert_eq!(folder(Path::new("bundle.json")), Path::new("."));
        assert_eq!(folder(Path::new("a/bundle.json")), Path::new("a"));
    }
}
