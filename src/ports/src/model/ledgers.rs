//! The ledgers: what a commit adds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use trailkeep_proof::ids::{
    ClassNumber, LedgerNumber, LookupKey, PersonReference, Seq, Tag, ValueNumber,
};
use trailkeep_proof::ledger::entry::EntryBytes;
use trailkeep_proof::ledger::tile::TileCoordinate;
use trailkeep_proof::time::UnixMillis;

use super::side_tables::MemoryCopy;
use super::storage::Disk;
use super::{Place, Shared, refused};
use crate::{
    Claim, Committed, DeletionCause, Fence, GapName, LedgerBatch, LedgerCopy, LedgerRecord,
    LedgerStore, ShardId, Statement, StoreError, StoredCheckpoint, Upkeep,
};
use trailkeep_files::directory::DataDirectory;

/// The tables of a data directory's ledgers.
#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) ledgers: BTreeMap<LedgerNumber, LedgerRecord>,
    pub(super) heads: BTreeMap<LedgerNumber, StoredCheckpoint>,
    pub(super) entries: BTreeMap<Place, EntryBytes>,
    pub(super) payloads: BTreeMap<Place, Vec<u8>>,
    pub(super) values: BTreeMap<(LedgerNumber, ValueNumber), Vec<u8>>,
    pub(super) references: BTreeMap<Place, Vec<ValueNumber>>,
    pub(super) tiles: BTreeMap<(LedgerNumber, TileCoordinate), Vec<u8>>,
    pub(super) active: BTreeMap<Place, Vec<LookupKey>>,
    pub(super) reads: BTreeSet<(PersonReference, Place)>,
    pub(super) gaps: BTreeMap<(LedgerNumber, GapName), (u64, Seq, Seq)>,
    pub(super) classes: BTreeMap<(LedgerNumber, ClassNumber), (Seq, String)>,
    pub(super) statements: BTreeMap<Place, (&'static str, bool)>,
    pub(super) expiries: BTreeMap<Place, (ClassNumber, UnixMillis)>,
    pub(super) covered: BTreeMap<Place, Seq>,
    pub(super) overdue: BTreeSet<Place>,
    pub(super) restricted: BTreeMap<(Place, Seq), Option<Seq>>,
    pub(super) gone_ids: BTreeMap<(LedgerNumber, Tag), (DeletionCause, UnixMillis)>,
    pub(super) anchored: BTreeMap<(LedgerNumber, u64), (bool, String)>,
    pub(super) anchorings: BTreeMap<(LedgerNumber, String, u64), (String, UnixMillis)>,
}

/// The ledgers of a data directory.
pub(super) struct MemoryLedgers {
    pub(super) tables: Shared<Tables>,
    pub(super) disk: Shared<Disk>,
}

impl MemoryLedgers {
    /// Makes changes, all of them or none.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&mut Tables) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tables = self.tables.lock();
        let mut changed = tables.clone();
        let value = work(&mut changed)?;
        *tables = changed;
        Ok(value)
    }
}

impl Upkeep for MemoryLedgers {
    fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    fn purge(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
}

impl LedgerStore for MemoryLedgers {
    fn create_ledger(&self, record: &LedgerRecord, first: &LedgerBatch) -> Result<(), StoreError> {
        self.change(|tables| {
            let is_taken = |known: &LedgerRecord| {
                known.number == record.number || known.origin == record.origin
            };
            if tables.ledgers.values().any(is_taken) {
                return Err(refused("the ledger is there"));
            }
            tables.ledgers.insert(record.number, record.clone());
            tables.fenced(first).map_or(Ok(()), Err)?;
            tables.write(first)
        })
    }

    fn commit(
        &self,
        claims: &mut [Claim],
        batches: &[LedgerBatch],
    ) -> Result<Committed, StoreError> {
        if let Some(fence) = Fence::of_unclaimed(claims, ShardId::ALL) {
            return Ok(Committed::Fenced(vec![fence]));
        }
        let written = self.change(|tables| {
            batches.iter().try_for_each(|batch| {
                tables.fenced(batch).map_or(Ok(()), Err)?;
                tables.write(batch)
            })
        });
        match written {
            Ok(()) => {
                claims.iter_mut().for_each(|claim| claim.version += 1);
                Ok(Committed::All)
            }
            Err(cause @ StoreError::Fenced { .. }) => {
                let shard = ShardId::ALL;
                Ok(Committed::Fenced(vec![Fence { shard, cause }]))
            }
            Err(error) => Err(error),
        }
    }

    fn resolve(&self, claims: &mut Vec<Claim>) -> Result<Vec<(ShardId, bool)>, StoreError> {
        claims.clear();
        Ok(Vec::new())
    }

    fn ledgers(&self) -> Result<Vec<LedgerRecord>, StoreError> {
        Ok(self.tables.lock().ledgers.values().cloned().collect())
    }

    fn checkpoint(&self, ledger: LedgerNumber) -> Result<Option<StoredCheckpoint>, StoreError> {
        Ok(self.tables.lock().heads.get(&ledger).cloned())
    }

    fn last_sync(&self) -> Duration {
        Duration::ZERO
    }

    fn copy_to<'a>(
        &'a self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Box<dyn LedgerCopy + 'a>, StoreError> {
        let to = self.disk.lock().ledgers(directory, directory_id)?;
        Ok(Box::new(MemoryCopy { from: self, to }))
    }

    fn release_pages(&self, _pages: u32) -> Result<bool, StoreError> {
        Ok(false)
    }
}

impl Tables {
    fn fenced(&self, batch: &LedgerBatch) -> Option<StoreError> {
        let found = self.heads.get(&batch.ledger).map_or(0, |head| head.size);
        let error = || StoreError::Fenced {
            ledger: batch.ledger.get(),
            expected: batch.expected_size,
            found,
        };
        (found != batch.expected_size).then(error)
    }

    fn write(&mut self, batch: &LedgerBatch) -> Result<(), StoreError> {
        let ledger = batch.ledger;
        if !self.ledgers.contains_key(&ledger) {
            return Err(refused("no such ledger"));
        }
        for (row, seq) in batch.rows.iter().zip(batch.expected_size..) {
            let seq = Seq::new(seq);
            let place = (ledger, seq);
            if self.entries.insert(place, row.entry).is_some() {
                return Err(refused("an entry never changes"));
            }
            self.payloads.insert(place, row.payload.clone());
            self.refer(place, row)?;
            if !row.lookups.is_empty() {
                self.active.insert(place, row.lookups.clone());
            }
            let shown = row.shown_persons.iter().map(|person| (*person, place));
            self.reads.extend(shown);
            if let Some(stated) = &row.states {
                let (ledger, named) = stated.place(ledger, seq);
                self.state(ledger, named, &stated.statement)?;
            }
            for name in &row.gaps {
                let gap = self.gaps.entry((ledger, name.clone()));
                let (events, _, last) = gap.or_insert((0, seq, seq));
                *events += 1;
                *last = seq;
            }
        }
        for (coordinate, hashes) in &batch.tiles {
            let place = (ledger, *coordinate);
            if self.tiles.insert(place, hashes.clone()).is_some() {
                return Err(refused("a tile never changes"));
            }
        }
        let rows = batch.rows.len() + batch.rows.len().div_ceil(2);
        self.drop_active(ledger, batch.merged_end, rows);
        self.heads.insert(ledger, batch.checkpoint.clone());
        Ok(())
    }

    pub(super) fn drop_active(&mut self, ledger: LedgerNumber, end: Seq, limit: usize) -> usize {
        let gone = self.active.range((ledger, Seq::new(0))..(ledger, end));
        let gone: Vec<Place> = gone.map(|(place, _)| *place).take(limit).collect();
        gone.iter()
            .for_each(|place| drop(self.active.remove(place)));
        gone.len()
    }

    fn state(
        &mut self,
        ledger: LedgerNumber,
        named: Seq,
        statement: &Statement,
    ) -> Result<(), StoreError> {
        match statement {
            Statement::Class { number, definition } => {
                let class = (named, definition.clone());
                if self.classes.insert((ledger, *number), class).is_some() {
                    return Err(refused("the class is there"));
                }
            }
            Statement::Policy => {}
            Statement::Expiry {
                class,
                recorded_before,
                held,
                released,
            } => {
                let expiry = (*class, *recorded_before);
                self.expiries.insert((ledger, named), expiry);
                self.overdue.extend(held.iter().map(|seq| (ledger, *seq)));
                self.release(ledger, released);
            }
            Statement::Tombstones { items, .. } => self.cover(ledger, items, named)?,
            Statement::Erasure { covers, restricts } => {
                self.cover(ledger, covers, named)?;
                for item in restricts {
                    self.restricted.insert(((ledger, *item), named), None);
                }
            }
            Statement::Lift { restriction } => {
                for (((of, _), by), lifted) in &mut self.restricted {
                    if of == &ledger && by == restriction && lifted.is_none() {
                        *lifted = Some(named);
                    }
                }
            }
        }
        if let Some(kind) = statement.kind() {
            let row = (kind, statement.opens_a_job());
            self.statements.insert((ledger, named), row);
        }
        Ok(())
    }

    fn cover(&mut self, ledger: LedgerNumber, items: &[Seq], by: Seq) -> Result<(), StoreError> {
        for item in items {
            if self.covered.insert((ledger, *item), by).is_some() {
                return Err(refused("the event is covered"));
            }
        }
        self.release(ledger, items);
        Ok(())
    }

    fn release(&mut self, ledger: LedgerNumber, items: &[Seq]) {
        for item in items {
            self.overdue.remove(&(ledger, *item));
        }
    }
}
