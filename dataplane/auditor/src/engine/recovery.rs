//! Opening a directory: what a crash may have left is mended, what it cannot have left is refused.
//!
//! 1. The directory is locked (`flock`), its `VERSION` compared.
//! 2. Every segment of the write-ahead log is fsynced and read from the disk itself. A torn tail
//!    of the last one is cut: nobody was told about it. A whole frame at the end is kept even
//!    though its acknowledgement may not have been sent, because it may have been.
//! 3. The tree is rebuilt: full tiles that were sealed, then the entries of the write-ahead log.
//!    Entries in both must agree.
//! 4. The directory's checkpoint must be a prefix of that tree: its size not larger, its root the
//!    same. If not, the log refuses to start rather than sign a contradiction.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pavilion_process::durable;
use pavilion_tlog::{Checkpoint, Note, TILE_WIDTH, TileKind, TilePath};
use rustix::fs::{FlockOperation, flock};

use super::error::OpenError;
use super::files::{Placer, read_if_there};
use super::frame::{self, FrameError, Leaf};
use super::seal::CHECKPOINT;
use super::shared::Settings;
use super::tree::{Completed, Disk, Tree};
use super::wal::{self, Finished, Segments, Wal};

/// The newest format of a log's directory that this release reads, and the one it writes.
const FORMAT: u64 = 1;
const VERSION: &str = "VERSION";
const LOCK: &str = "lock";
/// Permissions of folders and files, less the umask: a log is public.
const FOLDERS: u32 = 0o777;
const FILES: u32 = 0o666;

/// A directory that was opened.
pub(crate) struct Recovered {
    /// Held as long as the log is open.
    pub lock: File,
    pub tree: Tree,
    pub wal: Wal,
    pub segments: Arc<Segments>,
    pub placer: Placer,
    /// What became full in the write-ahead log and is not in files yet.
    pub backlog: VecDeque<Completed>,
    /// Size of the checkpoint in the directory.
    pub view_size: Option<u64>,
}

/// Opens the directory, making it when it is empty or missing.
pub(crate) fn open(settings: &Settings) -> Result<Recovered, OpenError> {
    let root = &settings.directory;
    let at = OpenError::io;
    durable::make_folder(root, FOLDERS).map_err(at(root))?;
    let lock = lock(root)?;
    check_version(root)?;
    durable::make_folder(&root.join(wal::FOLDER), FOLDERS).map_err(at(root))?;
    let placer = Placer::new(root).map_err(at(root))?;
    durable::sync_folder(root).map_err(at(root))?;
    let (found, leaves, first) = read_segments(root, &settings.origin)?;
    let sealed = sealed_below(root, first)?;
    let (tree, backlog) = rebuild(settings, sealed, first.unwrap_or(sealed), leaves)?;
    let view_size = check_checkpoint(root, &settings.origin, &tree)?;
    let segments = Segments::new(root, found).map_err(at(root))?;
    segments.drop_below(sealed).map_err(at(root))?;
    let segments = Arc::new(segments);
    let next = tree.size();
    let wal = Wal::new(
        root,
        &settings.origin,
        settings.segment_bytes,
        next,
        Arc::clone(&segments),
    );
    Ok(Recovered {
        lock,
        tree,
        wal,
        segments,
        placer,
        backlog,
        view_size,
    })
}

fn lock(root: &Path) -> Result<File, OpenError> {
    let path = root.join(LOCK);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let file = file.map_err(OpenError::io(&path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked(root.to_owned())),
        Err(error) => Err(OpenError::Io {
            path,
            error: error.into(),
        }),
    }
}

/// A directory without `VERSION` is a new one, unless there is something in it.
fn check_version(root: &Path) -> Result<(), OpenError> {
    let path = root.join(VERSION);
    let Some(bytes) = read_if_there(&path).map_err(OpenError::io(&path))? else {
        for name in [CHECKPOINT, "tile", wal::FOLDER] {
            if root.join(name).exists() {
                return Err(OpenError::broken(
                    &path,
                    "the file is missing, but a log is there",
                ));
            }
        }
        let text = format!("{FORMAT}\n");
        let written = durable::replace(&path, text.as_bytes(), FILES);
        return written.map_err(OpenError::io(&path));
    };
    let text = String::from_utf8_lossy(&bytes);
    match text.trim_end().parse::<u64>() {
        Ok(FORMAT) => Ok(()),
        Ok(found) if found > FORMAT => Err(OpenError::Newer {
            path,
            found,
            known: FORMAT,
        }),
        _ => Err(OpenError::broken(
            &path,
            "not a format number of this product",
        )),
    }
}

/// Segments with entries, all entries in order, and the index of the first; `None` without segments.
type Found = (VecDeque<Finished>, Vec<Leaf>, Option<u64>);

fn read_segments(root: &Path, origin: &str) -> Result<Found, OpenError> {
    let paths = wal::segment_files(root).map_err(OpenError::io(root))?;
    let (mut segments, mut leaves, mut first) = (VecDeque::new(), Vec::new(), None);
    for (position, path) in paths.iter().enumerate() {
        let is_last = position + 1 == paths.len();
        let Some(read) = read_segment(path, origin, is_last)? else {
            continue;
        };
        let expected = first.map_or(read.first, |first: u64| first + leaves.len() as u64);
        if read.first != expected {
            return Err(OpenError::broken(
                path,
                "entries before this segment are missing",
            ));
        }
        first = Some(first.unwrap_or(read.first));
        if read.leaves.is_empty() {
            // Its name is the one the next segment gets; it is made anew then.
            continue;
        }
        leaves.extend(read.leaves);
        let end = first.unwrap_or(0) + leaves.len() as u64;
        segments.push_back(Finished {
            path: path.clone(),
            end,
        });
    }
    Ok((segments, leaves, first))
}

/// Reads one segment; `None` for one that was just being made.
fn read_segment(
    path: &PathBuf,
    origin: &str,
    is_last: bool,
) -> Result<Option<frame::Read>, OpenError> {
    let at = || OpenError::io(path);
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(at())?;
    file.sync_all().map_err(at())?;
    wal::drop_cache(&file).map_err(at())?;
    let bytes = Bytes::from(fs::read(path).map_err(at())?);
    match frame::read(&bytes, origin) {
        // A frame that is missing at the end of an earlier segment shows as a gap before the next.
        Ok(read) if read.whole == bytes.len() || !is_last => Ok(Some(read)),
        Ok(read) => {
            tracing::info!(
                segment = %path.display(),
                bytes = bytes.len() - read.whole,
                "cut off what follows the last whole record: unused space, or a torn record"
            );
            file.set_len(read.whole as u64)
                .and_then(|()| file.sync_all())
                .map_err(at())?;
            Ok(Some(read))
        }
        Err(FrameError::NoHeader) if is_last => {
            fs::remove_file(path).map_err(at())?;
            Ok(None)
        }
        Err(error) => Err(OpenError::broken(path, error.to_string())),
    }
}

/// How many entries certainly rest in full tiles and bundles, a multiple of 256. Segments are let
/// go only when their entries do; what the write-ahead log still has is sealed again from there.
fn sealed_below(root: &Path, first: Option<u64>) -> Result<u64, OpenError> {
    let exists = |bundle: u64| {
        let path =
            TilePath::new(TileKind::Entries, bundle, TILE_WIDTH).map(|path| path.to_string());
        path.is_ok_and(|path| root.join(path).is_file())
    };
    let Some(first) = first else {
        return Ok(bundles(exists) * u64::from(TILE_WIDTH));
    };
    let full = first.div_ceil(u64::from(TILE_WIDTH));
    if full > 0 && !exists(full - 1) {
        let what = format!(
            "the entries before entry {first} are missing: bundle {}",
            full - 1
        );
        return Err(OpenError::broken(root, what));
    }
    Ok(full * u64::from(TILE_WIDTH))
}

/// How many full bundles there are from the left: doubles until one is missing, then halves.
fn bundles(exists: impl Fn(u64) -> bool) -> u64 {
    let (mut full, mut missing) = (0, 1);
    while exists(missing - 1) {
        (full, missing) = (missing, missing * 2);
    }
    while full + 1 < missing {
        let middle = full.midpoint(missing);
        if exists(middle - 1) {
            full = middle;
        } else {
            missing = middle;
        }
    }
    full
}

/// The tree over sealed tiles and the entries of the write-ahead log that begins at `first`.
fn rebuild(
    settings: &Settings,
    sealed: u64,
    first: u64,
    leaves: Vec<Leaf>,
) -> Result<(Tree, VecDeque<Completed>), OpenError> {
    let root = &settings.directory;
    let broken = |(path, error): (TilePath, io::Error)| {
        OpenError::broken(
            &root.join(path.to_string()),
            format!("a tile the log needs cannot be read: {error}"),
        )
    };
    let tree = Tree::open(root, sealed, settings.recent_bytes).map_err(broken)?;
    let mut fresh = Vec::new();
    for (index, leaf) in (first..).zip(leaves) {
        if index >= sealed {
            // A copy of its own: a slice would keep the whole segment in memory.
            fresh.push(Leaf {
                entry: Bytes::copy_from_slice(&leaf.entry),
                hash: leaf.hash,
            });
        } else if tree.leaf(index, Disk::Read).map_err(OpenError::io(root))? != leaf.hash {
            let what = format!("entry {index} differs between the tiles and the write-ahead log");
            return Err(OpenError::broken(root, what));
        }
    }
    let backlog = tree.extend(fresh).into();
    Ok((tree, backlog))
}

/// Compares the directory's checkpoint with the tree; returns its size.
fn check_checkpoint(root: &Path, origin: &str, tree: &Tree) -> Result<Option<u64>, OpenError> {
    let path = root.join(CHECKPOINT);
    let Some(bytes) = read_if_there(&path).map_err(OpenError::io(&path))? else {
        // Either the log is new, or its signer was away since the first entry.
        return Ok(None);
    };
    let refuse = |what: &str| Err(OpenError::broken(&path, what));
    let text = String::from_utf8(bytes).ok();
    let note = text.and_then(|text| text.parse::<Note>().ok());
    let Some(checkpoint) = note.and_then(|note| note.text().parse::<Checkpoint>().ok()) else {
        return refuse("not a signed checkpoint");
    };
    if checkpoint.origin() != origin {
        return refuse("the checkpoint is of a log with another origin");
    }
    if checkpoint.size() > tree.size() {
        let (signed, there) = (checkpoint.size(), tree.size());
        return refuse(&format!(
            "the checkpoint covers {signed} entries, but only {there} are there"
        ));
    }
    let same = tree.root(checkpoint.size()).map_err(OpenError::io(root))? == checkpoint.root();
    if same {
        Ok(Some(checkpoint.size()))
    } else {
        refuse("the entries do not hash to the signed root")
    }
}
