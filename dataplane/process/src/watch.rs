//! Follows a document that is replaced by rename.
//!
//! The folder is watched by inotify, which sees renames and the symbolic-link swap of a mounted
//! volume; every 5 s the file is looked at anyway, for file systems that tell nobody. A document is
//! handed out once per content. Files that are not documents of ours, certificates and keys, are
//! followed by [`FileChanges`] in the same way.

mod changes;
mod notes;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream;

pub use changes::FileChanges;
use notes::Notes;

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
    notes: Notes,
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Watch {
    fn new(path: PathBuf, max_bytes: u64, every: Duration) -> Self {
        Self {
            notes: Notes::beside(&path),
            path,
            max_bytes,
            every,
            seen: None,
            last: None,
        }
    }

    async fn next(&mut self) -> Result<Bytes, WatchError> {
        loop {
            self.notes.begin();
            if let Some(news) = self.look() {
                self.last = Some(news.clone());
                return news;
            }
            tokio::select! {
                () = self.notes.next() => {}
                () = tokio::time::sleep(self.every) => {}
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
}
