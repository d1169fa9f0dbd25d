//! `ledger.db`: entries, payloads, full tiles, the last checkpoint of each ledger and the active index run.

mod active;
mod anchored;
mod copied_values;
mod copy;
mod deletions;
mod entries;
mod gaps;
mod side;
mod statements;
mod table;
mod values;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use trailkeep_files::directory::DataDirectory;

use rusqlite::{OptionalExtension, params};

use self::active::{concatenate, drop_active};
use self::copy::SqliteCopy;
use self::statements::write_statement;
use super::{Database, FileKind};
use crate::{row_number, row_seq};
use trailkeep_ports::{
    Claim, Committed, Fence, LedgerBatch, LedgerCopy, LedgerRecord, LedgerStore, ShardId,
    StoreError, StoredCheckpoint, Upkeep,
};
use trailkeep_proof::ids::{LedgerNumber, Origin, RootHash, Seq, TenantName};
use trailkeep_proof::ledger::entry::ENTRY_BYTES;

static FILE: FileKind = FileKind {
    name: "ledger.db",
    application_id: 0x544B_4C47,
    migrations: &[
        include_str!("../ledger_001.sql"),
        include_str!("../ledger_002.sql"),
        include_str!("../ledger_003.sql"),
        include_str!("../ledger_004.sql"),
        include_str!("../ledger_005.sql"),
        include_str!("../ledger_006.sql"),
    ],
    hint: "restore it from a backup of the same directory; never edit it by hand",
    cache_kib: 16_384,
    grows: None,
};

/// The ledgers of one data directory.
pub(super) struct SqliteLedgers {
    database: Database,
}

impl SqliteLedgers {
    /// Makes the file.
    pub(super) fn create(path: &Path, directory_id: &str) -> Result<(), StoreError> {
        Database::create(&FILE, path, directory_id)
    }

    /// Opens the file.
    pub(super) fn open(path: &Path, directory_id: &str) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(&FILE, path, directory_id)?,
        })
    }

    fn commit_batch(
        &self,
        tx: &rusqlite::Connection,
        batch: &LedgerBatch,
    ) -> Result<(), StoreError> {
        let found: u64 = tx
            .prepare_cached("SELECT size FROM checkpoint WHERE ledger = ?1")
            .and_then(|mut query| {
                query
                    .query_row([batch.ledger.get()], |row| row.get(0))
                    .optional()
            })
            .map_err(|error| self.database.error(error))?
            .unwrap_or(0);
        if found != batch.expected_size {
            let (ledger, expected) = (batch.ledger.get(), batch.expected_size);
            return Err(StoreError::Fenced {
                ledger,
                expected,
                found,
            });
        }
        let fail = |error| self.database.error(error);
        let gone = values::write(tx, batch).map_err(fail)?;
        if !gone.is_empty() {
            return Err(StoreError::ValuesGone {
                ledger: batch.ledger.get(),
                values: gone,
            });
        }
        write_batch(tx, batch).map_err(fail)
    }

    fn rows(
        &self,
        sql: &str,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        let (first, end) = (
            row_number(ledger, Seq::new(range.start)),
            row_number(ledger, Seq::new(range.end)),
        );
        self.database.read(|tx| {
            tx.prepare_cached(sql)?
                .query_map([first, end], |row| Ok((row_seq(row.get(0)?), row.get(1)?)))?
                .collect()
        })
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged {
            path: self.database.path.clone(),
            what: what.to_owned(),
            hint: FILE.hint,
        }
    }
}

impl Upkeep for SqliteLedgers {
    fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.database.schema_difference()
    }

    fn purge(&self) -> Result<bool, StoreError> {
        self.database.copy_log()?;
        self.database.purge()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.database.purge().map(drop)
    }
}

impl LedgerStore for SqliteLedgers {
    fn create_ledger(&self, record: &LedgerRecord, first: &LedgerBatch) -> Result<(), StoreError> {
        self.database.write(|tx| {
            tx.execute(
                "INSERT INTO ledger (number, tenant, origin) VALUES (?1, ?2, ?3)",
                params![
                    record.number.get(),
                    record.tenant.as_str(),
                    record.origin.as_str()
                ],
            )
            .map_err(|error| self.database.error(error))?;
            self.commit_batch(tx, first)
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
        let written = self.database.try_write(|tx| {
            batches
                .iter()
                .try_for_each(|batch| self.commit_batch(tx, batch))
        });
        match written {
            Ok(Ok(())) => {
                claims.iter_mut().for_each(|claim| claim.version += 1);
                Ok(Committed::All)
            }
            Ok(Err(error)) if error.is_full() => Err(error),
            Ok(Err(cause)) => Ok(Committed::Unknown(cause)),
            Err(cause @ StoreError::Fenced { .. }) => {
                let shard = ShardId::ALL;
                Ok(Committed::Fenced(vec![Fence { shard, cause }]))
            }
            Err(error) => Err(error),
        }
    }

    /// A file system that failed once is not believed the second time: the directory must be opened again.
    fn resolve(&self, claims: &mut Vec<Claim>) -> Result<Vec<(ShardId, bool)>, StoreError> {
        claims.clear();
        Ok(Vec::new())
    }

    fn ledgers(&self) -> Result<Vec<LedgerRecord>, StoreError> {
        let rows: Vec<(u32, String, String)> = self.database.read(|tx| {
            tx.prepare_cached("SELECT number, tenant, origin FROM ledger ORDER BY number")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })?;
        rows.into_iter()
            .map(|(number, tenant, origin)| {
                let named = TenantName::new(&tenant)
                    .and_then(|tenant| Ok((tenant, Origin::parse(&origin)?)));
                let (tenant, origin) = named
                    .ok()
                    .filter(|(tenant, origin): &(TenantName, Origin)| origin.is_of(tenant))
                    .ok_or_else(|| self.damaged("names an invalid ledger"))?;
                Ok(LedgerRecord {
                    number: LedgerNumber::new(number),
                    tenant,
                    origin,
                })
            })
            .collect()
    }

    fn checkpoint(&self, ledger: LedgerNumber) -> Result<Option<StoredCheckpoint>, StoreError> {
        let found = self.database.read(|tx| {
            tx.prepare_cached("SELECT size, root, note, stated FROM checkpoint WHERE ledger = ?1")?
                .query_row([ledger.get()], |row| {
                    let root = RootHash::from_slice(&row.get::<_, Vec<u8>>(1)?);
                    let (size, note, stated) = (row.get(0)?, row.get(2)?, row.get(3)?);
                    let head = |root| StoredCheckpoint {
                        size,
                        root,
                        note,
                        stated,
                    };
                    Ok(root.map(head))
                })
                .optional()
        })?;
        found
            .map(|head| head.ok_or_else(|| self.damaged("has a root of a wrong length")))
            .transpose()
    }

    fn copy_to<'a>(
        &'a self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Box<dyn LedgerCopy + 'a>, StoreError> {
        let to = Self::open(&directory.ledger_db(), directory_id)?;
        Ok(Box::new(SqliteCopy { from: self, to }))
    }

    fn last_sync(&self) -> Duration {
        self.database.last_sync()
    }

    fn release_pages(&self, pages: u32) -> Result<bool, StoreError> {
        self.database.release_pages(pages)
    }
}

fn write_batch(tx: &rusqlite::Connection, batch: &LedgerBatch) -> rusqlite::Result<()> {
    let mut entry = tx.prepare_cached("INSERT INTO entry (row, bytes) VALUES (?1, ?2)")?;
    let mut payload = tx.prepare_cached("INSERT INTO payload (row, bytes) VALUES (?1, ?2)")?;
    let mut index = tx.prepare_cached("INSERT INTO active_index (row, keys) VALUES (?1, ?2)")?;
    let mut shown =
        tx.prepare_cached("INSERT OR IGNORE INTO person_read (reference, row) VALUES (?1, ?2)")?;
    let mut seq = Seq::new(batch.expected_size);
    for row in &batch.rows {
        let number = row_number(batch.ledger, seq);
        debug_assert_eq!(row.entry.len(), ENTRY_BYTES);
        entry.execute(params![number, &row.entry[..]])?;
        payload.execute(params![number, row.payload])?;
        if !row.lookups.is_empty() {
            index.execute(params![number, concatenate(&row.lookups)])?;
        }
        for reference in &row.shown_persons {
            shown.execute(params![&reference.as_bytes()[..], number])?;
        }
        if let Some(stated) = &row.states {
            let (ledger, named) = stated.place(batch.ledger, seq);
            write_statement(tx, ledger, named, &stated.statement)?;
        }
        seq = seq.next();
    }
    gaps::count(tx, batch)?;
    let mut tile = tx.prepare_cached(
        "INSERT INTO tile (ledger, level, position, hashes) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (coordinate, hashes) in &batch.tiles {
        tile.execute(params![
            batch.ledger.get(),
            coordinate.level,
            coordinate.index,
            hashes
        ])?;
    }
    // As many as come, and half as many again: under load the table stays as small as the active run.
    drop_active(
        tx,
        batch.ledger,
        batch.merged_end,
        batch.rows.len() + batch.rows.len().div_ceil(2),
    )?;
    let head = &batch.checkpoint;
    tx.prepare_cached(
        "INSERT INTO checkpoint (ledger, size, root, note, stated) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (ledger) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note,
         stated = excluded.stated",
    )?
    .execute(params![
        batch.ledger.get(),
        head.size,
        &head.root.as_bytes()[..],
        head.note,
        head.stated
    ])?;
    Ok(())
}
