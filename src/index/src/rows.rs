//! Rows of sorted runs: they stand in blocks, which are unpacked here.

use std::ops::Range;

use super::Index;
use trailkeep_ports::block::{Block, BlockWriter};
use trailkeep_ports::{IndexRow, Order, RunId, Span, StoreError};
use trailkeep_proof::ids::{LookupKey, Seq};

/// Blocks that a look-up reads at once: most find all in the first.
const BLOCKS_PER_LOOK_UP: usize = 4;
/// Blocks that are read at once where a run is read from its begin to its end.
const BLOCKS_PER_READ: usize = 64;
/// Blocks that are replaced in one transaction.
const BLOCKS_PER_REPLACEMENT: usize = 256;

/// The rows of keys that begin with a byte.
pub(super) fn piece_of(first_byte: u8) -> Range<IndexRow> {
    let begin = |byte| {
        let mut key = [0; 16];
        key[0] = byte;
        (LookupKey::new(key), Seq::new(0))
    };
    begin(first_byte)..first_byte.checked_add(1).map_or(BEHIND_ALL, begin)
}

/// It comes before all rows.
const LOWEST: IndexRow = (LookupKey::new([0; 16]), Seq::new(0));
/// It comes behind all rows.
const BEHIND_ALL: IndexRow = (LookupKey::new([0xff; 16]), Seq::MAX.next());

impl Index {
    pub(super) fn unpack(&self, block: &Block) -> Result<Vec<IndexRow>, StoreError> {
        let rows = block.rows();
        rows.ok_or_else(|| {
            self.store
                .damaged("has a block of a sorted run that cannot be read")
        })
    }

    /// The events of a run under a key within a span, in an order, at most `limit`.
    pub(super) fn find_in_run(
        &self,
        run: RunId,
        key: LookupKey,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let wanted = (key, span.from)..(key, span.end);
        let (mut range, mut found) = (wanted.clone(), Vec::new());
        let mut read: Option<IndexRow> = None;
        loop {
            let blocks = self.store.blocks(run, &range, order, BLOCKS_PER_LOOK_UP)?;
            // The one that was read last comes again where it is asked for what begins at it.
            let new = blocks.iter().filter(|block| Some(block.first) != read);
            for block in new {
                let rows = self.unpack(block)?;
                let rows = rows.iter().filter(|row| wanted.contains(row));
                let seqs = rows.map(|(_, seq)| *seq);
                match order {
                    Order::Oldest => found.extend(seqs),
                    Order::Newest => found.extend(seqs.rev()),
                }
            }
            let Some(last) = blocks.last().map(|block| block.first) else {
                break;
            };
            if found.len() >= limit || blocks.len() < BLOCKS_PER_LOOK_UP {
                break;
            }
            match order {
                Order::Oldest => range.start = last,
                Order::Newest => range.end = last,
            }
            if range.is_empty() {
                break;
            }
            read = Some(last);
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Gives the blocks of a run in their order, from the one that may hold a row on, until it is told to stop. What is
    /// replaced meanwhile may come as it was and as it is.
    pub(super) fn each_block(
        &self,
        run: RunId,
        from: Option<IndexRow>,
        mut each: impl FnMut(Block) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let (mut range, mut read) = (from.unwrap_or(LOWEST)..BEHIND_ALL, None);
        loop {
            let blocks = self
                .store
                .blocks(run, &range, Order::Oldest, BLOCKS_PER_READ)?;
            let before = read;
            for block in blocks {
                if Some(block.first) <= before {
                    continue;
                }
                range.start = block.first;
                read = Some(block.first);
                if !each(block)? {
                    return Ok(());
                }
            }
            if read == before {
                return Ok(());
            }
        }
    }

    /// The rows of a run behind one, in their order: `least` of them or some more, and whether others may follow.
    pub(super) fn rows_after(
        &self,
        run: RunId,
        after: Option<IndexRow>,
        least: usize,
    ) -> Result<(Vec<IndexRow>, bool), StoreError> {
        let (mut rows, mut more) = (Vec::new(), false);
        self.each_block(run, after, |block| {
            let of_block = self.unpack(&block)?;
            rows.extend(of_block.into_iter().filter(|row| Some(*row) > after));
            more = rows.len() >= least;
            Ok(!more)
        })?;
        Ok((rows, more))
    }

    /// Deletes rows, which come in their order. Gives how many were there.
    pub(super) fn delete_rows(&self, run: RunId, rows: &[IndexRow]) -> Result<usize, StoreError> {
        let (mut rest, mut deleted) = (rows, 0);
        let mut changes = Changes::new(self, run);
        while let Some(row @ (key, seq)) = rest.first().copied() {
            let range = row..(key, seq.next());
            let blocks = self.store.blocks(run, &range, Order::Oldest, 1)?;
            let Some(block) = blocks.first() else {
                rest = &rest[1..];
                continue;
            };
            let held = self.unpack(block)?;
            let of_block = rest.partition_point(|row| held.last() >= Some(row));
            let (going, later) = rest.split_at(of_block.max(1));
            deleted += changes.without(block, held, |row| going.binary_search(row).is_ok())?;
            rest = later;
        }
        changes.make()?;
        Ok(deleted)
    }

    /// Deletes the rows of a run that are to go, whatever their keys are. Gives each of them.
    pub(super) fn delete_by_scan(
        &self,
        run: RunId,
        goes: impl Fn(&IndexRow) -> bool,
        mut each: impl FnMut(&[IndexRow]),
    ) -> Result<(), StoreError> {
        let mut changes = Changes::new(self, run);
        self.each_block(run, None, |block| {
            let held = self.unpack(&block)?;
            let going: Vec<IndexRow> = held.iter().filter(|row| goes(row)).copied().collect();
            if !going.is_empty() {
                changes.without(&block, held, &goes)?;
                each(&going);
            }
            Ok(true)
        })?;
        changes.make()
    }

    /// Gives each row of a piece of a run, and whether a look-up comes to it there; none for a block that cannot be read.
    pub(super) fn scan_piece(
        &self,
        run: RunId,
        first_byte: u8,
        mut each: impl FnMut(Option<(IndexRow, bool)>),
    ) -> Result<(), StoreError> {
        let piece = piece_of(first_byte);
        let blocks = match self.store.blocks(run, &piece, Order::Oldest, usize::MAX) {
            Err(StoreError::Damaged { .. }) => {
                each(None);
                return Ok(());
            }
            blocks => blocks?,
        };
        for (at, block) in blocks.iter().enumerate() {
            let Some(rows) = block.rows() else {
                if piece.contains(&block.first) {
                    each(None);
                }
                continue;
            };
            // A row that comes behind the next block's first is looked for in that one.
            let next = blocks.get(at + 1).map(|next| next.first);
            for row in rows.into_iter().filter(|row| piece.contains(row)) {
                each(Some((row, next.is_none_or(|next| row < next))));
            }
        }
        Ok(())
    }
}

/// Blocks of a run that are replaced.
struct Changes<'a> {
    index: &'a Index,
    run: RunId,
    blocks: Vec<(IndexRow, Option<Block>)>,
}

impl<'a> Changes<'a> {
    fn new(index: &'a Index, run: RunId) -> Self {
        let blocks = Vec::new();
        Self { index, run, blocks }
    }

    /// A block without the rows that go. Gives how many there were.
    fn without(
        &mut self,
        block: &Block,
        held: Vec<IndexRow>,
        goes: impl Fn(&IndexRow) -> bool,
    ) -> Result<usize, StoreError> {
        let before = held.len();
        let kept: Vec<IndexRow> = held.into_iter().filter(|row| !goes(row)).collect();
        let deleted = before - kept.len();
        if deleted > 0 {
            let mut packed = BlockWriter::pack(kept).into_iter();
            self.blocks.push((block.first, packed.next()));
            // What is left can need some more bytes than before, where keys shared theirs with one that goes.
            self.blocks
                .extend(packed.map(|block| (block.first, Some(block))));
        }
        if self.blocks.len() >= BLOCKS_PER_REPLACEMENT {
            self.make()?;
        }
        Ok(deleted)
    }

    fn make(&mut self) -> Result<(), StoreError> {
        let blocks = std::mem::take(&mut self.blocks);
        if blocks.is_empty() {
            return Ok(());
        }
        self.index.store.replace(self.run, &blocks)
    }
}
