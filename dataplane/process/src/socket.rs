//! Unix sockets that only the right neighbours can talk to.
//!
//! A socket appears under its path in one step, already with mode 0660. A file left by a process
//! that died is taken over; a socket that somebody still listens on is not. Each peer's uid
//! (`SO_PEERCRED`) is compared with a list before a byte of it is read; a foreign peer is closed,
//! counted and logged.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{Stream, stream};
use tokio::net::{UnixListener, UnixStream};

/// The mode of every socket file.
const MODE: u32 = 0o660;

/// How long to wait after the system refused an accept (no file handles left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who may connect, by uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peers {
    /// Whoever the file's mode lets in; for sockets that serve nothing but health.
    Any,
    /// These uids and nobody else.
    Uids(BTreeSet<u32>),
}

impl Peers {
    /// Only processes of this process's own user.
    pub fn own_user() -> Self {
        Self::Uids(BTreeSet::from([rustix::process::geteuid().as_raw()]))
    }

    /// The listed uids; an empty list means [`Peers::own_user`].
    pub fn from_config(uids: &[u32]) -> Self {
        if uids.is_empty() {
            Self::own_user()
        } else {
            Self::Uids(uids.iter().copied().collect())
        }
    }

    fn admits(&self, uid: Option<u32>) -> bool {
        match self {
            Self::Any => true,
            Self::Uids(uids) => uid.is_some_and(|uid| uids.contains(&uid)),
        }
    }
}

/// Why a socket could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A living process answers on it.
    #[error("{0}: another process is listening on this socket")]
    Taken(PathBuf),
    /// The path exists and is no socket; it is left alone.
    #[error("{0}: exists and is not a socket")]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A bound unix socket. Dropping it removes its file, if the file is still its own.
#[derive(Debug)]
pub struct Listener {
    inner: UnixListener,
    path: PathBuf,
    inode: (u64, u64),
    peers: Peers,
    refused: Arc<AtomicU64>,
}

impl Listener {
    /// Binds `path` (relative to the working directory; at most about 100 bytes).
    ///
    /// Call it inside a tokio runtime.
    pub fn bind(path: impl AsRef<Path>, peers: Peers) -> Result<Self, ListenError> {
        let path = path.as_ref().to_path_buf();
        clear_stale(&path)?;
        let io = |error| ListenError::Io {
            path: path.clone(),
            error,
        };
        let fresh = fresh_name(&path);
        let inner = UnixListener::bind(&fresh).map_err(io)?;
        let placed = fs::set_permissions(&fresh, Permissions::from_mode(MODE))
            .and_then(|()| fs::symlink_metadata(&fresh))
            .and_then(|file| fs::rename(&fresh, &path).map(|()| (file.dev(), file.ino())));
        match placed {
            Ok(inode) => Ok(Self {
                inner,
                path,
                inode,
                peers,
                refused: Arc::default(),
            }),
            Err(error) => {
                // The error that matters is the one above.
                let _ = fs::remove_file(&fresh);
                Err(io(error))
            }
        }
    }

    /// Counts the connections that were refused for their uid.
    pub fn refused(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.refused)
    }

    /// The next connection of an admitted peer. Never fails: what the system refuses is logged and tried again.
    pub async fn accept(&self) -> UnixStream {
        loop {
            match self.inner.accept().await {
                Ok((stream, _)) if self.admits(&stream) => return stream,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(socket = %self.path.display(), %error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// The connections as a stream without end.
    pub fn into_stream(self) -> impl Stream<Item = io::Result<UnixStream>> + Send {
        stream::unfold(self, |listener| async move {
            let stream = listener.accept().await;
            Some((Ok(stream), listener))
        })
    }

    fn admits(&self, stream: &UnixStream) -> bool {
        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
        let admitted = self.peers.admits(uid);
        if !admitted {
            self.refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(socket = %self.path.display(), uid, "peer refused: its uid is not on the list");
        }
        admitted
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let own = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == self.inode);
        if own {
            // Nothing to do about a folder that is already gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A short name in the same folder, so that a path that fits keeps fitting.
fn fresh_name(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{:x}-{count:x}", std::process::id()))
}

/// Makes sure that nobody listens on `path`.
fn clear_stale(path: &Path) -> Result<(), ListenError> {
    let io = |error| ListenError::Io {
        path: path.to_path_buf(),
        error,
    };
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    if !file.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.to_path_buf()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ListenError::Taken(path.to_path_buf())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(socket = %path.display(), "took over the socket of a process that is gone");
            Ok(())
        }
        Err(error) => Err(io(error)),
    }
}
