//! Blocks: rows of a sorted run, packed. The form is the same for each engine, which stores bytes.
//!
//! A block has the rows of a run from its first one up to the next block. Rows of one key follow one another: the key
//! stands once, and after the first seq stand the distances to the next ones.
//!
//! ```text
//! block = postings of the first row's key, without key and first seq || other keys
//! other key = u8 bytes that the key shares with the one before, 0 to 15 || the other bytes || varint seq || postings
//! postings = varint distances to the next seq, each at least 1; 0 ends them, or the end of the block
//! varint = LEB128: 7 bits a byte, the lowest first
//! ```

use trailkeep_proof::ids::{LookupKey, Seq};

use crate::IndexRow;

/// Bytes after which a block is closed. Some of these fill a page of 8 KiB, and one is read and unpacked in microseconds.
const BLOCK_BYTES: usize = 900;
/// Bytes of a key, and of the first row of a block as it is stored: the key, and the seq with its highest byte first.
const KEY_BYTES: usize = 16;
const ROW_BYTES: usize = KEY_BYTES + 8;

/// Rows of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The first of them.
    pub first: IndexRow,
    /// All of them but what `first` says, in the form above.
    pub bytes: Vec<u8>,
}

impl Block {
    /// The rows in their order; none where the bytes are no block.
    pub fn rows(&self) -> Option<Vec<IndexRow>> {
        let mut rows = vec![self.first];
        let (mut key, mut seq) = self.first;
        let mut rest = &*self.bytes;
        while !rest.is_empty() {
            let step = take_varint(&mut rest)?;
            if step == 0 {
                let shared = usize::from(take(&mut rest, 1)?[0]);
                let mut bytes = *key.as_bytes();
                let other = bytes.get_mut(shared..).filter(|other| !other.is_empty())?;
                other.copy_from_slice(take(&mut rest, KEY_BYTES - shared)?);
                let next = LookupKey::new(bytes);
                if next <= key {
                    return None;
                }
                (key, seq) = (next, Seq::new(take_varint(&mut rest)?));
            } else {
                seq = Seq::new(seq.get().checked_add(step)?);
            }
            if seq > Seq::MAX {
                return None;
            }
            rows.push((key, seq));
        }
        Some(rows)
    }
}

/// Packs rows into blocks.
#[derive(Debug, Default)]
pub struct BlockWriter {
    open: Option<Block>,
    last: Option<IndexRow>,
    full: Vec<Block>,
}

impl BlockWriter {
    /// Adds a row, which comes after all that were added; one that does not changes nothing.
    pub fn push(&mut self, row: IndexRow) {
        let last = self.last.filter(|_| self.open.is_some());
        if self.last.is_some_and(|last| row <= last) {
            return;
        }
        self.last = Some(row);
        let (Some(block), Some(last)) = (&mut self.open, last) else {
            self.open = Some(Block {
                first: row,
                bytes: Vec::new(),
            });
            return;
        };
        let ((last_key, last_seq), (key, seq)) = (last, row);
        if key == last_key {
            put_varint(&mut block.bytes, seq.get() - last_seq.get());
        } else {
            let pairs = key.as_bytes().iter().zip(last_key.as_bytes());
            let shared = pairs.take_while(|(one, other)| one == other).count();
            block.bytes.extend([0, u8::try_from(shared).unwrap_or(0)]);
            block.bytes.extend_from_slice(&key.as_bytes()[shared..]);
            put_varint(&mut block.bytes, seq.get());
        }
        if block.bytes.len() >= BLOCK_BYTES {
            self.full.extend(self.open.take());
        }
    }

    /// The blocks that are closed, which no row is added to.
    pub fn take_full(&mut self) -> Vec<Block> {
        std::mem::take(&mut self.full)
    }

    /// All blocks that were not taken.
    pub fn finish(mut self) -> Vec<Block> {
        self.full.extend(self.open);
        self.full
    }

    /// The blocks of some rows in their order.
    pub fn pack(rows: impl IntoIterator<Item = IndexRow>) -> Vec<Block> {
        let mut writer = Self::default();
        rows.into_iter().for_each(|row| writer.push(row));
        writer.finish()
    }
}

/// A row as an engine stores and sorts it.
pub fn row_bytes((key, seq): IndexRow) -> [u8; ROW_BYTES] {
    let mut bytes = [0; ROW_BYTES];
    bytes[..KEY_BYTES].copy_from_slice(key.as_bytes());
    bytes[KEY_BYTES..].copy_from_slice(&seq.get().to_be_bytes());
    bytes
}

/// A row as it was stored; none for bytes that are no row.
pub fn row_from_bytes(bytes: &[u8]) -> Option<IndexRow> {
    let (key, seq) = bytes.split_at_checked(KEY_BYTES)?;
    let seq = Seq::new(u64::from_be_bytes(seq.try_into().ok()?));
    Some((LookupKey::from_slice(key)?, seq)).filter(|(_, seq)| *seq <= Seq::MAX)
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = take(rest, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(bytes)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(key: &[u8], seq: u64) -> IndexRow {
        let mut bytes = [0; KEY_BYTES];
        bytes[..key.len()].copy_from_slice(key);
        (LookupKey::new(bytes), Seq::new(seq))
    }

    /// Keys that share some of their bytes, and seqs of every size.
    fn rows() -> impl Strategy<Value = Vec<IndexRow>> {
        let seq = prop_oneof![0..300_u64, Just(Seq::MAX.get()), 0..=Seq::MAX.get()];
        let row = (prop::array::uniform16(0..3_u8), seq);
        let row = row.prop_map(|(key, seq)| (LookupKey::new(key), Seq::new(seq)));
        let alike = (0..4_u8, 0..5_000_u64).prop_map(|(key, seq)| self::row(&[key], seq));
        let rows = prop::collection::btree_set(prop_oneof![row, alike], 0..2_000);
        rows.prop_map(|rows| rows.into_iter().collect())
    }

    #[test]
    fn a_block_has_the_form_that_is_written_down() {
        let rows = [
            row(&[1, 2], 7),
            row(&[1, 2], 8),
            row(&[1, 2], 308),
            row(&[1, 3], 5),
        ];
        let blocks = BlockWriter::pack(rows);
        let mut bytes = vec![1, 0xac, 0x02, 0, 1, 3];
        bytes.extend([0; 14]);
        bytes.push(5);
        let first = rows[0];
        assert_eq!(blocks, [Block { first, bytes }]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_packed_comes_out_again(rows in rows()) {
            let blocks = BlockWriter::pack(rows.iter().copied());
            let mut unpacked = Vec::new();
            for block in &blocks {
                let of_block = block.rows().unwrap();
                prop_assert_eq!(of_block[0], block.first);
                unpacked.extend(of_block);
            }
            prop_assert_eq!(unpacked, rows);
            let close = blocks.iter().rev().skip(1);
            let sizes: Vec<usize> = close.map(|block| block.bytes.len()).collect();
            prop_assert!(sizes.iter().all(|size| (BLOCK_BYTES..BLOCK_BYTES + 40).contains(size)));
        }

        #[test]
        fn other_bytes_are_no_block_or_rows_in_their_order(bytes: Vec<u8>) {
            let block = Block { first: row(&[7], 9), bytes };
            if let Some(rows) = block.rows() {
                prop_assert!(rows.is_sorted_by(|one, other| one < other));
                prop_assert!(rows.iter().all(|(_, seq)| *seq <= Seq::MAX));
            }
        }

        #[test]
        fn a_row_sorts_as_its_bytes_do(rows in rows()) {
            let bytes: Vec<_> = rows.iter().copied().map(row_bytes).collect();
            prop_assert!(bytes.is_sorted());
            let read: Vec<_> = bytes.iter().filter_map(|bytes| row_from_bytes(bytes)).collect();
            prop_assert_eq!(read, rows);
        }
    }

    #[test]
    fn bytes_that_are_no_block_are_refused() {
        let first = row(&[7], 9);
        let with = |bytes: &[u8]| {
            let bytes = bytes.to_vec();
            Block { first, bytes }.rows()
        };
        assert_eq!(with(&[]), Some(vec![first]));
        let same_key = [&[0, 0, 7][..], &[0; 15], &[9]].concat();
        for wrong in [
            // A varint without its end, one that is too large, a seq that is too large.
            &[0x80][..],
            &[0xff; 10],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            // No key, a part of a key, a key that shares all its bytes, the same key again.
            &[0],
            &[0, 1, 5],
            &[0, 16, 5],
            &same_key,
        ] {
            assert_eq!(with(wrong), None, "{wrong:?}");
        }
        assert_eq!(row_from_bytes(&[0; 23]), None);
        assert_eq!(row_from_bytes(&[0xff; 24]), None);
    }
}
