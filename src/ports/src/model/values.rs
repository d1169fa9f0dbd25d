//! Values, and which events refer to them.

use std::collections::BTreeSet;
use std::ops::Range;

use trailkeep_proof::ids::{LedgerNumber, Seq, ValueNumber};

use super::ledgers::{MemoryLedgers, Tables};
use super::{Place, places, refused, whole};
use crate::{Row, StoreError, ValueFault, Values};

impl Values for MemoryLedgers {
    fn values(
        &self,
        ledger: LedgerNumber,
        numbers: &[ValueNumber],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let tables = self.tables.lock();
        let value = |number: &ValueNumber| tables.values.get(&(ledger, *number)).cloned();
        Ok(numbers.iter().map(value).collect())
    }

    fn next_value(&self, ledger: LedgerNumber) -> Result<ValueNumber, StoreError> {
        let tables = self.tables.lock();
        let last = tables
            .stored(ledger)
            .into_iter()
            .chain(tables.needed(ledger))
            .max();
        Ok(ValueNumber::new(last.map_or(0, |last| last.get() + 1)))
    }

    fn references(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<ValueNumber>)>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.references.range(places(ledger, range));
        Ok(rows
            .map(|((_, seq), numbers)| (*seq, numbers.clone()))
            .collect())
    }

    /// Nobody counts here, so no count is wrong.
    fn value_faults(
        &self,
        ledger: LedgerNumber,
        limit: usize,
    ) -> Result<Vec<ValueFault>, StoreError> {
        let tables = self.tables.lock();
        let (stored, needed) = (tables.stored(ledger), tables.needed(ledger));
        let fault = |number: &ValueNumber| {
            if needed.contains(number) {
                ValueFault::Missing(*number)
            } else {
                ValueFault::Orphaned(*number)
            }
        };
        let differing = stored.symmetric_difference(&needed);
        Ok(differing.map(fault).take(limit).collect())
    }
}

impl Tables {
    fn stored(&self, ledger: LedgerNumber) -> BTreeSet<ValueNumber> {
        let stored = self.values.keys().filter(|(of, _)| *of == ledger);
        stored.map(|(_, number)| *number).collect()
    }

    fn needed(&self, ledger: LedgerNumber) -> BTreeSet<ValueNumber> {
        let rows = self.references.range(whole(ledger));
        rows.flat_map(|(_, numbers)| numbers).copied().collect()
    }

    /// Stores the values of a new event, and which it refers to.
    pub(super) fn refer(&mut self, place: Place, row: &Row) -> Result<(), StoreError> {
        let (ledger, _) = place;
        for (number, bytes) in &row.values {
            if self.values.contains_key(&(ledger, *number)) {
                return Err(refused("the value is there"));
            }
            self.values.insert((ledger, *number), bytes.clone());
        }
        let is_gone = |number: &&ValueNumber| !self.values.contains_key(&(ledger, **number));
        let gone: Vec<ValueNumber> = row.refers.iter().filter(is_gone).copied().collect();
        if !gone.is_empty() {
            let ledger = ledger.get();
            return Err(StoreError::ValuesGone {
                ledger,
                values: gone,
            });
        }
        if !row.refers.is_empty() {
            self.references.insert(place, row.refers.clone());
        }
        Ok(())
    }

    /// An event refers to nothing any more: what nothing else refers to is deleted, and given.
    pub(super) fn drop_references(&mut self, place: Place) -> Vec<ValueNumber> {
        let (ledger, _) = place;
        let mut numbers = self.references.remove(&place).unwrap_or_default();
        let needed = self.needed(ledger);
        numbers.retain(|number| !needed.contains(number));
        for number in &numbers {
            self.values.remove(&(ledger, *number));
        }
        numbers
    }

    /// Deletes the values to which nothing refers.
    pub(super) fn drop_orphans(&mut self) {
        let ledgers: BTreeSet<LedgerNumber> = self.values.keys().map(|(of, _)| *of).collect();
        for ledger in ledgers {
            let needed = self.needed(ledger);
            self.values
                .retain(|(of, number), _| *of != ledger || needed.contains(number));
        }
    }
}
