//! What a walk over the payloads counts.

use std::collections::BTreeMap;

use crate::audit::rows::StatedRow;
use crate::audit::shown::Shown;
use crate::journal::append::gaps_of;
use trailkeep_crypto::payload::OpenedEvent;
use trailkeep_index::RowsSum;
use trailkeep_ports::GapName;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::event::shape::RECEIVED;
use trailkeep_proof::ledger::sources::{Sighting, SourceBook};

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
    /// The same rows, summed up; of one range.
    pub(super) index_sum: RowsSum,
    /// Classes whose statement was found.
    pub(super) classes: usize,
    pub(super) statements: usize,
    /// Entries that say that a restriction is over.
    pub(super) lifts: usize,
    /// What statements change in the vault, in order.
    pub(super) rows: Vec<(Seq, Vec<StatedRow>)>,
    /// What this part of the walk saw of sources.
    pub(super) seen: Vec<Sighting>,
    /// What policies found events to lack, as their texts say: how many events, and the last of them.
    pub(super) gaps: BTreeMap<GapName, (u64, Seq)>,
    /// Reads of one event.
    pub(super) shown: Vec<Shown>,
    /// How many events went by each statement.
    pub(super) went: BTreeMap<Seq, u64>,
    /// What all parts saw.
    pub(super) sources: SourceBook,
}

impl Read {
    /// Whether each event is in one of the states in which it is right.
    pub(super) const fn is_whole(&self) -> bool {
        self.intact + self.expired + self.erased + self.restricted == self.events
    }

    /// Counts what policies found an event to lack.
    pub(super) fn count_gaps(&mut self, seq: Seq, opened: &OpenedEvent) {
        let received = opened.sections.iter().find(|(name, _)| name == RECEIVED);
        for name in received.map(|(_, text)| gaps_of(text)).unwrap_or_default() {
            self.add_gap(name, 1, seq);
        }
    }

    fn add_gap(&mut self, name: GapName, events: u64, last: Seq) {
        let gap = self.gaps.entry(name).or_insert((0, last));
        gap.0 += events;
        gap.1 = gap.1.max(last);
    }

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
        self.shown.extend(next.shown);
        for (by, events) in next.went {
            *self.went.entry(by).or_default() += events;
        }
        for (name, (events, last)) in next.gaps {
            self.add_gap(name, events, last);
        }
        for sighting in next.seen {
            self.sources.see(sighting);
        }
    }
}
