//! The right edge of a growing tree, from which its root and the newest proofs come without a tile being read.

use std::sync::Arc;

use super::{LEVELS_MAX, TILE_HEIGHT, TILE_WIDTH, TileCoordinate, TileSource, nodes_at};
use crate::ids::{LeafHash, RootHash, TreeHash};
use crate::ledger::merkle::{empty_root, node_hash};

/// The right edge of a growing tree: the tiles that are not full yet, one a level.
#[derive(Clone, Debug, Default)]
pub struct EdgeTiles {
    size: u64,
    levels: Vec<PartialTile>,
    /// The tile of leaves that was filled last: the leaves that filled it are proven next.
    last_full: Option<Arc<FullTile>>,
}

/// A tile that is full, with the roots of the whole subtrees in it.
#[derive(Debug)]
struct FullTile {
    index: u64,
    rows: [Vec<TreeHash>; TILE_HEIGHT as usize],
}

/// A tile that is not full yet, with the roots of the whole subtrees in it: each is computed once, when its last hash comes.
#[derive(Clone, Debug, Default)]
struct PartialTile {
    /// `rows[0]` are the tile's hashes, `rows[h]` the roots of 2^h of them each.
    rows: [Vec<TreeHash>; TILE_HEIGHT as usize],
}

impl PartialTile {
    fn of(hashes: &[TreeHash]) -> Self {
        let mut tile = Self::default();
        for hash in hashes.iter().take(TILE_WIDTH - 1) {
            tile.push(*hash);
        }
        tile
    }

    fn hashes(&self) -> &[TreeHash] {
        &self.rows[0]
    }

    /// Adds a hash. Where that fills the tile, it is emptied, and gives its rows and the root of all.
    fn push(&mut self, hash: TreeHash) -> Option<(Self, TreeHash)> {
        let mut node = hash;
        for row in &mut self.rows {
            row.push(node);
            match row.as_slice() {
                [.., left, right] if row.len().is_multiple_of(2) => {
                    node = node_hash(left, right);
                }
                _ => return None,
            }
        }
        Some((std::mem::take(self), node))
    }

    /// Roots of its whole subtrees from the right, the smallest first.
    fn subtrees(&self) -> impl Iterator<Item = &TreeHash> {
        // A row has an odd number of roots where the last one is not part of a larger whole subtree.
        self.rows
            .iter()
            .filter(|row| !row.len().is_multiple_of(2))
            .filter_map(|row| row.last())
    }
}

impl EdgeTiles {
    /// The edge of a tree whose partial tiles a source can give.
    pub fn restore<S: TileSource>(size: u64, source: &S) -> Result<Self, S::Error> {
        let mut levels = Vec::new();
        for level in 0..LEVELS_MAX {
            let nodes = nodes_at(level, size);
            if nodes == 0 {
                break;
            }
            let width = nodes % TILE_WIDTH as u64;
            let tile = TileCoordinate {
                level,
                index: nodes / TILE_WIDTH as u64,
            };
            let mut hashes = if width == 0 {
                Vec::new()
            } else {
                source.tile(tile, width as u16)?
            };
            hashes.truncate(width as usize);
            levels.push(PartialTile::of(&hashes));
        }
        Ok(Self {
            size,
            levels,
            last_full: None,
        })
    }

    /// Adds a leaf, and gives the tiles that it fills.
    pub fn push(&mut self, leaf: LeafHash) -> Vec<(TileCoordinate, Vec<TreeHash>)> {
        self.size += 1;
        let mut full = Vec::new();
        let mut node = TreeHash::from(leaf);
        for level in 0..LEVELS_MAX {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(PartialTile::default());
            }
            let Some((tile, root)) = self.levels[usize::from(level)].push(node) else {
                break;
            };
            node = root;
            let index = nodes_at(level, self.size) / TILE_WIDTH as u64 - 1;
            full.push((TileCoordinate { level, index }, tile.hashes().to_vec()));
            if level == 0 {
                let rows = tile.rows;
                self.last_full = Some(Arc::new(FullTile { index, rows }));
            }
        }
        full
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The partial tile of a level; empty where it has none.
    pub fn level(&self, level: u8) -> &[TreeHash] {
        self.levels
            .get(usize::from(level))
            .map_or(&[], PartialTile::hashes)
    }

    /// Root of the whole subtree of `2^height` leaves from leaf `start` on, where a partial tile or the last full tile of
    /// leaves holds it.
    pub fn whole_subtree(&self, start: u64, height: u32) -> Option<TreeHash> {
        let level = u8::try_from(height / TILE_HEIGHT).ok()?;
        let in_tile = height % TILE_HEIGHT;
        let tile = self.levels.get(usize::from(level))?;
        let tile_start = nodes_at(level, self.size) / TILE_WIDTH as u64 * TILE_WIDTH as u64;
        let node = nodes_at(level, start);
        let (rows, first) = match (&self.last_full, level) {
            (Some(full), 0) if node / TILE_WIDTH as u64 == full.index => {
                (&full.rows, full.index * TILE_WIDTH as u64)
            }
            _ => (&tile.rows, tile_start),
        };
        let place = node.checked_sub(first)? >> in_tile;
        let row = rows.get(in_tile as usize)?;
        row.get(usize::try_from(place).ok()?).copied()
    }

    /// The tree's root.
    pub fn root(&self) -> RootHash {
        // From the right, smallest subtrees first.
        let subtrees = self.levels.iter().flat_map(PartialTile::subtrees);
        let root = subtrees
            .copied()
            .reduce(|right, left| node_hash(&left, &right));
        root.map_or_else(empty_root, RootHash::from)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;
    use std::convert::Infallible;

    use super::super::{inclusion_path, tree_root};
    use super::*;

    /// The full tiles of a growing tree, as a store keeps them, and its edge.
    #[derive(Default)]
    struct Tree {
        full: RefCell<HashMap<TileCoordinate, Vec<TreeHash>>>,
        edge: EdgeTiles,
        knows_subtrees: bool,
        read: Cell<usize>,
    }

    impl TileSource for Tree {
        type Error = Infallible;

        fn tile(&self, tile: TileCoordinate, _: u16) -> Result<Vec<TreeHash>, Infallible> {
            self.read.set(self.read.get() + 1);
            let full = self.full.borrow().get(&tile).cloned();
            Ok(full.unwrap_or_else(|| self.edge.level(tile.level).to_vec()))
        }

        fn known_subtree(&self, start: u64, height: u32) -> Option<TreeHash> {
            let known = self.edge.whole_subtree(start, height);
            known.filter(|_| self.knows_subtrees)
        }
    }

    fn leaf(number: u64) -> LeafHash {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        LeafHash::new(bytes)
    }

    fn grown(size: u64) -> Tree {
        let mut tree = Tree::default();
        for number in 0..size {
            let full = tree.edge.push(leaf(number));
            tree.full.borrow_mut().extend(full);
        }
        tree
    }

    #[test]
    fn what_the_edge_knows_is_what_the_tiles_say() {
        let mut tree = Tree::default();
        for size in 1..=66_000 {
            let full = tree.edge.push(leaf(size - 1));
            tree.full.borrow_mut().extend(full);
            if size > 600 && !matches!(size, 65_535..=65_537 | 66_000) {
                continue;
            }
            assert_eq!(tree_root(size, &tree), Ok(tree.edge.root()), "{size}");
            let restored = EdgeTiles::restore(size, &tree).unwrap();
            assert_eq!(restored.root(), tree.edge.root(), "{size}");
            for index in [0, size / 2, size.saturating_sub(2), size - 1] {
                tree.knows_subtrees = false;
                let computed = inclusion_path(index, size, &tree);
                tree.knows_subtrees = true;
                let known = inclusion_path(index, size, &tree);
                assert_eq!(known, computed, "{index} of {size}");
            }
            tree.knows_subtrees = false;
        }
    }

    #[test]
    fn a_smaller_head_is_proven_from_the_edge_of_a_larger_one() {
        let mut tree = grown(700);
        tree.knows_subtrees = true;
        for size in [600, 640, 699] {
            let path = inclusion_path(520, size, &tree);
            assert_eq!(path, inclusion_path(520, size, &grown(size)), "{size}");
        }
    }

    #[test]
    fn proofs_of_the_newest_leaves_read_no_tile() {
        let mut tree = grown(70_000);
        tree.knows_subtrees = true;
        // The last tile of leaves begins at 69,888.
        for index in [69_632, 69_887, 69_888, 69_990] {
            inclusion_path(index, 70_000, &tree).unwrap();
        }
        assert_eq!(tree.read.get(), 0);
        inclusion_path(3, 70_000, &tree).unwrap();
        assert!(tree.read.get() > 0);
    }
}
