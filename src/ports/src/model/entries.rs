//! Reading entries, payloads, tiles and the active run.

use std::ops::Range;

use trailkeep_proof::ids::{ClassNumber, LedgerNumber, LookupKey, Seq};
use trailkeep_proof::ledger::entry::EntryBytes;
use trailkeep_proof::ledger::tile::TileCoordinate;

use super::ledgers::{MemoryLedgers, Tables};
use super::{places, refused, whole};
use crate::{ActiveRun, Entries, EventRow, Mark, Order, Span, StoreError};

fn class_of(entry: &EntryBytes) -> ClassNumber {
    ClassNumber::new(u16::from_be_bytes([entry[2], entry[3]]))
}

fn recorded_at(entry: &EntryBytes) -> u64 {
    let mut time = [0; 8];
    time.copy_from_slice(&entry[12..20]);
    u64::from_be_bytes(time)
}

impl Tables {
    fn event(&self, ledger: LedgerNumber, seq: Seq) -> Option<EventRow> {
        let entry = self.entries.get(&(ledger, seq))?;
        Some(EventRow {
            entry: *entry,
            payload: self.payloads.get(&(ledger, seq)).cloned(),
            mark: self.mark(ledger, seq),
        })
    }

    fn mark(&self, ledger: LedgerNumber, seq: Seq) -> Mark {
        let place = (ledger, seq);
        let restricted = self
            .restricted
            .range((place, Seq::new(0))..=(place, Seq::MAX));
        let mut standing = restricted.filter(|(_, lifted)| lifted.is_none());
        Mark {
            tombstone: self.covered.get(&place).copied(),
            is_overdue: self.overdue.contains(&place),
            restricted_by: standing.next().map(|((_, by), _)| *by),
        }
    }

    /// Events of a class that have a payload.
    fn of_class(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        range: &Range<Seq>,
    ) -> impl Iterator<Item = Seq> {
        let entries = self
            .entries
            .range(places(ledger, range.start.get()..range.end.get()));
        entries
            .filter(move |(place, entry)| {
                class_of(entry) == class && self.payloads.contains_key(place)
            })
            .map(|((_, seq), _)| *seq)
    }
}

impl Entries for MemoryLedgers {
    fn entry_rows(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.entries.range(places(ledger, range));
        Ok(rows.map(|((_, seq), row)| (*seq, row.to_vec())).collect())
    }

    fn stored_end(&self, ledger: LedgerNumber) -> Result<u64, StoreError> {
        let tables = self.tables.lock();
        let last = tables.entries.range(whole(ledger)).next_back();
        Ok(last.map_or(0, |((_, seq), _)| seq.get() + 1))
    }

    fn payload_rows(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.payloads.range(places(ledger, range));
        Ok(rows.map(|((_, seq), row)| (*seq, row.clone())).collect())
    }

    fn event(&self, ledger: LedgerNumber, seq: Seq) -> Result<Option<EventRow>, StoreError> {
        Ok(self.tables.lock().event(ledger, seq))
    }

    fn events(
        &self,
        ledger: LedgerNumber,
        seqs: &[Seq],
        bytes_max: usize,
    ) -> Result<Vec<Option<EventRow>>, StoreError> {
        let tables = self.tables.lock();
        let (mut events, mut bytes) = (Vec::new(), 0);
        for seq in seqs {
            let event = tables.event(ledger, *seq);
            let payload = event.as_ref().and_then(|event| event.payload.as_ref());
            bytes += payload.map_or(0, Vec::len);
            events.push(event);
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(events)
    }

    fn first_recorded_at(
        &self,
        ledger: LedgerNumber,
        size: u64,
        recorded_at_ms: u64,
    ) -> Result<Seq, StoreError> {
        let tables = self.tables.lock();
        for seq in (0..size).map(Seq::new) {
            let entry = tables.entries.get(&(ledger, seq));
            let entry = entry.ok_or_else(|| refused("lacks an entry"))?;
            if recorded_at(entry) >= recorded_at_ms {
                return Ok(seq);
            }
        }
        Ok(Seq::new(size))
    }

    fn events_of_classes(
        &self,
        ledger: LedgerNumber,
        classes: &[ClassNumber],
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let tables = self.tables.lock();
        let range = span.from.get()..span.end.get();
        let found = tables.entries.range(places(ledger, range));
        let found = found.filter(|(_, entry)| classes.contains(&class_of(entry)));
        let found = found.map(|((_, seq), _)| *seq);
        Ok(match order {
            Order::Oldest => found.take(limit).collect(),
            Order::Newest => found.rev().take(limit).collect(),
        })
    }

    fn tile(
        &self,
        ledger: LedgerNumber,
        tile: TileCoordinate,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tables.lock().tiles.get(&(ledger, tile)).cloned())
    }

    fn tile_count(&self, ledger: LedgerNumber) -> Result<u64, StoreError> {
        let tables = self.tables.lock();
        let of_ledger = tables.tiles.keys().filter(|(of, _)| *of == ledger);
        Ok(of_ledger.count() as u64)
    }
}

impl ActiveRun for MemoryLedgers {
    fn active_index(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<LookupKey>)>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.active.range(places(ledger, range));
        Ok(rows.map(|((_, seq), keys)| (*seq, keys.clone())).collect())
    }

    fn drop_active(
        &self,
        ledger: LedgerNumber,
        end: Seq,
        limit: usize,
    ) -> Result<usize, StoreError> {
        Ok(self.tables.lock().drop_active(ledger, end, limit))
    }

    fn without_active_row(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        range: Range<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let tables = self.tables.lock();
        let found = tables.of_class(ledger, class, &range);
        let found = found.filter(|seq| !tables.active.contains_key(&(ledger, *seq)));
        Ok(found.take(limit).collect())
    }

    fn with_payload(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        range: Range<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let tables = self.tables.lock();
        let found = tables.of_class(ledger, class, &range);
        Ok(found.take(limit).collect())
    }
}
