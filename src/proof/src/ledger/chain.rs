//! The chain: each entry holds the leaf hash of the one before (invariants 2 and 3).

use super::entry::{Entry, EntryBytes, EntryError, leaf_hash};
use crate::ids::{LeafHash, Seq};
use crate::time::UnixMillis;

/// The end of a chain: what the next entry must continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Seq of the next entry.
    pub next: Seq,
    /// Leaf hash of the last entry; zero before the first.
    pub last_leaf: LeafHash,
    /// When the last entry was recorded.
    pub last_recorded_at: UnixMillis,
}

/// Why an entry does not continue the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// It is no entry at all.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// It is another place's entry.
    #[error("seq {expected} was expected, this is {found}")]
    Seq {
        /// The next seq.
        expected: Seq,
        /// The entry's.
        found: Seq,
    },
    /// It does not hold the leaf hash of the one before.
    #[error("it links to {found}, the entry before it has the leaf hash {expected}")]
    Link {
        /// Leaf hash of the entry before.
        expected: LeafHash,
        /// What the entry says.
        found: LeafHash,
    },
    /// Time went back.
    #[error("it was recorded at {found}, the entry before it at {before}")]
    Time {
        /// When the entry before was recorded.
        before: UnixMillis,
        /// When this one says it was.
        found: UnixMillis,
    },
}

impl ChainHead {
    /// The chain without an entry.
    pub const EMPTY: Self = Self {
        next: Seq::new(0),
        last_leaf: LeafHash::ZERO,
        last_recorded_at: UnixMillis::new(0),
    };

    /// Checks that an entry comes next, and moves to it. On an error nothing moves.
    pub fn follow(&mut self, bytes: &EntryBytes) -> Result<Entry, ChainError> {
        let entry = Entry::decode(bytes)?;
        if entry.seq != self.next {
            return Err(ChainError::Seq {
                expected: self.next,
                found: entry.seq,
            });
        }
        if entry.prev != self.last_leaf {
            return Err(ChainError::Link {
                expected: self.last_leaf,
                found: entry.prev,
            });
        }
        if entry.recorded_at < self.last_recorded_at {
            return Err(ChainError::Time {
                before: self.last_recorded_at,
                found: entry.recorded_at,
            });
        }
        *self = Self {
            next: entry.seq.next(),
            last_leaf: leaf_hash(bytes),
            last_recorded_at: entry.recorded_at,
        };
        Ok(entry)
    }
}
