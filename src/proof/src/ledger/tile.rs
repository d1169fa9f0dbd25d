//! Tiles of the tree: C2SP tlog-tiles with a tile height of 8, and the proofs that are made from them.

mod edge;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

pub use self::edge::EdgeTiles;
use super::entry::EntryBytes;
use super::merkle::{empty_root, node_hash};
use crate::ids::{RootHash, TreeHash};

/// Hashes of a full tile.
pub const TILE_WIDTH: usize = 256;
/// Bytes of a full tile.
pub const TILE_BYTES: usize = TILE_WIDTH * 32;
const TILE_HEIGHT: u32 = 8;
/// Levels that a tree of 2^64 leaves has.
const LEVELS_MAX: u8 = 8;

/// Place of a tile: its hashes are the roots of subtrees of 256^level leaves, from leaf
/// index * 256 * 256^level on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileCoordinate {
    /// 0 for the tiles of leaves.
    pub level: u8,
    /// Position in the level.
    pub index: u64,
}

/// What a path below `tile/` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TilePath {
    /// `<L>/<N>[.p/<W>]`: hashes.
    Hashes {
        /// Which tile.
        tile: TileCoordinate,
        /// How many hashes; 256 for a full tile.
        width: u16,
    },
    /// `entries/<N>[.p/<W>]`: entries.
    Entries {
        /// Which bundle of 256 entries.
        index: u64,
        /// How many entries; 256 for a full bundle.
        width: u16,
    },
}

impl TilePath {
    /// Reads a path. Anything but the one canonical form is refused.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/')?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (
                number,
                width
                    .parse::<u16>()
                    .ok()
                    .filter(|width| (1..256).contains(width))?,
            ),
            None => (rest, TILE_WIDTH as u16),
        };
        let mut index: u64 = 0;
        for group in number.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let path = if kind == "entries" {
            Self::Entries { index, width }
        } else {
            let level = kind.parse().ok().filter(|level| *level < 64)?;
            Self::Hashes {
                tile: TileCoordinate { level, index },
                width,
            }
        };
        (path.to_string() == text).then_some(path)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, width) = match *self {
            Self::Hashes { tile, width } => {
                write!(formatter, "{}/", tile.level)?;
                (tile.index, width)
            }
            Self::Entries { index, width } => {
                formatter.write_str("entries/")?;
                (index, width)
            }
        };
        let mut groups = vec![format!("{:03}", index % 1000)];
        let mut rest = index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        formatter.write_str(&groups.join("/"))?;
        if usize::from(width) < TILE_WIDTH {
            write!(formatter, ".p/{width}")?;
        }
        Ok(())
    }
}

/// Number of whole subtrees of 256^level leaves in a tree.
fn nodes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(TILE_HEIGHT * u32::from(level))
        .unwrap_or(0)
}

/// How many hashes a tile has in a tree of this size: 0 (there is no such tile) to 256.
pub fn tile_width(tile: TileCoordinate, size: u64) -> u16 {
    let before = u128::from(tile.index) * TILE_WIDTH as u128;
    u128::from(nodes_at(tile.level, size))
        .saturating_sub(before)
        .min(TILE_WIDTH as u128) as u16
}

/// All tiles of a tree of this size, with their widths.
pub fn tiles_of(size: u64) -> impl Iterator<Item = (TileCoordinate, u16)> {
    (0..LEVELS_MAX).flat_map(move |level| {
        let tiles = nodes_at(level, size).div_ceil(TILE_WIDTH as u64);
        (0..tiles).map(move |index| {
            let tile = TileCoordinate { level, index };
            (tile, tile_width(tile, size))
        })
    })
}

/// Where tiles come from.
pub trait TileSource {
    /// Why a tile could not be had.
    type Error;

    /// The first `width` hashes of a tile, or more of them.
    fn tile(&self, tile: TileCoordinate, width: u16) -> Result<Vec<TreeHash>, Self::Error>;

    /// Root of the whole subtree of `2^height` leaves from leaf `start` on, where the source has it without reading a tile.
    fn known_subtree(&self, _start: u64, _height: u32) -> Option<TreeHash> {
        None
    }
}

/// Inclusion path of a leaf in the tree of this size, leaf's sibling first (RFC 6962 section 2.1.1).
/// Empty where the index is outside of the tree.
pub fn inclusion_path<S: TileSource>(
    index: u64,
    size: u64,
    source: &S,
) -> Result<Vec<TreeHash>, S::Error> {
    InclusionPaths::new(size, source).path(index)
}

/// Inclusion paths of many leaves of one tree, whose tiles are read once while the indexes ascend.
pub struct InclusionPaths<'a, S> {
    tree: TileTree<'a, S>,
}

/// Tiles that are kept before they are dropped and read again, with the nodes made of them: 1 MiB.
const TILES_KEPT_MAX: usize = 64;

impl<'a, S: TileSource> InclusionPaths<'a, S> {
    /// The paths of the tree of this size.
    pub fn new(size: u64, source: &'a S) -> Self {
        Self {
            tree: TileTree::new(size, source),
        }
    }

    /// The path of a leaf, its sibling first. Empty where the index is outside of the tree.
    pub fn path(&self, index: u64) -> Result<Vec<TreeHash>, S::Error> {
        if self.tree.read.borrow().len() > TILES_KEPT_MAX {
            self.tree.read.borrow_mut().clear();
            self.tree.made.borrow_mut().clear();
        }
        let mut path = Vec::new();
        if index < self.tree.size {
            self.tree.inclusion(index, 0, self.tree.size, &mut path)?;
        }
        Ok(path)
    }
}

/// Consistency path between two sizes of a tree (RFC 6962 section 2.1.2). Empty where there is nothing to prove.
pub fn consistency_path<S: TileSource>(
    from: u64,
    to: u64,
    source: &S,
) -> Result<Vec<TreeHash>, S::Error> {
    let tree = TileTree::new(to, source);
    let mut path = Vec::new();
    if from > 0 && from < to {
        tree.consistency(from, 0, to, true, &mut path)?;
    }
    Ok(path)
}

/// Root of the tree of this size.
pub fn tree_root<S: TileSource>(size: u64, source: &S) -> Result<RootHash, S::Error> {
    if size == 0 {
        return Ok(empty_root());
    }
    Ok(TileTree::new(size, source).subtree(0, size)?.into())
}

/// A tree of one size whose nodes are computed from tiles, each of which is read once.
struct TileTree<'a, S> {
    size: u64,
    source: &'a S,
    read: RefCell<HashMap<TileCoordinate, Vec<TreeHash>>>,
    /// Roots of whole subtrees, by first leaf and height: paths of neighbours have most of them in common.
    made: RefCell<HashMap<(u64, u32), TreeHash>>,
}

impl<'a, S: TileSource> TileTree<'a, S> {
    fn new(size: u64, source: &'a S) -> Self {
        Self {
            size,
            source,
            read: RefCell::default(),
            made: RefCell::default(),
        }
    }

    /// Root of the leaves `start..end`, as the recursion of RFC 6962 splits them.
    fn subtree(&self, start: u64, end: u64) -> Result<TreeHash, S::Error> {
        let count = end - start;
        if count.is_power_of_two() && start.is_multiple_of(count) {
            return self.whole_subtree(start, count);
        }
        let middle = start + split(count);
        Ok(node_hash(
            &self.subtree(start, middle)?,
            &self.subtree(middle, end)?,
        ))
    }

    /// Root of an aligned subtree of 2^n leaves, from the tile that has its nodes or descendants.
    fn whole_subtree(&self, start: u64, count: u64) -> Result<TreeHash, S::Error> {
        let height = count.trailing_zeros();
        if let Some(known) = self.source.known_subtree(start, height) {
            return Ok(known);
        }
        if let Some(made) = self.made.borrow().get(&(start, height)) {
            return Ok(*made);
        }
        let level = (height / TILE_HEIGHT) as u8;
        let first = nodes_at(level, start);
        let nodes = 1usize << (height % TILE_HEIGHT);
        let tile = TileCoordinate {
            level,
            index: first / TILE_WIDTH as u64,
        };
        let place = (first % TILE_WIDTH as u64) as usize;
        if !self.read.borrow().contains_key(&tile) {
            let hashes = self.source.tile(tile, tile_width(tile, self.size))?;
            self.read.borrow_mut().insert(tile, hashes);
        }
        let read = self.read.borrow();
        // A source that gives fewer hashes than it was asked for leads to a wrong root, not to a panic.
        let mut row: Vec<TreeHash> = (place..place + nodes)
            .map(|at| {
                read[&tile]
                    .get(at)
                    .copied()
                    .unwrap_or(TreeHash::new([0; 32]))
            })
            .collect();
        while row.len() > 1 {
            row = row
                .chunks(2)
                .map(|pair| node_hash(&pair[0], &pair[1]))
                .collect();
        }
        self.made.borrow_mut().insert((start, height), row[0]);
        Ok(row[0])
    }

    fn inclusion(
        &self,
        index: u64,
        start: u64,
        end: u64,
        path: &mut Vec<TreeHash>,
    ) -> Result<(), S::Error> {
        if end - start == 1 {
            return Ok(());
        }
        let middle = start + split(end - start);
        if index < middle {
            self.inclusion(index, start, middle, path)?;
            path.push(self.subtree(middle, end)?);
        } else {
            self.inclusion(index, middle, end, path)?;
            path.push(self.subtree(start, middle)?);
        }
        Ok(())
    }

    fn consistency(
        &self,
        from: u64,
        start: u64,
        end: u64,
        is_left_edge: bool,
        path: &mut Vec<TreeHash>,
    ) -> Result<(), S::Error> {
        if from == end {
            if !is_left_edge {
                path.push(self.subtree(start, end)?);
            }
            return Ok(());
        }
        let middle = start + split(end - start);
        if from <= middle {
            self.consistency(from, start, middle, is_left_edge, path)?;
            path.push(self.subtree(middle, end)?);
        } else {
            self.consistency(from, middle, end, false, path)?;
            path.push(self.subtree(start, middle)?);
        }
        Ok(())
    }
}

/// The largest power of two below `count`, which is over 1.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Root over the hashes of a full tile, or of any 2^n of them.
pub fn tile_root(hashes: &[TreeHash]) -> TreeHash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| {
                if let [left, right] = pair {
                    node_hash(left, right)
                } else {
                    pair[0]
                }
            })
            .collect();
    }
    row.first().copied().unwrap_or(TreeHash::new([0; 32]))
}

/// A tile's bytes.
pub fn hashes_to_bytes(hashes: &[TreeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// A tile's hashes; `None` unless the bytes are whole hashes, 1 to 256.
pub fn hashes_from_bytes(bytes: &[u8]) -> Option<Vec<TreeHash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    let fits = rest.is_empty() && (1..=TILE_WIDTH).contains(&hashes.len());
    fits.then(|| hashes.iter().map(|hash| TreeHash::new(*hash)).collect())
}

/// An entry bundle: each entry with its length.
pub fn encode_entry_bundle(entries: &[EntryBytes]) -> Vec<u8> {
    let length = (super::entry::ENTRY_BYTES as u16).to_be_bytes();
    entries
        .iter()
        .flat_map(|entry| length.iter().chain(entry).copied())
        .collect()
}
