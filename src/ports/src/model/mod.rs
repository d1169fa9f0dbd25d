//! The ports in memory: a second engine, so plain that its answers can be believed. Engines are compared with it
//! (`src/conformance`). It keeps what it holds as long as the process runs; a "file" is a name in a map.

mod claims;
mod entries;
mod inbox;
mod ledgers;
mod lookups;
mod persons;
mod records;
mod runs;
mod side_tables;
mod statements;
mod storage;
mod values;
mod vault;

use std::sync::Arc;

use parking_lot::Mutex;
use trailkeep_proof::ids::{LedgerNumber, Seq};

use crate::StoreError;

pub use self::lookups::MemoryLookups;
pub use self::storage::MemoryStorage;

/// What several handles of one store share.
type Shared<T> = Arc<Mutex<T>>;
/// An event: its ledger, and its seq.
type Place = (LedgerNumber, Seq);

/// The error of a row that breaks a rule of its table.
fn refused(what: &str) -> StoreError {
    StoreError::Engine {
        file: "memory",
        error: what.into(),
    }
}

/// The places of a stretch of seqs.
fn places(ledger: LedgerNumber, range: std::ops::Range<u64>) -> std::ops::Range<Place> {
    let end = range.end.max(range.start);
    (ledger, Seq::new(range.start))..(ledger, Seq::new(end))
}

/// All places of a ledger.
fn whole(ledger: LedgerNumber) -> std::ops::RangeInclusive<Place> {
    (ledger, Seq::new(0))..=(ledger, Seq::MAX)
}
