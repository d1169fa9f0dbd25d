//! The sums of a ledger's hours.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::journal::Journal;
use crate::metering::read::read_into;
use crate::metering::{FiguresError, LeftOut, MS_AN_HOUR};
use crate::tenant::ledger::{Ledger, Published};
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::metered::{CellKey, Totals};

/// Cells that are kept for a ledger: about a kibibyte each.
const CELLS_MAX: usize = 50_000;

/// Sums of the hours that were asked for.
#[derive(Default)]
pub(super) struct Hours {
    pub(super) hours: BTreeMap<u64, Hour>,
    /// The newest statement when they were read: a later one may have let events go.
    as_of: Option<Seq>,
}

/// Sums of an hour, by its start in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Hour {
    /// The entries that are counted.
    pub(super) entries: Range<u64>,
    pub(super) cells: BTreeMap<CellKey, Totals>,
    /// Numbers of price tables.
    pub(super) tables: BTreeSet<u32>,
    pub(super) left_out: LeftOut,
    /// Whether a later hour has begun: it gets no more entries.
    is_over: bool,
}

impl Hours {
    /// Reads what is missing of the hours, and gives their entries.
    pub(super) fn bring_up_to(
        &mut self,
        journal: &Journal,
        (ledger, published): (&Ledger, &Published),
        times: Range<u64>,
    ) -> Result<Range<u64>, FiguresError> {
        let number = ledger.record.number;
        let newest = newest_statement(journal, ledger)?;
        if newest != self.as_of {
            // Events may have gone, or be read again. Sums from before would tell what they said.
            self.hours.clear();
            self.as_of = newest;
        }
        let size = published.head.size;
        let first = |at: u64| journal.ledgers.first_recorded_at(number, size, at);
        let all = first(times.start)?.get()..first(times.end)?.get();
        let mut start = all.start;
        let mut at = times.start;
        while start < all.end {
            if let Some((over, end)) = self.known_from(at, start) {
                (start, at) = (end, over + MS_AN_HOUR);
                continue;
            }
            // Hours without entries are passed over.
            let entry = journal.ledgers.entries(number, start..start + 1)?;
            let recorded_at = entry
                .first()
                .and_then(|bytes| trailkeep_proof::ledger::entry::Entry::decode(bytes).ok())
                .map_or(at, |entry| entry.recorded_at.get());
            at = at.max(recorded_at - recorded_at % MS_AN_HOUR);
            let end = first(at + MS_AN_HOUR)?.get();
            self.bring_hour_up_to(journal, ledger, (at, start..end))?;
            if let Some(hour) = self.hours.get_mut(&at) {
                hour.is_over = end < size;
            }
            (start, at) = (end, at + MS_AN_HOUR);
        }
        Ok(all)
    }

    /// The next hour, where it is over and begins with this entry, and the entry after its last.
    fn known_from(&self, at: u64, start: u64) -> Option<(u64, u64)> {
        let (at, hour) = self.hours.range(at..).next()?;
        let is_next = hour.is_over && hour.entries.start == start;
        is_next.then_some((*at, hour.entries.end))
    }

    fn bring_hour_up_to(
        &mut self,
        journal: &Journal,
        ledger: &Ledger,
        (at, entries): (u64, Range<u64>),
    ) -> Result<(), FiguresError> {
        let known = self.hours.get(&at);
        let is_beginning = known.is_some_and(|known| {
            known.entries.start == entries.start && known.entries.end <= entries.end
        });
        if known.is_some_and(|known| known.entries == entries) {
            return Ok(());
        }
        let mut hour = match self.hours.remove(&at) {
            Some(hour) if is_beginning => hour,
            _ => Hour {
                entries: entries.start..entries.start,
                ..Hour::default()
            },
        };
        read_into(journal, ledger, hour.entries.end..entries.end, &mut hour)?;
        hour.entries = entries;
        self.make_room(at);
        self.hours.insert(at, hour);
        Ok(())
    }

    /// Forgets the oldest hours before one, where there are too many cells.
    fn make_room(&mut self, before: u64) {
        let mut cells: usize = self.hours.values().map(|hour| hour.cells.len() + 1).sum();
        while cells > CELLS_MAX {
            let Some((at, _)) = self.hours.first_key_value().filter(|(at, _)| **at < before) else {
                return;
            };
            let at = *at;
            let gone = self.hours.remove(&at);
            cells -= gone.map_or(0, |hour| hour.cells.len() + 1);
        }
    }
}

/// The newest statement of a ledger that says something of other entries.
fn newest_statement(journal: &Journal, ledger: &Ledger) -> Result<Option<Seq>, StoreError> {
    let statements = journal.ledgers.statements(ledger.record.number)?;
    Ok(statements.last().map(|(seq, ..)| *seq))
}
