//! The write-ahead log on disk: segment files in which an entry is durable before anything else.
//!
//! One batch is one frame, one write and one `fdatasync`. Only after that has it been
//! acknowledged, and only then is the next one written. When a write or an fsync fails, the file's
//! unsynced state is unknown and the kernel may have dropped the dirty pages (after which an fsync
//! of the same file would succeed without having written anything), so the segment is left alone
//! and [`Wal::repair`] does this before the next append: the file is opened anew, its cached pages
//! are dropped, every acknowledged frame is read back and compared, whatever follows them is cut
//! off (nobody was told about it), the cut is fsynced, and appending goes on in a new file.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pavilion_process::durable::sync_folder;
use rustix::fs::{Advice, fadvise};

use super::frame::{self, Leaf, SALT, SEGMENT_HEADER};

/// The folder of the segments below the log's directory.
pub(crate) const FOLDER: &str = "wal";
/// Files kept for the next segments.
const SPARES: usize = 4;
/// What the name of a file ends in that waits to become a segment.
const SPARE: &str = "spare";

/// A segment that is no longer written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    pub path: PathBuf,
    /// One past the index of the last entry in it.
    pub end: u64,
}

/// The segments that are not written to: finished ones, and files to be used again.
///
/// Appending to a file changes its length, so each fsync commits the file system's journal and
/// waits for whatever else is in it. Overwriting a file that has its blocks does not; a segment
/// whose entries are sealed is therefore kept as a spare for the next one.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: PathBuf,
    kept: Mutex<Kept>,
    #[cfg(test)]
    faults: Faults,
}

#[derive(Debug, Default)]
struct Kept {
    /// Oldest first.
    finished: VecDeque<Finished>,
    /// Spares whose old names are gone for good.
    spares: Vec<PathBuf>,
    /// Spares that were renamed, but the folder was not fsynced since.
    fresh: Vec<PathBuf>,
}

/// The writer's half: appends batches.
#[derive(Debug)]
pub(crate) struct Wal {
    folder: PathBuf,
    origin: String,
    segment_bytes: u64,
    next: u64,
    active: Option<Segment>,
    /// A segment whose last write failed; to be repaired before anything else is written.
    suspect: Option<Segment>,
    segments: Arc<Segments>,
    buffer: Vec<u8>,
    #[cfg(test)]
    pub faults: Arc<Faults>,
}

#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    header: [u8; SEGMENT_HEADER],
    first: u64,
    /// Everything before this offset is acknowledged.
    acknowledged: u64,
    /// One past the index of the last acknowledged entry.
    end: u64,
}

/// Makes the disk fail in tests of this crate: there is no way to ask a real one.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub syncs: std::sync::atomic::AtomicU32,
    pub repairs: std::sync::atomic::AtomicU32,
    pub folders: std::sync::atomic::AtomicU32,
    pub panics: std::sync::atomic::AtomicU32,
}

impl Wal {
    /// A log that goes on at index `next`, after the `finished` segments. Nothing is written yet.
    pub fn new(
        root: &Path,
        origin: &str,
        segment_bytes: u64,
        next: u64,
        segments: Arc<Segments>,
    ) -> Self {
        Self {
            folder: root.join(FOLDER),
            origin: origin.to_owned(),
            segment_bytes,
            next,
            active: None,
            suspect: None,
            segments,
            buffer: Vec::new(),
            #[cfg(test)]
            faults: Arc::default(),
        }
    }

    /// Makes the batch durable and returns the index of its first entry. After an error nothing of
    /// the batch counts, and nothing more is appended until [`Wal::repair`] succeeds.
    pub fn append(&mut self, batch: &[Leaf]) -> io::Result<u64> {
        let first = self.next;
        self.ensure_segment()?;
        let Some(segment) = self.active.as_mut() else {
            return Err(io::Error::other("no segment"));
        };
        self.buffer.clear();
        frame::write(&mut self.buffer, &segment.header, first, batch.iter());
        let written = segment
            .file
            .write_all_at(&self.buffer, segment.acknowledged);
        let synced = written.and_then(|()| segment.file.sync_data());
        #[cfg(test)]
        let synced = synced.and_then(|()| self.faults.strike_sync());
        if let Err(error) = synced {
            self.suspect = self.active.take();
            return Err(error);
        }
        segment.acknowledged += self.buffer.len() as u64;
        segment.end += batch.len() as u64;
        self.next = segment.end;
        Ok(first)
    }

    /// Whether something of a failed append may still be on disk.
    pub fn is_suspect(&self) -> bool {
        self.suspect.is_some()
    }

    /// Makes sure that the next append has a place to go. After a failure this first cuts the
    /// segment back to what was acknowledged; see the module's words.
    pub fn repair(&mut self) -> io::Result<()> {
        if let Some(segment) = &self.suspect {
            #[cfg(test)]
            Faults::strike(&self.faults.repairs)?;
            segment.verify_and_cut(&self.origin)?;
            let kept = segment.end > segment.first;
            let (path, end) = (segment.path.clone(), segment.end);
            self.suspect = None;
            if kept {
                self.segments.finish(Finished { path, end });
            } else {
                fs::remove_file(&path)?;
            }
        }
        self.ensure_segment()
    }

    /// Finishes the active segment when it is long enough, and makes a new one if there is none.
    fn ensure_segment(&mut self) -> io::Result<()> {
        if self.suspect.is_some() {
            return Err(io::Error::other("the write-ahead log waits for its repair"));
        }
        if let Some(full) = self
            .active
            .take_if(|active| active.acknowledged >= self.segment_bytes)
        {
            self.segments.finish(Finished {
                path: full.path,
                end: full.end,
            });
        }
        if self.active.is_none() {
            self.active = Some(Segment::create(
                &self.folder,
                self.next,
                &self.origin,
                self.segments.spare(),
            )?);
        }
        Ok(())
    }
}

impl Segment {
    /// Makes the segment that begins at index `first`, out of a spare file if there is one. It has
    /// its name only when its header is durable.
    fn create(folder: &Path, first: u64, origin: &str, spare: Option<PathBuf>) -> io::Result<Self> {
        let path = folder.join(format!("{first:020}.wal"));
        let aside = spare.unwrap_or_else(|| folder.join(format!("new.{SPARE}")));
        let mut salt = [0; SALT];
        aws_lc_rs::rand::fill(&mut salt).map_err(io::Error::other)?;
        let header = frame::segment_header(first, origin, salt);
        let made = || {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&aside)?;
            file.write_all_at(&header, 0)?;
            file.sync_all()?;
            // What stands under this name holds no entry: an unused segment of an earlier start.
            fs::rename(&aside, &path)?;
            sync_folder(folder)?;
            Ok(file)
        };
        let file = made().inspect_err(|_: &io::Error| {
            // The error that matters is the one that is returned.
            let _ = fs::remove_file(&aside);
        })?;
        let acknowledged = SEGMENT_HEADER as u64;
        Ok(Self {
            file,
            path,
            header,
            first,
            acknowledged,
            end: first,
        })
    }

    /// Reads the acknowledged frames back from the disk itself and cuts what follows them.
    fn verify_and_cut(&self, origin: &str) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        drop_cache(&file)?;
        let mut bytes = vec![0; usize::try_from(self.acknowledged).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        let read = frame::read(&Bytes::from(bytes), origin).map_err(io::Error::other)?;
        if read.whole as u64 != self.acknowledged || read.first != self.first {
            return Err(io::Error::other("acknowledged entries cannot be read back"));
        }
        file.set_len(self.acknowledged)?;
        file.sync_all()
    }
}

impl Segments {
    /// The segments that were found, oldest first; spares of an earlier start are removed.
    pub fn new(root: &Path, finished: VecDeque<Finished>) -> io::Result<Self> {
        let folder = root.join(FOLDER);
        for path in files(&folder, SPARE)? {
            fs::remove_file(path)?;
        }
        let kept = Kept {
            finished,
            ..Kept::default()
        };
        Ok(Self {
            folder,
            kept: Mutex::new(kept),
            #[cfg(test)]
            faults: Faults::default(),
        })
    }

    /// Lets go of the finished segments whose entries all lie below `index`.
    pub fn drop_below(&self, index: u64) -> io::Result<()> {
        let mut kept = self.lock();
        while let Some(oldest) = kept.finished.front().filter(|segment| segment.end <= index) {
            let spare = oldest.path.with_extension(SPARE);
            if kept.spares.len() + kept.fresh.len() < SPARES {
                fs::rename(&oldest.path, &spare)?;
                kept.fresh.push(spare);
            } else {
                fs::remove_file(&oldest.path)?;
            }
            kept.finished.pop_front();
        }
        // A spare is overwritten: after a power cut it must not come back under its old name. Until
        // the folder is on disk it is not given out.
        if !kept.fresh.is_empty() {
            #[cfg(test)]
            Faults::strike(&self.faults.folders)?;
            sync_folder(&self.folder)?;
            let mut fresh = std::mem::take(&mut kept.fresh);
            kept.spares.append(&mut fresh);
        }
        Ok(())
    }

    fn finish(&self, segment: Finished) {
        self.lock().finished.push_back(segment);
    }

    fn spare(&self) -> Option<PathBuf> {
        self.lock().spares.pop()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Every change is one step; what failed in between is tried again.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The segment files of a log, oldest first.
pub(crate) fn segment_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = files(&root.join(FOLDER), "wal")?;
    // Names are the first index with 20 digits: their order is the order of the entries.
    paths.sort();
    Ok(paths)
}

fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Makes what is read next come from the disk itself: drops the file's clean pages.
pub(crate) fn drop_cache(file: &File) -> io::Result<()> {
    fadvise(file, 0, None, Advice::DontNeed)?;
    Ok(())
}

#[cfg(test)]
impl Faults {
    /// Fails as many fsyncs as were ordered, or ends the thread.
    fn strike_sync(&self) -> io::Result<()> {
        if Self::strike(&self.panics).is_err() {
            std::panic::resume_unwind(Box::new("ordered by a test"));
        }
        Self::strike(&self.syncs)
    }

    /// Fails as often as was ordered.
    fn strike(orders: &std::sync::atomic::AtomicU32) -> io::Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        let ordered = orders.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        if ordered.is_ok() {
            Err(io::Error::other("the disk failed"))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;

    const ORIGIN: &str = "example.com/log";

    fn wal(root: &Path) -> Wal {
        fs::create_dir_all(root.join(FOLDER)).unwrap();
        let segments = Segments::new(root, VecDeque::new()).unwrap();
        Wal::new(root, ORIGIN, 1024, 0, Arc::new(segments))
    }

    fn batch(text: &str) -> Vec<Leaf> {
        vec![Leaf::new(Bytes::copy_from_slice(text.as_bytes()))]
    }

    /// Every entry on disk, in the order of the files.
    fn entries(root: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for path in segment_files(root).unwrap() {
            let read = frame::read(&fs::read(path).unwrap().into(), ORIGIN).unwrap();
            assert_eq!(read.first, found.len() as u64);
            found.extend(
                read.leaves
                    .iter()
                    .map(|l| String::from_utf8_lossy(&l.entry).into_owned()),
            );
        }
        found
    }

    #[test]
    fn a_batch_whose_fsync_failed_is_cut_and_its_index_used_again() {
        let root = tempfile::tempdir().unwrap();
        let mut wal = wal(root.path());
        assert_eq!(wal.append(&batch("kept")).unwrap(), 0);
        wal.faults.syncs.store(1, SeqCst);
        assert!(wal.append(&batch("lost")).is_err());
        assert!(
            wal.append(&batch("too early")).is_err(),
            "nothing is written before the repair"
        );
        wal.repair().unwrap();
        assert_eq!(wal.append(&batch("next")).unwrap(), 1);
        assert_eq!(entries(root.path()), ["kept", "next"]);
    }

    #[test]
    fn a_first_batch_that_failed_leaves_no_segment_behind() {
        let root = tempfile::tempdir().unwrap();
        let mut wal = wal(root.path());
        wal.faults.syncs.store(1, SeqCst);
        assert!(wal.append(&batch("lost")).is_err());
        wal.repair().unwrap();
        assert_eq!(wal.append(&batch("first")).unwrap(), 0);
        assert_eq!(entries(root.path()), ["first"]);
    }

    #[test]
    fn acknowledged_entries_that_do_not_read_back_are_never_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let mut wal = wal(root.path());
        wal.append(&batch("kept")).unwrap();
        wal.faults.syncs.store(1, SeqCst);
        assert!(wal.append(&batch("lost")).is_err());
        let path = &segment_files(root.path()).unwrap()[0];
        let mut bytes = fs::read(path).unwrap();
        bytes[SEGMENT_HEADER + frame::FRAME_HEADER + 3] ^= 1;
        fs::write(path, bytes).unwrap();
        assert!(wal.repair().is_err());
        assert!(wal.append(&batch("next")).is_err());
    }

    #[test]
    fn segments_are_finished_when_full_and_dropped_when_asked() {
        let root = tempfile::tempdir().unwrap();
        let mut wal = wal(root.path());
        for _ in 0..6 {
            wal.append(&batch(&"x".repeat(500))).unwrap();
        }
        assert_eq!(segment_files(root.path()).unwrap().len(), 3);
        wal.segments.drop_below(3).unwrap();
        assert_eq!(segment_files(root.path()).unwrap().len(), 2);
        wal.segments.drop_below(100).unwrap();
        assert_eq!(
            segment_files(root.path()).unwrap().len(),
            1,
            "the active one stays"
        );
    }

    #[test]
    fn a_segment_is_used_again_only_when_its_old_name_is_gone_for_good() {
        let root = tempfile::tempdir().unwrap();
        let mut wal = wal(root.path());
        for _ in 0..3 {
            wal.append(&batch(&"x".repeat(2_000))).unwrap();
        }
        wal.segments.faults.folders.store(1, SeqCst);
        assert!(wal.segments.drop_below(1).is_err());
        assert_eq!(wal.segments.spare(), None);
        wal.segments.drop_below(1).unwrap();
        assert!(
            wal.segments.spare().is_some(),
            "tried again, without a new segment"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_and_no_entry() {
        let root = tempfile::tempdir().unwrap();
        let mut wal = wal(root.path());
        fs::remove_dir(root.path().join(FOLDER)).unwrap();
        assert!(wal.append(&batch("x")).is_err());
        assert!(wal.repair().is_err());
        fs::create_dir(root.path().join(FOLDER)).unwrap();
        wal.repair().unwrap();
        assert_eq!(wal.append(&batch("x")).unwrap(), 0);
    }
}
