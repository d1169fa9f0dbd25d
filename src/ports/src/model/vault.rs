//! The vault.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trailkeep_proof::ids::{LedgerNumber, Seq, Tag};

use super::storage::Disk;
use super::{Shared, refused};
use crate::{
    ApiKeyRow, ChangedPart, CopyState, DataKeyRow, Epochs, LedgerRecord, LedgerSecretRow,
    NewDataKey, Rewrapped, RowMac, RowSums, SealedPlace, SealedRecordRow, SealedRow, SealedTable,
    StoreError, Upkeep, VaultChanges, VaultCopies, VaultLook, VaultStore, Watermark,
};

/// A person's row.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) ledger: LedgerNumber,
    pub(super) tag: Tag,
    pub(super) epoch: u32,
    pub(super) sealed: Vec<u8>,
    pub(super) folded: Folded,
}

/// What is known of a person's folded tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Folded {
    /// Nobody has looked yet.
    Unknown,
    /// Looked for: this one, or none.
    Known(Option<Tag>),
}

/// The tables of a vault: rows by their number.
#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) directory_id: String,
    pub(super) persons: BTreeMap<i64, Person>,
    pub(super) data_keys: BTreeMap<i64, DataKeyRow>,
    pub(super) secrets: BTreeMap<i64, LedgerSecretRow>,
    pub(super) api_keys: BTreeMap<i64, ApiKeyRow>,
    pub(super) records: BTreeMap<i64, SealedRecordRow>,
    pub(super) ledgers: BTreeMap<LedgerNumber, LedgerRecord>,
    pub(super) watermarks: BTreeMap<LedgerNumber, Watermark>,
    pub(super) applied: BTreeMap<LedgerNumber, Seq>,
    copy_states: BTreeMap<String, CopyState>,
    lowest_epoch: u32,
    pub(super) changes: u64,
    has_sums: bool,
}

/// The vault of a data directory, or a copy.
pub(super) struct MemoryVault {
    pub(super) tables: Shared<Tables>,
    pub(super) disk: Shared<Disk>,
    is_guarded: AtomicBool,
}

/// The number of the next row.
pub(super) fn next<T>(rows: &BTreeMap<i64, T>) -> i64 {
    rows.last_key_value().map_or(1, |(last, _)| last + 1)
}

impl Tables {
    pub(super) fn of(directory_id: &str) -> Self {
        Self {
            directory_id: directory_id.to_owned(),
            lowest_epoch: 1,
            ..Self::default()
        }
    }

    /// Refuses a row that is sealed under an epoch that ended.
    pub(super) fn check(&self, epoch: u32) -> Result<(), StoreError> {
        if epoch < self.lowest_epoch {
            return Err(StoreError::RetiredEpoch);
        }
        Ok(())
    }

    pub(super) fn person_number(&self, ledger: LedgerNumber, tag: Tag) -> Option<i64> {
        let mut persons = self.persons.iter();
        let found = persons.find(|(_, person)| person.ledger == ledger && person.tag == tag);
        found.map(|(number, _)| *number)
    }

    /// The rows of a table, by number.
    fn sealed_rows(&self, table: SealedTable) -> Vec<SealedRow> {
        let row = |number: &i64, ledger, place, epoch: &u32, sealed: &[u8]| SealedRow {
            number: *number,
            ledger,
            place,
            epoch: *epoch,
            sealed: sealed.to_vec(),
        };
        match table {
            SealedTable::Person => {
                let persons = self.persons.iter();
                let one = |(number, one): (&i64, &Person)| {
                    row(
                        number,
                        one.ledger,
                        SealedPlace::Person,
                        &one.epoch,
                        &one.sealed,
                    )
                };
                persons.map(one).collect()
            }
            SealedTable::DataKey => {
                let one = |(number, one): (&i64, &DataKeyRow)| {
                    let place = SealedPlace::DataKey {
                        key_id: one.key_id,
                        class: one.class,
                        period: one.period.clone(),
                    };
                    row(number, one.ledger, place, &one.epoch, &one.sealed)
                };
                self.data_keys.iter().map(one).collect()
            }
            SealedTable::LedgerSecret => {
                let one = |(number, one): (&i64, &LedgerSecretRow)| {
                    let place = SealedPlace::LedgerSecret {
                        kind: one.kind.clone(),
                        key_id: one.key_id,
                    };
                    row(number, one.ledger, place, &one.epoch, &one.sealed)
                };
                self.secrets.iter().map(one).collect()
            }
            SealedTable::ApiKey => {
                let one = |(number, one): (&i64, &ApiKeyRow)| {
                    let place = SealedPlace::ApiKey { id: one.id.clone() };
                    row(number, LedgerNumber::new(0), place, &one.epoch, &one.sealed)
                };
                self.api_keys.iter().map(one).collect()
            }
            SealedTable::Record => {
                let one = |(number, one): (&i64, &SealedRecordRow)| {
                    let place = SealedPlace::Record {
                        kind: one.kind.clone(),
                        id: one.id.clone(),
                    };
                    row(number, one.ledger, place, &one.epoch, &one.sealed)
                };
                self.records.iter().map(one).collect()
            }
        }
    }

    /// The sealing of a row.
    fn sealing(&mut self, table: SealedTable, number: i64) -> Option<(&mut u32, &mut Vec<u8>)> {
        macro_rules! sealing {
            ($rows:expr) => {
                $rows
                    .get_mut(&number)
                    .map(|row| (&mut row.epoch, &mut row.sealed))
            };
        }
        match table {
            SealedTable::Person => sealing!(self.persons),
            SealedTable::DataKey => sealing!(self.data_keys),
            SealedTable::LedgerSecret => sealing!(self.secrets),
            SealedTable::ApiKey => sealing!(self.api_keys),
            SealedTable::Record => sealing!(self.records),
        }
    }

    /// What the vault says of itself.
    pub(super) fn look(&self) -> VaultLook {
        let rows = SealedTable::ALL.into_iter();
        let epochs: Vec<u32> = rows
            .flat_map(|table| self.sealed_rows(table))
            .map(|row| row.epoch)
            .collect();
        VaultLook {
            directory_id: self.directory_id.clone(),
            changes: self.changes,
            lowest_epoch: epochs.iter().min().copied().unwrap_or(u32::MAX),
            highest_epoch: epochs.iter().max().copied().unwrap_or(0),
        }
    }
}

impl MemoryVault {
    pub(super) fn over(tables: Shared<Tables>, disk: Shared<Disk>) -> Self {
        Self {
            tables,
            disk,
            is_guarded: AtomicBool::new(false),
        }
    }

    /// Makes changes that count, all of them or none.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&mut Tables) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.note(|tables| {
            let value = work(tables)?;
            tables.changes += 1;
            Ok(value)
        })
    }

    /// The same of what is no reason to copy the vault anew.
    pub(super) fn note<T>(
        &self,
        work: impl FnOnce(&mut Tables) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.is_guarded.load(Ordering::Relaxed) {
            return Err(StoreError::Unguarded);
        }
        let mut tables = self.tables.lock();
        let mut changed = tables.clone();
        let value = work(&mut changed)?;
        *tables = changed;
        Ok(value)
    }
}

impl Upkeep for MemoryVault {
    fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    fn purge(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
}

impl VaultStore for MemoryVault {
    fn commit(&self, changes: &VaultChanges) -> Result<(), StoreError> {
        self.change(|tables| {
            for new in &changes.persons {
                tables.check(new.epoch)?;
                if tables.person_number(new.ledger, new.tag).is_some() {
                    return Err(refused("the person is there"));
                }
                let person = Person {
                    ledger: new.ledger,
                    tag: new.tag,
                    epoch: new.epoch,
                    sealed: new.sealed.clone(),
                    folded: Folded::Known(new.folded),
                };
                tables.persons.insert(next(&tables.persons), person);
            }
            for NewDataKey { person, row } in &changes.data_keys {
                tables.check(row.epoch)?;
                let number = match person {
                    Some(tag) => tables
                        .person_number(row.ledger, *tag)
                        .ok_or_else(|| refused("no such person"))?,
                    None => 0,
                };
                let row = DataKeyRow {
                    person: number,
                    ..row.clone()
                };
                let is_taken = |known: &DataKeyRow| {
                    let slot =
                        |row: &DataKeyRow| (row.ledger, row.person, row.class, row.period.clone());
                    known.key_id == row.key_id || slot(known) == slot(&row)
                };
                if tables.data_keys.values().any(is_taken) {
                    return Err(refused("the key is there"));
                }
                tables.data_keys.insert(row.key_id.get().cast_signed(), row);
            }
            Ok(())
        })
    }
}

impl RowSums for MemoryVault {
    fn has_sums(&self) -> Result<bool, StoreError> {
        Ok(self.tables.lock().has_sums)
    }

    fn begin_sums(&self, _mac: Arc<dyn RowMac>, key: &SealedRecordRow) -> Result<(), StoreError> {
        let mut tables = self.tables.lock();
        tables.put_record(key)?;
        tables.has_sums = true;
        self.is_guarded.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn keep_sums(&self, _mac: Arc<dyn RowMac>) -> Result<(), StoreError> {
        self.is_guarded.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn changed_parts(
        &self,
        _mac: &dyn RowMac,
        _large_max: u64,
    ) -> Result<Vec<ChangedPart>, StoreError> {
        // Nobody else can reach the rows.
        Ok(Vec::new())
    }
}

impl Epochs for MemoryVault {
    fn rows_below(
        &self,
        table: SealedTable,
        epoch: u32,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let mut rows = self.tables.lock().sealed_rows(table);
        rows.retain(|row| row.number > after && row.epoch < epoch);
        rows.truncate(limit as usize);
        Ok(rows)
    }

    fn count_below(&self, table: SealedTable, epoch: u32) -> Result<u64, StoreError> {
        let rows = self.tables.lock().sealed_rows(table).into_iter();
        Ok(rows.filter(|row| row.epoch < epoch).count() as u64)
    }

    fn rewrap(&self, table: SealedTable, rows: &[Rewrapped]) -> Result<(), StoreError> {
        self.change(|tables| {
            for row in rows {
                let lowest = tables.lowest_epoch;
                let Some((epoch, sealed)) = tables.sealing(table, row.before.number) else {
                    continue;
                };
                if (*epoch, &*sealed) == (row.before.epoch, &row.before.sealed) {
                    if row.epoch < lowest {
                        return Err(StoreError::RetiredEpoch);
                    }
                    *epoch = row.epoch;
                    sealed.clone_from(&row.sealed);
                }
            }
            Ok(())
        })
    }

    fn lowest_epoch(&self) -> Result<u32, StoreError> {
        Ok(self.tables.lock().lowest_epoch)
    }

    fn end_epochs_below(&self, epoch: u32) -> Result<bool, StoreError> {
        self.change(|tables| {
            let mut rows = SealedTable::ALL
                .into_iter()
                .flat_map(|table| tables.sealed_rows(table));
            if rows.any(|row| row.epoch < epoch) {
                return Ok(false);
            }
            tables.lowest_epoch = epoch;
            Ok(true)
        })
    }
}

impl VaultCopies for MemoryVault {
    fn copy_into(&self, path: &Path) -> Result<(), StoreError> {
        let copy = self.tables.lock().clone();
        self.disk.lock().put_vault(path, copy);
        Ok(())
    }

    fn changes(&self) -> Result<u64, StoreError> {
        Ok(self.tables.lock().changes)
    }

    fn copy_state(&self, target: &str) -> Result<CopyState, StoreError> {
        let tables = self.tables.lock();
        Ok(tables.copy_states.get(target).cloned().unwrap_or_default())
    }

    fn set_copy_state(&self, target: &str, state: &CopyState) -> Result<(), StoreError> {
        self.note(|tables| {
            tables.copy_states.insert(target.to_owned(), state.clone());
            Ok(())
        })
    }

    fn remove_copy_state(&self, target: &str) -> Result<(), StoreError> {
        self.note(|tables| {
            tables.copy_states.remove(target);
            Ok(())
        })
    }
}
