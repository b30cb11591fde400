//! The Merkle tree in memory: its right edge, what is not on disk yet, and what was asked for lately.
//!
//! Memory is bounded: one subtree a level at the edge, the subtrees and entries that still wait
//! for their files (the queue to the sealer bounds those), [`CACHED_TILES`] full subtrees, and the
//! newest entries up to a number of bytes. Everything else is read from disk when it is needed.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use pavilion_tlog::{
    HASH_BYTES, Hash, Node, TILE_WIDTH, TileKind, TilePath, TreeError, inclusion_proof, push_entry,
    root, split_entries,
};

use super::frame::Leaf;
use super::subtree::Subtree;

/// Full subtrees kept for proofs of older entries, 16 KiB each.
const CACHED_TILES: usize = 64;
/// What an entry weighs beside its bytes.
const ENTRY_OVERHEAD: usize = 64;
/// Tile levels of the largest tree.
const LEVELS: usize = 8;

/// Whether what is not in memory is read from the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Read,
    /// It is not touched: what would need it ends with [`io::ErrorKind::WouldBlock`].
    Spare,
}

impl Disk {
    fn admit(self) -> io::Result<()> {
        match self {
            Self::Read => Ok(()),
            Self::Spare => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// The tree. Written by one thread, read by all.
#[derive(Debug)]
pub(crate) struct Tree {
    directory: PathBuf,
    recent_bytes: usize,
    state: RwLock<State>,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct State {
    size: u64,
    /// Entries below rest in files that were fsynced.
    sealed: u64,
    edge: [Subtree; LEVELS],
    /// Full tiles that are not sealed yet.
    unsealed: HashMap<TilePath, Arc<Subtree>>,
    recent: VecDeque<Bytes>,
    recent_first: u64,
    recent_weight: usize,
}

/// Full subtrees by when they were last used.
#[derive(Debug, Default)]
struct Cache {
    tiles: HashMap<TilePath, (Arc<Subtree>, u64)>,
    clock: u64,
}

/// A bundle that became full, with the tiles that became full with it.
#[derive(Debug)]
pub(crate) struct Completed {
    pub bundle: u64,
    pub entries: Vec<Bytes>,
    pub tiles: Vec<(TilePath, Arc<Subtree>)>,
}

impl Completed {
    /// What it weighs in the queue to the sealer.
    pub fn weight(&self) -> usize {
        let entries: usize = self
            .entries
            .iter()
            .map(|entry| entry.len() + ENTRY_OVERHEAD)
            .sum();
        entries + self.tiles.len() * 2 * HASH_BYTES * usize::from(TILE_WIDTH)
    }
}

impl Tree {
    /// The tree over the first `sealed` entries (a multiple of 256), its edge computed from the
    /// full tiles on disk. The error names the tile that is missing or no tile.
    pub fn open(
        directory: &Path,
        sealed: u64,
        recent_bytes: usize,
    ) -> Result<Self, (TilePath, io::Error)> {
        let mut state = State {
            size: sealed,
            sealed,
            recent_first: sealed,
            ..State::default()
        };
        for level in 1..LEVELS {
            let below = u8::try_from(level - 1).unwrap_or(0);
            let full_below = full_tiles(sealed, below);
            let first = full_below - full_below % u64::from(TILE_WIDTH);
            for index in first..full_below {
                let subtree = read_full(directory, TileKind::Hashes(below), index)?;
                state.edge[level].push(subtree.root().unwrap_or_default());
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            recent_bytes,
            state: RwLock::new(state),
            cache: Mutex::default(),
        })
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.read().size
    }

    /// The number of entries whose files were fsynced; a multiple of 256.
    pub fn sealed(&self) -> u64 {
        self.read().sealed
    }

    /// Size and root, at one moment.
    pub fn head(&self) -> (u64, Hash) {
        let state = self.read();
        let edge = |node: Node| state.edge_node(node).ok_or(());
        // Every node of the newest root lies on the edge.
        (state.size, root(state.size, edge).unwrap_or_default())
    }

    /// Adds entries on the right; returns the bundles and tiles that became full.
    pub fn extend(&self, leaves: Vec<Leaf>) -> Vec<Completed> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut completed = Vec::new();
        for leaf in leaves {
            state.recent_weight += leaf.entry.len() + ENTRY_OVERHEAD;
            state.recent.push_back(leaf.entry);
            completed.extend(state.push(leaf.hash));
        }
        state.trim(self.recent_bytes);
        completed
    }

    /// Notes that the files of everything below `sealed` are durable.
    pub fn set_sealed(&self, sealed: u64, tiles: &[(TilePath, Arc<Subtree>)]) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut cache = self.cache();
        for (path, subtree) in tiles {
            state.unsealed.remove(path);
            cache.insert(*path, Arc::clone(subtree));
        }
        state.sealed = sealed;
        state.trim(self.recent_bytes);
    }

    /// The audit path of an entry in the tree of the first `size` entries.
    pub fn proof(&self, index: u64, size: u64, disk: Disk) -> io::Result<Vec<Hash>> {
        self.with_nodes(disk, |tree| {
            inclusion_proof(index, size, |node| tree.node(node))
        })
    }

    /// The root of the first `size` entries.
    pub fn root(&self, size: u64) -> io::Result<Hash> {
        self.with_nodes(Disk::Read, |tree| root(size, |node| tree.node(node)))
    }

    /// The leaf hash of an entry.
    pub fn leaf(&self, index: u64, disk: Disk) -> io::Result<Hash> {
        self.with_nodes(disk, |tree| {
            tree.node(Node { level: 0, index }).map_err(TreeError::Read)
        })
    }

    /// The bytes of a hash tile at the width its path says; `None` when the tree has it not.
    pub fn tile(&self, path: TilePath) -> io::Result<Option<Vec<u8>>> {
        let TileKind::Hashes(level) = path.kind() else {
            return Ok(None);
        };
        let state = self.read();
        if path
            .in_tree(state.size)
            .is_none_or(|whole| whole.width() < path.width())
        {
            return Ok(None);
        }
        let edge = state.edge.get(usize::from(level));
        let on_edge = full_tiles(state.size, level) == path.index();
        let subtree = if on_edge {
            edge
        } else {
            state.unsealed.get(&path.full()).map(Arc::as_ref)
        };
        if let Some(tile) = subtree.and_then(|subtree| subtree.tile(path.width())) {
            return Ok(Some(tile));
        }
        drop(state);
        let mut tile = fs::read(self.directory.join(path.full().to_string()))?;
        tile.truncate(usize::from(path.width()) * HASH_BYTES);
        Ok(Some(tile))
    }

    /// The entry at `index`, which must be below the size.
    pub fn entry(&self, index: u64, disk: Disk) -> io::Result<Bytes> {
        if let Some(entry) = self.read().recent_entry(index) {
            return Ok(entry);
        }
        disk.admit()?;
        let bundle = index / u64::from(TILE_WIDTH);
        let path =
            TilePath::new(TileKind::Entries, bundle, TILE_WIDTH).map_err(io::Error::other)?;
        let bytes = fs::read(self.directory.join(path.to_string()))?;
        let entries = split_entries(&bytes).map_err(io::Error::other)?;
        let position = usize::try_from(index % u64::from(TILE_WIDTH)).unwrap_or(0);
        let entry = entries
            .get(position)
            .map(|entry| Bytes::copy_from_slice(entry));
        entry.ok_or_else(|| io::Error::other("an entry bundle is too short"))
    }

    /// The bundle of a path at the width its path says.
    pub fn bundle(&self, path: TilePath) -> io::Result<Vec<u8>> {
        let first = path.index() * u64::from(TILE_WIDTH);
        let mut bundle = Vec::new();
        for index in first..first + u64::from(path.width()) {
            push_entry(&mut bundle, &self.entry(index, Disk::Read)?).map_err(io::Error::other)?;
        }
        Ok(bundle)
    }

    /// Runs a computation over nodes; tiles it lacks are read from disk, then it runs again.
    fn with_nodes<T>(
        &self,
        disk: Disk,
        compute: impl Fn(&Self) -> Result<T, TreeError<TilePath>>,
    ) -> io::Result<T> {
        loop {
            match compute(self) {
                Ok(value) => return Ok(value),
                Err(TreeError::Merkle(error)) => return Err(io::Error::other(error)),
                Err(TreeError::Read(path)) => {
                    disk.admit()?;
                    let read = read_full(&self.directory, path.kind(), path.index());
                    let subtree = read.map_err(|(_, error)| error)?;
                    self.cache().insert(path, Arc::new(subtree));
                }
            }
        }
    }

    /// A node from memory, or the tile that has to be read for it.
    fn node(&self, node: Node) -> Result<Hash, TilePath> {
        let state = self.read();
        if let Some(hash) = state.edge_node(node) {
            return Ok(hash);
        }
        let path = node.tile();
        let (height, position) = place(node);
        let unsealed = state
            .unsealed
            .get(&path)
            .and_then(|tile| tile.node(height, position));
        let cached = || {
            self.cache()
                .get(&path)
                .and_then(|tile| tile.node(height, position))
        };
        unsealed.or_else(cached).ok_or(path)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // No code that can panic runs while the tree is half changed.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds a leaf hash; returns what became full by it.
    fn push(&mut self, leaf: Hash) -> Option<Completed> {
        self.size += 1;
        let (mut hash, mut tiles) = (leaf, Vec::new());
        for (level, count) in (0_u8..).zip(self.edge.iter_mut()) {
            count.push(hash);
            let Some(full) = count.root() else { break };
            let subtree = Arc::new(std::mem::take(count));
            let index = full_tiles(self.size, level).saturating_sub(1);
            if let Ok(path) = TilePath::new(TileKind::Hashes(level), index, TILE_WIDTH) {
                self.unsealed.insert(path, Arc::clone(&subtree));
                tiles.push((path, subtree));
            }
            hash = full;
        }
        if tiles.is_empty() {
            return None;
        }
        let bundle = self.size / u64::from(TILE_WIDTH) - 1;
        let first = self.size - u64::from(TILE_WIDTH);
        let entries = (first..self.size)
            .filter_map(|index| self.recent_entry(index))
            .collect();
        Some(Completed {
            bundle,
            entries,
            tiles,
        })
    }

    /// Lets go of entries that are sealed and beyond what is kept.
    fn trim(&mut self, keep: usize) {
        while self.recent_weight > keep && self.recent_first < self.sealed {
            let Some(oldest) = self.recent.pop_front() else {
                return;
            };
            self.recent_weight -= oldest.len() + ENTRY_OVERHEAD;
            self.recent_first += 1;
        }
    }

    fn recent_entry(&self, index: u64) -> Option<Bytes> {
        let position = usize::try_from(index.checked_sub(self.recent_first)?).ok()?;
        self.recent.get(position).cloned()
    }

    fn edge_node(&self, node: Node) -> Option<Hash> {
        let level = node.level / 8;
        let on_edge = full_tiles(self.size, level) == node.tile().index();
        let (height, position) = place(node);
        self.edge
            .get(usize::from(level))
            .filter(|_| on_edge)?
            .node(height, position)
    }
}

impl Cache {
    fn get(&mut self, path: &TilePath) -> Option<Arc<Subtree>> {
        self.clock += 1;
        let (tile, used) = self.tiles.get_mut(path)?;
        *used = self.clock;
        Some(Arc::clone(tile))
    }

    fn insert(&mut self, path: TilePath, tile: Arc<Subtree>) {
        self.clock += 1;
        if self.tiles.len() >= CACHED_TILES {
            let oldest = self.tiles.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(path, _)| *path) {
                self.tiles.remove(&oldest);
            }
        }
        self.tiles.insert(path, (tile, self.clock));
    }
}

/// How many full tiles a level has in a tree of `size` entries.
fn full_tiles(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0)
}

/// A node's height above its tile's hashes and its position in that row.
fn place(node: Node) -> (usize, usize) {
    let height = usize::from(node.level % 8);
    let row = u64::from(TILE_WIDTH) >> height;
    (height, usize::try_from(node.index % row).unwrap_or(0))
}

/// Reads a full tile; the error says which.
fn read_full(
    directory: &Path,
    kind: TileKind,
    index: u64,
) -> Result<Subtree, (TilePath, io::Error)> {
    let path = TilePath::new(kind, index, TILE_WIDTH);
    let path =
        path.map_err(|error| (Node { level: 0, index: 0 }.tile(), io::Error::other(error)))?;
    let bytes = fs::read(directory.join(path.to_string())).map_err(|error| (path, error))?;
    let subtree = Subtree::from_tile(&bytes).filter(|subtree| subtree.width() == TILE_WIDTH);
    subtree.ok_or_else(|| (path, io::Error::other("not a full tile of 256 hashes")))
}
