//! Values, and how many events refer to each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteLedgers;
use super::copy::{BYTES_PER_READ, PAYLOAD_HEAD_BYTES, ROWS_PER_READ};
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
        let end = self.database.read(|tx| end(tx, ledger))?;
        let mut faults = Vec::new();
        for pass in passes(end) {
            // References, counts and values of a pass are those of one moment.
            let found = self.database.read(|tx| {
                let counted = count(tx, ledger, pass.clone())?;
                let uses: BTreeMap<u64, u64> = uses(tx, ledger, pass.clone())?;
                let stored: BTreeSet<u64> = stored(tx, ledger, pass.clone())?;
                Ok(compare(pass, &counted, &uses, &stored))
            })?;
            faults.extend(found);
            if faults.len() >= limit {
                break;
            }
        }
        faults.truncate(limit);
        Ok(faults)
    }
}

/// What does not fit between how many events refer to each value, how many it is said of, and which are stored.
fn compare(
    pass: Range<u64>,
    counted: &[u32],
    uses: &BTreeMap<u64, u64>,
    stored: &BTreeSet<u64>,
) -> Vec<ValueFault> {
    let mut faults = Vec::new();
    for (number, counted) in pass.zip(counted) {
        let value = ValueNumber::new(number);
        let (counted, used) = (u64::from(*counted), uses.get(&number).copied());
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
    for number in numbers_of(&numbers) {
        let row = value_row(ledger, number);
        // A value without a count is damage, and other events may need it: `verify` names it.
        if one_less.execute([row])? == 0 && last.execute([row])? == 1 {
            value.execute([row])?;
            gone.push(number);
        }
    }
    Ok(gone)
}

/// Makes the values of a copy be those that its events refer to. Their references are there already.
pub(super) fn copy(
    here: &SqliteLedgers,
    copy: &SqliteLedgers,
    tx: &Connection,
    ledger: LedgerNumber,
) -> Result<(), StoreError> {
    let fail = |error| copy.database.error(error);
    let end = end(tx, ledger).map_err(fail)?;
    for pass in passes(end) {
        let counted = count(tx, ledger, pass.clone()).map_err(fail)?;
        let uses = uses(tx, ledger, pass.clone()).map_err(fail)?;
        for (number, events) in pass.clone().zip(&counted) {
            if uses.get(&number).copied().unwrap_or(0) != u64::from(*events) {
                set_uses(tx, value_row(ledger, ValueNumber::new(number)), *events).map_err(fail)?;
            }
        }
        for (part, counted) in parts(pass).zip(counted.chunks(ROWS_PER_READ)) {
            let needed = part.clone().zip(counted);
            let needed = needed.filter(|(_, events)| **events > 0);
            let needed: BTreeSet<u64> = needed.map(|(number, _)| number).collect();
            copy_part(here, copy, tx, (ledger, part), &needed)?;
        }
    }
    Ok(())
}

fn copy_part(
    here: &SqliteLedgers,
    copy: &SqliteLedgers,
    tx: &Connection,
    (ledger, part): (LedgerNumber, Range<u64>),
    needed: &BTreeSet<u64>,
) -> Result<(), StoreError> {
    let fail = |error| copy.database.error(error);
    let from = here.database.read(|tx| heads(tx, ledger, part.clone()))?;
    let there = heads(tx, ledger, part).map_err(fail)?;
    // A number may have been given again since, to another value: then the nonces differ.
    let stays = |number: &u64| needed.contains(number) && there.get(number) == from.get(number);
    for number in there.keys().filter(|number| !stays(number)) {
        tx.prepare_cached("DELETE FROM value WHERE row = ?1")
            .and_then(|mut delete| delete.execute([value_row(ledger, ValueNumber::new(*number))]))
            .map_err(fail)?;
    }
    for number in needed.iter().filter(|number| !stays(number)) {
        let row = value_row(ledger, ValueNumber::new(*number));
        let bytes: Option<Vec<u8>> = here.database.read(|tx| {
            tx.prepare_cached("SELECT bytes FROM value WHERE row = ?1")?
                .query_row([row], |found| found.get(0))
                .optional()
        })?;
        // One that is not here is damage, which `verify` names in the copy, too.
        let Some(bytes) = bytes else { continue };
        tx.prepare_cached("INSERT OR REPLACE INTO value (row, bytes) VALUES (?1, ?2)")
            .and_then(|mut put| put.execute(params![row, bytes]))
            .map_err(fail)?;
    }
    Ok(())
}

/// Adds values behind those that a copy has, in steps. What is not needed goes when the copy is finished.
pub(super) fn add_to_copy(
    here: &SqliteLedgers,
    copy: &SqliteLedgers,
    ledger: LedgerNumber,
) -> Result<(), StoreError> {
    let from = copy.database.read(|tx| next(tx, ledger))?.get();
    let end = here.database.read(|tx| next(tx, ledger))?.get();
    let mut from = value_row(ledger, ValueNumber::new(from));
    let end = value_row(ledger, ValueNumber::new(end));
    loop {
        let rows = here.database.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT row, bytes FROM value WHERE row >= ?1 AND row < ?2 ORDER BY row LIMIT ?3",
            )?;
            let mut found = statement.query(params![from, end, ROWS_PER_READ])?;
            let (mut rows, mut bytes): (Vec<(i64, Vec<u8>)>, usize) = (Vec::new(), 0);
            while bytes <= BYTES_PER_READ {
                let Some(row) = found.next()? else { break };
                let value: Vec<u8> = row.get(1)?;
                bytes += value.len();
                rows.push((row.get(0)?, value));
            }
            Ok(rows)
        })?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        from = last + 1;
        copy.database.write(|tx| {
            let put = || -> rusqlite::Result<()> {
                let mut put =
                    tx.prepare_cached("INSERT OR REPLACE INTO value (row, bytes) VALUES (?1, ?2)")?;
                for (row, bytes) in &rows {
                    put.execute(params![row, bytes])?;
                }
                Ok(())
            };
            put().map_err(|error| copy.database.error(error))
        })?;
    }
}

fn value_row(ledger: LedgerNumber, number: ValueNumber) -> i64 {
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
fn bounds(ledger: LedgerNumber, numbers: &Range<u64>) -> [i64; 2] {
    [numbers.start, numbers.end].map(|number| value_row(ledger, ValueNumber::new(number)))
}

/// The number after that of the last value that is stored or counted.
fn next(tx: &Connection, ledger: LedgerNumber) -> rusqlite::Result<ValueNumber> {
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

/// The same, of those that events refer to, too.
fn end(tx: &Connection, ledger: LedgerNumber) -> rusqlite::Result<u64> {
    let mut end = next(tx, ledger)?.get();
    each_reference(tx, ledger, |numbers| {
        let last = numbers.last().filter(|last| **last <= ValueNumber::MAX);
        end = end.max(last.map_or(0, |last| last.get() + 1));
    })?;
    Ok(end)
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
        each(&numbers_of(row.get_ref(0)?.as_blob()?));
    }
    Ok(())
}

/// How many events refer to each value of a pass.
fn count(tx: &Connection, ledger: LedgerNumber, pass: Range<u64>) -> rusqlite::Result<Vec<u32>> {
    let mut counted = vec![0_u32; usize::try_from(pass.end - pass.start).unwrap_or(0)];
    each_reference(tx, ledger, |numbers| {
        for number in numbers {
            let at = number.get().checked_sub(pass.start);
            let at = at.and_then(|at| usize::try_from(at).ok());
            if let Some(events) = at.and_then(|at| counted.get_mut(at)) {
                *events += 1;
            }
        }
    })?;
    Ok(counted)
}

/// How many events are said to refer to each value of a pass.
fn uses(
    tx: &Connection,
    ledger: LedgerNumber,
    pass: Range<u64>,
) -> rusqlite::Result<BTreeMap<u64, u64>> {
    tx.prepare_cached("SELECT row, events FROM value_use WHERE row >= ?1 AND row < ?2")?
        .query_map(bounds(ledger, &pass), |row| {
            Ok((row_seq(row.get(0)?).get(), row.get(1)?))
        })?
        .collect()
}

fn stored(
    tx: &Connection,
    ledger: LedgerNumber,
    pass: Range<u64>,
) -> rusqlite::Result<BTreeSet<u64>> {
    tx.prepare_cached("SELECT row FROM value WHERE row >= ?1 AND row < ?2")?
        .query_map(bounds(ledger, &pass), |row| Ok(row_seq(row.get(0)?).get()))?
        .collect()
}

/// The beginnings of values, which tell two encryptions apart.
fn heads(
    tx: &Connection,
    ledger: LedgerNumber,
    part: Range<u64>,
) -> rusqlite::Result<BTreeMap<u64, Vec<u8>>> {
    let sql = format!(
        "SELECT row, substr(bytes, 1, {PAYLOAD_HEAD_BYTES}) FROM value WHERE row >= ?1 AND row < ?2"
    );
    tx.prepare_cached(&sql)?
        .query_map(bounds(ledger, &part), |row| {
            Ok((row_seq(row.get(0)?).get(), row.get(1)?))
        })?
        .collect()
}

fn set_uses(tx: &Connection, row: i64, events: u32) -> rusqlite::Result<()> {
    if events == 0 {
        tx.prepare_cached("DELETE FROM value_use WHERE row = ?1")?
            .execute([row])?;
    } else {
        tx.prepare_cached("INSERT OR REPLACE INTO value_use (row, events) VALUES (?1, ?2)")?
            .execute(params![row, events])?;
    }
    Ok(())
}

/// Numbers below an end, as many at a time as one pass over the references counts.
fn passes(end: u64) -> impl Iterator<Item = Range<u64>> {
    let starts = (0..end).step_by(usize::try_from(COUNTED_PER_PASS).unwrap_or(usize::MAX));
    starts.map(move |start| start..end.min(start + COUNTED_PER_PASS))
}

/// A pass, as many rows at a time as one read takes.
fn parts(pass: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = pass.end;
    pass.step_by(ROWS_PER_READ)
        .map(move |start| start..end.min(start + ROWS_PER_READ as u64))
}
