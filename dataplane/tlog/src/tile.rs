//! Names and arithmetic of tiles and entry bundles ([C2SP tlog-tiles], "Merkle Tree").
//!
//! [C2SP tlog-tiles]: https://c2sp.org/tlog-tiles

use std::fmt;
use std::str::FromStr;

use crate::text::decimal;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Levels of the binary tree that one tile spans.
pub(crate) const TILE_HEIGHT: u8 = 8;
/// The highest tile level that has a name.
const MAX_LEVEL: u8 = 63;
/// One more than the highest tile index: 256 entries a tile and 2^64 entries a tree.
const MAX_INDEX: u64 = 1 << 56;
/// The longest path: `tile/entries/`, seven elements of three digits, `.p/255`.
const MAX_PATH_BYTES: usize = 64;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes of the tree at this tile level (0 holds the leaf hashes).
    Hashes(u8),
    /// Entries: the bundle that hashes to the level 0 tile of the same index.
    Entries,
}

/// The name of a tile or of an entry bundle.
///
/// Its text form (`Display`, `FromStr`) is the path below the log's prefix:
/// `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`, in its one spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

/// The text or the numbers do not name a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a tile path of the form tile/<level>/<index>[.p/<width>]")]
pub struct TilePathError;

/// A node of the binary tree that covers a whole subtree: the entries
/// `index << level .. (index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Height above the leaves, 0 to 63.
    pub level: u8,
    /// Position among the nodes of this level, from the left.
    pub index: u64,
}

impl TilePath {
    /// The tile of this kind at this index with `width` hashes or entries, 1 to 256.
    pub fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, TilePathError> {
        let level_fits = !matches!(kind, TileKind::Hashes(level) if level > MAX_LEVEL);
        if level_fits && index < MAX_INDEX && (1..=TILE_WIDTH).contains(&width) {
            Ok(Self { kind, index, width })
        } else {
            Err(TilePathError)
        }
    }

    /// What the tile holds.
    pub fn kind(self) -> TileKind {
        self.kind
    }

    /// The tile's position within its level, from the left.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or entries the tile has, 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether the tile has fewer than 256 hashes or entries.
    pub fn is_partial(self) -> bool {
        self.width < TILE_WIDTH
    }

    /// The same tile at full width.
    #[must_use]
    pub fn full(self) -> Self {
        Self {
            width: TILE_WIDTH,
            ..self
        }
    }

    /// The same tile as it is in a tree of `size` entries; `None` while it is empty there.
    pub fn in_tree(self, size: u64) -> Option<Self> {
        let level = match self.kind {
            TileKind::Hashes(level) => u32::from(level),
            TileKind::Entries => 0,
        };
        let shift = level.checked_mul(u32::from(TILE_HEIGHT))?;
        let hashes = size.checked_shr(shift).unwrap_or(0);
        let start = self.index * u64::from(TILE_WIDTH);
        let width = hashes.saturating_sub(start).min(u64::from(TILE_WIDTH));
        let width = u16::try_from(width).unwrap_or(TILE_WIDTH);
        Self::new(self.kind, self.index, width).ok()
    }

    /// Every tile and bundle that is partial in a tree of `size` entries, bundle first.
    pub fn partials(size: u64) -> Vec<Self> {
        let mut found = Vec::new();
        let levels = (0..TILE_HEIGHT).map(TileKind::Hashes);
        for kind in [TileKind::Entries].into_iter().chain(levels) {
            let level = if let TileKind::Hashes(level) = kind {
                level
            } else {
                0
            };
            let hashes = size >> (level * TILE_HEIGHT);
            let width = u16::try_from(hashes % u64::from(TILE_WIDTH)).unwrap_or(0);
            found.extend(Self::new(kind, hashes / u64::from(TILE_WIDTH), width));
        }
        found
    }
}

impl Node {
    /// The tile that holds this node, and the node's range of hashes in it.
    pub(crate) fn place(self) -> (u8, u64, std::ops::Range<usize>) {
        let tile_level = self.level / TILE_HEIGHT;
        let height = self.level % TILE_HEIGHT;
        // Subtrees of a tile never cross its border: positions stay below 256.
        let nodes_per_tile = u64::from(TILE_WIDTH) >> height;
        let position = usize::try_from(self.index % nodes_per_tile).unwrap_or(0) << height;
        (
            tile_level,
            self.index / nodes_per_tile,
            position..position + (1 << height),
        )
    }

    /// The full-width tile that holds this node.
    pub fn tile(self) -> TilePath {
        let (level, index, _) = self.place();
        TilePath {
            kind: TileKind::Hashes(level),
            index,
            width: TILE_WIDTH,
        }
    }
}

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, TilePathError> {
        if path.len() > MAX_PATH_BYTES {
            return Err(TilePathError);
        }
        let rest = path.strip_prefix("tile/").ok_or(TilePathError)?;
        let (kind, rest) = rest.split_once('/').ok_or(TilePathError)?;
        let kind = if kind == "entries" {
            TileKind::Entries
        } else {
            let level = decimal(kind).and_then(|level| u8::try_from(level).ok());
            TileKind::Hashes(level.ok_or(TilePathError)?)
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, partial_width(width)?),
            None => (rest, TILE_WIDTH),
        };
        let tile = Self::new(kind, tile_index(index)?, width)?;
        // One spelling: what does not print as it was read (x000/001) is no path.
        if tile.to_string() == path {
            Ok(tile)
        } else {
            Err(TilePathError)
        }
    }
}

fn partial_width(text: &str) -> Result<u16, TilePathError> {
    let width = decimal(text).and_then(|width| u16::try_from(width).ok());
    width
        .filter(|width| (1..TILE_WIDTH).contains(width))
        .ok_or(TilePathError)
}

/// Reads `x001/x234/067` as 1,234,067.
fn tile_index(path: &str) -> Result<u64, TilePathError> {
    let (mut index, mut elements) = (0_u64, path.split('/').peekable());
    while let Some(element) = elements.next() {
        let digits = match elements.peek() {
            Some(_) => element.strip_prefix('x').ok_or(TilePathError)?,
            None => element,
        };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TilePathError);
        }
        let value: u64 = digits.parse().map_err(|_| TilePathError)?;
        let next = index
            .checked_mul(1000)
            .and_then(|index| index.checked_add(value));
        index = next.ok_or(TilePathError)?;
    }
    Ok(index)
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut scale = 1;
        while self.index / scale >= 1000 {
            scale *= 1000;
        }
        while scale > 1 {
            write!(f, "x{:03}/", self.index / scale % 1000)?;
            scale /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_partial() {
            write!(f, ".p/{}", self.width)
        } else {
            Ok(())
        }
    }
}
