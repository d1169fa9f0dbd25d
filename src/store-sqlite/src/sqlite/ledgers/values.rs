//! Values, and how many events refer to each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteLedgers;
use crate::{row_number, row_seq};
use trailkeep_ports::{LedgerBatch, StoreError, ValueFault, Values};
use trailkeep_proof::ids::{LedgerNumber, Seq, ValueNumber};

/// Values that one pass over the references counts, in 4 bytes each.
const COUNTED_PER_PASS: u64 = 1 << 20;

impl Values for SqliteLedgers {
    fn values(
        &self,
        ledger: LedgerNumber,
        numbers: &[ValueNumber],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.database.read(|tx| {
            let mut find = tx.prepare_cached("SELECT bytes FROM value WHERE row = ?1")?;
            numbers
                .iter()
                .map(|number| {
                    find.query_row([value_row(ledger, *number)], |row| row.get(0))
                        .optional()
                })
                .collect()
        })
    }

    fn next_value(&self, ledger: LedgerNumber) -> Result<ValueNumber, StoreError> {
        self.database.read(|tx| next(tx, ledger))
    }

    fn references(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<ValueNumber>)>, StoreError> {
        let rows = self.rows(
            "SELECT row, numbers FROM value_reference WHERE row >= ?1 AND row < ?2 ORDER BY row",
            ledger,
            range,
        )?;
        Ok(rows
            .into_iter()
            .map(|(seq, bytes)| (seq, numbers_of(&bytes)))
            .collect())
    }

    fn value_faults(
        &self,
        ledger: LedgerNumber,
        limit: usize,
    ) -> Result<Vec<ValueFault>, StoreError> {
        let (mut faults, mut from) = (Vec::new(), Some(0));
        while let Some(start) = from.filter(|_| faults.len() < limit) {
            // References, counts and values of a pass are those of one moment.
            let (found, next) = self.database.read(|tx| {
                let pass = Pass::of(tx, ledger, start)?;
                let uses = uses(tx, ledger, &pass.numbers)?;
                let stored = stored(tx, ledger, &pass.numbers)?;
                let faults = compare(&pass, &uses, &stored);
                Ok((faults, pass.next(tx, ledger)?))
            })?;
            faults.extend(found);
            from = next;
        }
        faults.truncate(limit);
        Ok(faults)
    }
}

/// What does not fit between how many events refer to each value, how many it is said of, and which are stored.
fn compare(pass: &Pass, uses: &BTreeMap<u64, u64>, stored: &BTreeSet<u64>) -> Vec<ValueFault> {
    let mut faults = Vec::new();
    for (number, counted) in pass.counted() {
        let value = ValueNumber::new(number);
        let used = uses.get(&number).copied();
        let is_stored = stored.contains(&number);
        if counted > 0 && !is_stored {
            faults.push(ValueFault::Missing(value));
        } else if counted == 0 && is_stored {
            faults.push(ValueFault::Orphaned(value));
        }
        if used.unwrap_or(0) != counted {
            faults.push(ValueFault::Count {
                value,
                counted,
                stored: used,
            });
        }
    }
    faults
}

/// Writes the values of a batch, and which events refer to which. Gives those that are not there any more: then
/// nothing of the batch may be written.
pub(super) fn write(tx: &Connection, batch: &LedgerBatch) -> rusqlite::Result<Vec<ValueNumber>> {
    let mut uses: BTreeMap<ValueNumber, u64> = BTreeMap::new();
    let mut new: BTreeSet<ValueNumber> = BTreeSet::new();
    let mut reference =
        tx.prepare_cached("INSERT INTO value_reference (row, numbers) VALUES (?1, ?2)")?;
    let mut value = tx.prepare_cached("INSERT INTO value (row, bytes) VALUES (?1, ?2)")?;
    for (row, seq) in batch.rows.iter().zip(batch.expected_size..) {
        if row.refers.is_empty() {
            continue;
        }
        for (number, bytes) in &row.values {
            value.execute(params![value_row(batch.ledger, *number), bytes])?;
            new.insert(*number);
        }
        let numbers: Vec<u8> = row
            .refers
            .iter()
            .flat_map(|number| number.get().to_be_bytes())
            .collect();
        reference.execute(params![row_number(batch.ledger, Seq::new(seq)), numbers])?;
        for number in &row.refers {
            *uses.entry(*number).or_default() += 1;
        }
    }
    let mut first = tx.prepare_cached("INSERT INTO value_use (row, events) VALUES (?1, ?2)")?;
    let mut more = tx.prepare_cached("UPDATE value_use SET events = events + ?2 WHERE row = ?1")?;
    let mut gone = Vec::new();
    for (number, events) in uses {
        let row = value_row(batch.ledger, number);
        if new.contains(&number) {
            first.execute(params![row, events])?;
        } else if more.execute(params![row, events])? == 0 {
            gone.push(number);
        }
    }
    Ok(gone)
}

/// An event refers to nothing any more: the values that no other event refers to are deleted, and given.
pub(super) fn drop_references(
    tx: &Connection,
    ledger: LedgerNumber,
    seq: Seq,
) -> rusqlite::Result<Vec<ValueNumber>> {
    let row = row_number(ledger, seq);
    let numbers: Option<Vec<u8>> = tx
        .prepare_cached("SELECT numbers FROM value_reference WHERE row = ?1")?
        .query_row([row], |found| found.get(0))
        .optional()?;
    let Some(numbers) = numbers else {
        return Ok(Vec::new());
    };
    let mut gone = Vec::new();
    tx.prepare_cached("DELETE FROM value_reference WHERE row = ?1")?
        .execute([row])?;
    let mut one_less = tx
        .prepare_cached("UPDATE value_use SET events = events - 1 WHERE row = ?1 AND events > 1")?;
    let mut last = tx.prepare_cached("DELETE FROM value_use WHERE row = ?1")?;
    let mut value = tx.prepare_cached("DELETE FROM value WHERE row = ?1")?;
    let numbers = numbers_of(&numbers).into_iter();
    // A larger number is damage, and no row is of it.
    for number in numbers.filter(|number| *number <= ValueNumber::MAX) {
        let row = value_row(ledger, number);
        // A value without a count is damage, and other events may need it: `verify` names it.
        if one_less.execute([row])? == 0 && last.execute([row])? == 1 {
            value.execute([row])?;
            gone.push(number);
        }
    }
    Ok(gone)
}

pub(super) fn value_row(ledger: LedgerNumber, number: ValueNumber) -> i64 {
    row_number(ledger, Seq::new(number.get()))
}

/// Numbers out of their bytes. A column of another length is refused by the table.
fn numbers_of(bytes: &[u8]) -> Vec<ValueNumber> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers
        .iter()
        .map(|number| ValueNumber::new(u64::from_be_bytes(*number)))
        .collect()
}

/// Rows of a range of numbers of a ledger.
pub(super) fn bounds(ledger: LedgerNumber, numbers: &Range<u64>) -> [i64; 2] {
    [numbers.start, numbers.end].map(|number| value_row(ledger, ValueNumber::new(number)))
}

/// The number after that of the last value that is stored or counted.
pub(super) fn next(tx: &Connection, ledger: LedgerNumber) -> rusqlite::Result<ValueNumber> {
    let (first, last) = (
        value_row(ledger, ValueNumber::new(0)),
        value_row(ledger, ValueNumber::MAX),
    );
    let mut next = 0;
    for table in ["value", "value_use"] {
        let sql = format!("SELECT max(row) FROM {table} WHERE row >= ?1 AND row <= ?2");
        let row: Option<i64> = tx
            .prepare_cached(&sql)?
            .query_row([first, last], |row| row.get(0))?;
        next = next.max(row.map_or(0, |row| row_seq(row).get() + 1));
    }
    Ok(ValueNumber::new(next))
}

fn each_reference(
    tx: &Connection,
    ledger: LedgerNumber,
    mut each: impl FnMut(&[ValueNumber]),
) -> rusqlite::Result<()> {
    let range = [Seq::new(0), Seq::MAX].map(|seq| row_number(ledger, seq));
    let mut statement =
        tx.prepare_cached("SELECT numbers FROM value_reference WHERE row >= ?1 AND row <= ?2")?;
    let mut rows = statement.query(range)?;
    while let Some(row) = rows.next()? {
        let mut numbers = numbers_of(row.get_ref(0)?.as_blob()?);
        // A larger one is damage: the payload names another.
        numbers.retain(|number| *number <= ValueNumber::MAX);
        each(&numbers);
    }
    Ok(())
}

/// How many events refer to each value of a stretch of numbers.
pub(super) struct Pass {
    pub(super) numbers: Range<u64>,
    pub(super) events: Vec<u32>,
    /// The first number behind it that an event refers to.
    next: Option<u64>,
}

impl Pass {
    pub(super) fn of(tx: &Connection, ledger: LedgerNumber, start: u64) -> rusqlite::Result<Self> {
        // No longer than there are values: most ledgers have few.
        let mut end = next(tx, ledger)?.get();
        each_reference(tx, ledger, |numbers| {
            end = end.max(numbers.last().map_or(0, |last| last.get() + 1));
        })?;
        let end = end.clamp(start, start + COUNTED_PER_PASS);
        let mut pass = Self {
            numbers: start..end,
            events: vec![0; usize::try_from(end - start).unwrap_or(0)],
            next: None,
        };
        each_reference(tx, ledger, |numbers| {
            for number in numbers.iter().map(|number| number.get()) {
                let at = number.checked_sub(start);
                let at = at.and_then(|at| usize::try_from(at).ok());
                if let Some(events) = at.and_then(|at| pass.events.get_mut(at)) {
                    *events += 1;
                } else if number >= end {
                    pass.next = Some(pass.next.map_or(number, |next| next.min(number)));
                }
            }
        })?;
        Ok(pass)
    }

    pub(super) fn counted(&self) -> impl Iterator<Item = (u64, u64)> {
        let events = self.events.iter().map(|events| u64::from(*events));
        self.numbers.clone().zip(events)
    }

    /// Where the next one starts: numbers that nothing has are left out.
    pub(super) fn next(
        &self,
        tx: &Connection,
        ledger: LedgerNumber,
    ) -> rusqlite::Result<Option<u64>> {
        let behind = self.numbers.end..ValueNumber::MAX.get() + 1;
        let mut next = self.next;
        for table in ["value", "value_use"] {
            let sql = format!("SELECT min(row) FROM {table} WHERE row >= ?1 AND row <= ?2");
            let last = value_row(ledger, ValueNumber::MAX);
            let first = value_row(ledger, ValueNumber::new(behind.start));
            let found: Option<i64> = tx
                .prepare_cached(&sql)?
                .query_row([first, last], |row| row.get(0))?;
            next = next
                .into_iter()
                .chain(found.map(|row| row_seq(row).get()))
                .min();
        }
        Ok(next.filter(|next| behind.contains(next)))
    }
}

/// How many events are said to refer to each value of a pass.
pub(super) fn uses(
    tx: &Connection,
    ledger: LedgerNumber,
    pass: &Range<u64>,
) -> rusqlite::Result<BTreeMap<u64, u64>> {
    tx.prepare_cached("SELECT row, events FROM value_use WHERE row >= ?1 AND row < ?2")?
        .query_map(bounds(ledger, pass), |row| {
            Ok((row_seq(row.get(0)?).get(), row.get(1)?))
        })?
        .collect()
}

fn stored(
    tx: &Connection,
    ledger: LedgerNumber,
    pass: &Range<u64>,
) -> rusqlite::Result<BTreeSet<u64>> {
    tx.prepare_cached("SELECT row FROM value WHERE row >= ?1 AND row < ?2")?
        .query_map(bounds(ledger, pass), |row| Ok(row_seq(row.get(0)?).get()))?
        .collect()
}
