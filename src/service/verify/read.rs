//! What a walk over the payloads counts.

use super::rows::StatedRow;
use crate::ids::Seq;
use crate::ledger::sources::{Sighting, SourceBook};

/// How many events there are, and how many are what was recorded.
#[derive(Default)]
pub(super) struct Read {
    pub(super) events: u64,
    pub(super) intact: u64,
    pub(super) expired: u64,
    pub(super) erased: u64,
    pub(super) restricted: u64,
    pub(super) held: u64,
    pub(super) index_rows: u64,
    /// Classes whose statement was found.
    pub(super) classes: usize,
    pub(super) statements: usize,
    /// Entries that say that a restriction is over.
    pub(super) lifts: usize,
    /// What statements change in the vault, in order.
    pub(super) rows: Vec<(Seq, Vec<StatedRow>)>,
    /// What this part of the walk saw of sources.
    pub(super) seen: Vec<Sighting>,
    /// What all parts saw.
    pub(super) sources: SourceBook,
}

impl Read {
    /// Adds what the next part of the walk counted.
    pub(super) fn add(&mut self, next: Self) {
        self.events += next.events;
        self.intact += next.intact;
        self.expired += next.expired;
        self.erased += next.erased;
        self.restricted += next.restricted;
        self.lifts += next.lifts;
        self.held += next.held;
        self.index_rows += next.index_rows;
        self.classes += next.classes;
        self.statements += next.statements;
        self.rows.extend(next.rows);
        for sighting in next.seen {
            self.sources.see(sighting);
        }
    }
}
