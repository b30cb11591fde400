//! The sealer: moves what is durable in the write-ahead log into the files outsiders know.
//!
//! Full tiles and bundles are placed and settled; only then do they count as sealed, and segments
//! of the write-ahead log go away
//! only after that. The directory's `checkpoint` is replaced last of all: after every tile and
//! bundle of that size, partial ones included, was fsynced under its name. It follows the newest
//! signed checkpoint (which is handed out from memory) within the view interval.
//!
//! Partial tiles stay until the tile is full, as tlog-tiles asks; of partial bundles, which nobody
//! is served, the newest two.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pavilion_tlog::{TILE_WIDTH, TileKind, TilePath, push_entry};

use super::files::Placer;
use super::queue::Bounds;
use super::shared::{Shared, SignedCheckpoint};
use super::tree::Completed;
use super::wal::Segments;

/// The file of the newest checkpoint below the log's directory.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// How much is sealed in one go.
const TURN: Bounds = Bounds {
    items: 64,
    weight: 16 * 1024 * 1024,
};
/// First and longest pause after the disk refused.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Partial bundles that are left for whoever reads the directory at this moment.
const PARTIAL_BUNDLES: usize = 2;

/// The sealer's own state; one thread runs it.
pub(crate) struct Sealer {
    pub shared: Arc<Shared>,
    pub placer: Placer,
    pub segments: Arc<Segments>,
    /// What waits to be sealed, oldest first.
    pub backlog: VecDeque<Completed>,
    /// Size of the checkpoint in the directory.
    pub view_size: Option<u64>,
    /// When the directory's checkpoint was last replaced.
    pub viewed_at: Option<Instant>,
    /// Partial bundles in the directory, oldest first.
    pub bundles: VecDeque<PathBuf>,
}

impl Sealer {
    /// Works until the queue of completed bundles is closed and everything is on disk.
    pub fn run(mut self) {
        let mut pause = PAUSES.0;
        loop {
            let open = if self.backlog.is_empty() {
                self.receive()
            } else {
                true
            };
            match self.work(!open) {
                Ok(()) => {
                    pause = PAUSES.0;
                    self.shared.set_sealer(Ok(()));
                    if !open {
                        return;
                    }
                }
                Err(error) => {
                    self.shared
                        .set_sealer(Err(format!("tiles cannot be written: {error}")));
                    if self.shared.completed.is_closed() {
                        // Nothing is lost: the entries are in the write-ahead log.
                        return;
                    }
                    self.shared.completed.pause(pause);
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// Waits for something to do; false once nothing more will come.
    fn receive(&mut self) -> bool {
        let taken = self
            .shared
            .completed
            .take(TURN, self.shared.settings.view_interval);
        match taken {
            Some(completed) => {
                self.backlog.extend(completed);
                true
            }
            None => false,
        }
    }

    fn work(&mut self, last: bool) -> io::Result<()> {
        while !self.backlog.is_empty() {
            self.seal()?;
        }
        let interval = self.shared.settings.view_interval;
        let due = self.viewed_at.is_none_or(|at| at.elapsed() >= interval);
        match self.shared.published() {
            Some(signed) if (due || last) && self.view_size != Some(signed.size) => {
                self.show(&signed)
            }
            _ => Ok(()),
        }
    }

    /// Seals what the backlog holds, up to one turn.
    fn seal(&mut self) -> io::Result<()> {
        let count = self.backlog.len().min(TURN.items);
        let turn: Vec<&Completed> = self.backlog.iter().take(count).collect();
        let mut files = Vec::new();
        for completed in &turn {
            for (path, subtree) in &completed.tiles {
                let tile = subtree.tile(TILE_WIDTH).unwrap_or_default();
                files.push((PathBuf::from(path.to_string()), tile));
            }
            files.push(bundle(completed)?);
        }
        self.placer.place_all(&files)?;
        self.placer.settle()?;
        let last = turn.last().map_or(0, |completed| completed.bundle + 1);
        let sealed = last * u64::from(TILE_WIDTH);
        let tiles: Vec<_> = turn
            .iter()
            .flat_map(|completed| completed.tiles.clone())
            .collect();
        self.shared.tree.set_sealed(sealed, &tiles);
        for (path, _) in &tiles {
            self.forget_partials(*path);
        }
        self.backlog.drain(..count);
        self.segments.drop_below(sealed)
    }

    /// Makes the directory show a checkpoint: every file of that size first, then `checkpoint`.
    fn show(&mut self, signed: &SignedCheckpoint) -> io::Result<()> {
        if self.shared.tree.sealed() < signed.size - signed.size % u64::from(TILE_WIDTH) {
            // Its last full bundle is still in the queue; the next turn brings it.
            return Ok(());
        }
        let (tree, mut files, mut bundle) = (&self.shared.tree, Vec::new(), None);
        for path in TilePath::partials(signed.size) {
            let name = PathBuf::from(path.to_string());
            let bytes = match path.kind() {
                TileKind::Entries => tree.bundle(path)?,
                TileKind::Hashes(_) => tree.tile(path)?.unwrap_or_default(),
            };
            if path.kind() == TileKind::Entries {
                bundle = Some(name.clone());
            }
            files.push((name, bytes));
        }
        self.placer.place_all(&files)?;
        self.placer.settle()?;
        let text = signed.text.clone().into_bytes();
        self.placer.place(Path::new(CHECKPOINT), text)?;
        self.placer.settle()?;
        self.bundles.extend(bundle);
        (self.view_size, self.viewed_at) = (Some(signed.size), Some(Instant::now()));
        while self.bundles.len() > PARTIAL_BUNDLES {
            let oldest = self.bundles.pop_front().unwrap_or_default();
            // Already gone with its folder when the bundle became full.
            let _ = fs::remove_file(self.shared.settings.directory.join(oldest));
        }
        Ok(())
    }

    /// Removes partial forms of a tile that is full now, and of its bundle.
    fn forget_partials(&self, path: TilePath) {
        let directory = &self.shared.settings.directory;
        let bundle = TilePath::new(TileKind::Entries, path.index(), TILE_WIDTH).ok();
        let bundle = bundle.filter(|_| path.kind() == TileKind::Hashes(0));
        for path in bundle.into_iter().chain([path]) {
            // There need not be any.
            let _ = fs::remove_dir_all(directory.join(format!("{path}.p")));
        }
    }
}

/// The file of a full bundle.
fn bundle(completed: &Completed) -> io::Result<(PathBuf, Vec<u8>)> {
    let mut bytes = Vec::new();
    for entry in &completed.entries {
        push_entry(&mut bytes, entry).map_err(io::Error::other)?;
    }
    let path = TilePath::new(TileKind::Entries, completed.bundle, TILE_WIDTH);
    Ok((path.map_err(io::Error::other)?.to_string().into(), bytes))
}
