//! Values in a copy of ledger.db: those that its events refer to, and how many do.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteLedgers;
use super::copy::{BYTES_PER_READ, PAYLOAD_HEAD_BYTES, ROWS_PER_READ};
use super::values::{Pass, bounds, next, uses, value_row};
use crate::row_seq;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{LedgerNumber, ValueNumber};

/// Makes the values of a copy be those that its events refer to. Their references are there already.
pub(super) fn copy(
    here: &SqliteLedgers,
    copy: &SqliteLedgers,
    tx: &Connection,
    ledger: LedgerNumber,
) -> Result<(), StoreError> {
    let fail = |error| copy.database.error(error);
    let mut from = Some(0);
    while let Some(start) = from {
        let pass = Pass::of(tx, ledger, start).map_err(fail)?;
        let uses = uses(tx, ledger, &pass.numbers).map_err(fail)?;
        for (number, events) in pass.counted() {
            if uses.get(&number).copied().unwrap_or(0) != events {
                set_uses(tx, value_row(ledger, ValueNumber::new(number)), events).map_err(fail)?;
            }
        }
        let parts = parts(pass.numbers.clone()).zip(pass.events.chunks(ROWS_PER_READ));
        for (part, events) in parts {
            let needed = part.clone().zip(events).filter(|(_, events)| **events > 0);
            let needed: BTreeSet<u64> = needed.map(|(number, _)| number).collect();
            copy_part(here, copy, tx, (ledger, part), &needed)?;
        }
        from = pass.next(tx, ledger).map_err(fail)?;
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

fn set_uses(tx: &Connection, row: i64, events: u64) -> rusqlite::Result<()> {
    if events == 0 {
        tx.prepare_cached("DELETE FROM value_use WHERE row = ?1")?
            .execute([row])?;
    } else {
        tx.prepare_cached("INSERT OR REPLACE INTO value_use (row, events) VALUES (?1, ?2)")?
            .execute(params![row, events])?;
    }
    Ok(())
}

/// A pass, as many rows at a time as one read takes.
fn parts(pass: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = pass.end;
    pass.step_by(ROWS_PER_READ)
        .map(move |start| start..end.min(start + ROWS_PER_READ as u64))
}
