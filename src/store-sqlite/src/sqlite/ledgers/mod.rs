//! `ledger.db`: entries, payloads, full tiles, the last checkpoint of each ledger and the active index run.

mod active;
mod anchored;
mod class;
mod copy;
mod gaps;
mod heads;
mod retention;
mod side;

use std::ops::Range;
use std::path::Path;

use rusqlite::{OptionalExtension, params};

use self::active::{concatenate, drop_active};
use self::retention::write_statement;
use super::{Database, FileKind};
use crate::{row_number, row_place, row_seq};
use trailkeep_ports::{EventRow, Extent, LedgerBatch, LedgerRecord, Mark, StoreError};
use trailkeep_proof::ids::{LedgerNumber, Origin, PersonReference, Seq, TenantName};
use trailkeep_proof::ledger::entry::{ENTRY_BYTES, EntryBytes};
use trailkeep_proof::ledger::tile::TileCoordinate;

static FILE: FileKind = FileKind {
    name: "ledger.db",
    application_id: 0x544B_4C47,
    migrations: &[
        include_str!("../ledger_001.sql"),
        include_str!("../ledger_002.sql"),
        include_str!("../ledger_003.sql"),
        include_str!("../ledger_004.sql"),
        include_str!("../ledger_005.sql"),
    ],
    hint: "restore it from a backup of the same directory; never edit it by hand",
    grows: None,
};

/// The ledgers of one data directory.
pub struct Ledgers {
    database: Database,
}

impl Ledgers {
    /// How the tables, indexes and triggers differ from those of this version; none where they do not.
    pub fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.database.schema_difference()
    }

    /// Makes the file.
    pub fn create(path: &Path, directory_id: &str) -> Result<(), StoreError> {
        Database::create(&FILE, path, directory_id)
    }

    /// Opens the file.
    pub fn open(path: &Path, directory_id: &str) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(&FILE, path, directory_id)?,
        })
    }

    /// Adds a ledger with its first entries: both are on disk when this returns, or neither.
    pub fn create_ledger(
        &self,
        record: &LedgerRecord,
        first: &LedgerBatch,
    ) -> Result<(), StoreError> {
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

    /// All ledgers, by number.
    pub fn ledgers(&self) -> Result<Vec<LedgerRecord>, StoreError> {
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

    /// How long the last commit took.
    pub fn last_sync(&self) -> std::time::Duration {
        self.database.last_sync()
    }

    /// The one write of evidence: all of it is on disk when this returns, or none of it.
    ///
    /// `Full` and `Fenced` mean that nothing was written. Any other error leaves it unknown: the caller
    /// must drop all it knows and open the directory again.
    pub fn commit(&self, batches: &[LedgerBatch]) -> Result<(), StoreError> {
        self.database.write(|tx| {
            batches
                .iter()
                .try_for_each(|batch| self.commit_batch(tx, batch))
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
        write_batch(tx, batch).map_err(|error| self.database.error(error))
    }

    /// Entries of a range of seqs, ascending. Missing rows leave the answer shorter.
    pub fn entries(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<EntryBytes>, StoreError> {
        Ok(self
            .entry_rows(ledger, range)?
            .into_iter()
            .filter_map(|(_, bytes)| bytes.try_into().ok())
            .collect())
    }

    /// Entry rows of a range as they stand, whatever their form.
    pub fn entry_rows(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.rows(
            "SELECT row, bytes FROM entry WHERE row >= ?1 AND row < ?2 ORDER BY row",
            ledger,
            range,
        )
    }

    /// The seq after the last entry that is stored.
    pub fn stored_end(&self, ledger: LedgerNumber) -> Result<u64, StoreError> {
        let (first, last) = (
            row_number(ledger, Seq::new(0)),
            row_number(ledger, Seq::MAX),
        );
        let row: Option<i64> = self.database.read(|tx| {
            tx.prepare_cached("SELECT max(row) FROM entry WHERE row >= ?1 AND row <= ?2")?
                .query_row([first, last], |row| row.get(0))
        })?;
        Ok(row.map_or(0, |row| row_seq(row).get() + 1))
    }

    /// Payload rows of a range.
    pub fn payload_rows(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.rows(
            "SELECT row, bytes FROM payload WHERE row >= ?1 AND row < ?2 ORDER BY row",
            ledger,
            range,
        )
    }

    /// Entry and payload of one event, and what statements say of it.
    pub fn event(&self, ledger: LedgerNumber, seq: Seq) -> Result<Option<EventRow>, StoreError> {
        let row = row_number(ledger, seq);
        let found: Option<(Vec<u8>, Option<Vec<u8>>, Mark)> = self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT entry.bytes, payload.bytes, covered.statement, overdue.row,
                 (SELECT min(statement) FROM restricted WHERE row = ?1 AND lifted_by IS NULL)
                 FROM entry LEFT JOIN payload USING (row) LEFT JOIN covered USING (row)
                 LEFT JOIN overdue USING (row) WHERE entry.row = ?1",
            )?
            .query_row([row], |row| {
                let mark = Mark {
                    tombstone: row.get::<_, Option<i64>>(2)?.map(row_seq),
                    is_overdue: row.get::<_, Option<i64>>(3)?.is_some(),
                    restricted_by: row.get::<_, Option<i64>>(4)?.map(row_seq),
                };
                Ok((row.get(0)?, row.get(1)?, mark))
            })
            .optional()
        })?;
        found
            .map(|(entry, payload, mark)| {
                let entry = EntryBytes::try_from(entry)
                    .map_err(|_| self.damaged("has an entry of a wrong length"))?;
                Ok(EventRow {
                    entry,
                    payload,
                    mark,
                })
            })
            .transpose()
    }

    /// The first seq whose entry was recorded at `recorded_at_ms` or later, or `size`.
    pub fn first_recorded_at(
        &self,
        ledger: LedgerNumber,
        size: u64,
        recorded_at_ms: u64,
    ) -> Result<Seq, StoreError> {
        let (mut low, mut high) = (0, size);
        // recorded_at never goes back, so a binary search over the entries finds it.
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.entries(ledger, middle..middle + 1)?;
            let recorded = entry
                .first()
                .ok_or_else(|| self.damaged("lacks an entry"))?;
            let mut time = [0; 8];
            time.copy_from_slice(&recorded[12..20]);
            if u64::from_be_bytes(time) < recorded_at_ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Seq::new(low))
    }

    /// A full tile's 8,192 bytes.
    pub fn tile(
        &self,
        ledger: LedgerNumber,
        tile: TileCoordinate,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT hashes FROM tile WHERE ledger = ?1 AND level = ?2 AND position = ?3",
            )?
            .query_row(params![ledger.get(), tile.level, tile.index], |row| {
                row.get(0)
            })
            .optional()
        })
    }

    /// The entries of recorded reads that showed a person, oldest first.
    pub fn reads_of_person(
        &self,
        reference: PersonReference,
    ) -> Result<Vec<(LedgerNumber, Seq)>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached("SELECT row FROM person_read WHERE reference = ?1 ORDER BY row")?
                .query_map([&reference.as_bytes()[..]], |row| {
                    Ok(row_place(row.get(0)?))
                })?
                .collect()
        })
    }

    /// How many full tiles are stored for a ledger.
    pub fn tile_count(&self, ledger: LedgerNumber) -> Result<u64, StoreError> {
        self.database.read(|tx| {
            tx.query_row(
                "SELECT count(*) FROM tile WHERE ledger = ?1",
                [ledger.get()],
                |row| row.get(0),
            )
        })
    }

    /// Rows that are in no ledger: (table, row number). There are none unless somebody put them there.
    pub fn rows_beyond(&self, sizes: &[Extent]) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let mut beyond = Vec::new();
        for table in [
            "entry",
            "payload",
            "active_index",
            "person_read",
            "statement",
            "covered",
            "overdue",
            "restricted",
        ] {
            let mut from = i64::MIN;
            let edges = sizes.iter().map(|extent| {
                let end = match table {
                    "statement" => extent.names,
                    _ => extent.entries,
                };
                [0, end].map(|seq| row_number(extent.ledger, Seq::new(seq)))
            });
            for [first, end] in edges.chain([[i64::MAX; 2]]) {
                let rows: Vec<i64> = self.database.read(|tx| {
                    tx.prepare_cached(&format!(
                        "SELECT row FROM {table} WHERE row >= ?1 AND row < ?2 LIMIT 20"
                    ))?
                    .query_map([from, first], |row| row.get(0))?
                    .collect()
                })?;
                beyond.extend(rows.into_iter().map(|row| (table, row)));
                from = end;
            }
        }
        Ok(beyond)
    }

    /// Gives up to `pages` free pages back to the file system; whether there are more.
    pub fn release_pages(&self, pages: u32) -> Result<bool, StoreError> {
        self.database.release_pages(pages)
    }

    /// Empties the write-ahead log, so that what was deleted is in no file; `false` where a reader outside of
    /// this process keeps it from that.
    pub fn purge(&self) -> Result<bool, StoreError> {
        self.database.copy_log()?;
        self.database.purge()
    }

    /// Empties the log, before closing.
    pub fn close(&self) -> Result<(), StoreError> {
        self.database.purge().map(drop)
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
