//! `vault.db`: sealed secrets. The rows are opaque here; service/keyring.rs seals and opens them.

mod api_keys;
mod compare;
mod copies;
mod epochs;
mod file;
mod ledgers;
mod sum;
mod summed;

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::upgrade::directory_id;
use super::{Database, FileKind, vault_folded};
use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber, RootHash, Tag};
use trailkeep_proof::time::UnixMillis;

use file::VaultFile;
use trailkeep_ports::{
    ChangedPart, DataKeyRow, NewDataKey, PersonRow, RowMac, SealedRecordRow, StoreError,
    VaultChanges, Watermark,
};

static FILE: FileKind = FileKind {
    name: "vault.db",
    application_id: 0x544B_5654,
    migrations: &[
        include_str!("vault_001.sql"),
        include_str!("vault_002.sql"),
        include_str!("vault_003.sql"),
    ],
    hint: "without its keys no payload can be decrypted: restore the newest vault.db with its epoch.key",
    grows: None,
};

/// The vault of one data directory.
pub struct Vault {
    file: VaultFile,
}

impl Vault {
    /// How the tables, indexes and triggers differ from those of this version; none where they do not.
    pub fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.file.schema_difference()
    }

    pub(super) const fn file(&self) -> &VaultFile {
        &self.file
    }

    /// Makes the file.
    pub fn create(path: &Path, directory_id: &str) -> Result<(), StoreError> {
        Database::create(&FILE, path, directory_id)
    }

    /// The id of the data directory that the vault says it belongs to.
    pub fn directory_id(path: &Path) -> Result<String, StoreError> {
        directory_id(&FILE, path)
    }

    /// Opens the file.
    pub fn open(path: &Path, directory_id: &str) -> Result<Self, StoreError> {
        Ok(Self {
            file: VaultFile::new(Database::open(&FILE, path, directory_id)?),
        })
    }

    /// Adds persons and data keys. On disk when it returns.
    pub fn commit(&self, changes: &VaultChanges) -> Result<(), StoreError> {
        self.file
            .change(|tx| write_changes(tx, changes).map_err(|error| self.file.error(error)))
    }

    /// The person with a tag.
    pub fn person(&self, ledger: LedgerNumber, tag: Tag) -> Result<Option<PersonRow>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT id, epoch, sealed FROM person WHERE ledger = ?1 AND tag = ?2",
            )?
            .query_row(params![ledger.get(), &tag.as_bytes()[..]], |row| {
                Ok(PersonRow {
                    id: row.get(0)?,
                    epoch: row.get(1)?,
                    sealed: row.get(2)?,
                })
            })
            .optional()
        })
    }

    /// The tags of a ledger's persons after row `after`, with the row's number, at most `limit`.
    pub fn person_tags(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT id, tag FROM person WHERE ledger = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            )?
            .query_map(params![ledger.get(), after, limit], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect()
        })
    }

    /// The data key of a person (by tag, or of nobody), class and period.
    pub fn data_key_for(
        &self,
        ledger: LedgerNumber,
        person: Option<Tag>,
        class: ClassNumber,
        period: &str,
    ) -> Result<Option<DataKeyRow>, StoreError> {
        let tag = person.as_ref().map(|tag| &tag.as_bytes()[..]);
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT key_id, ledger, person, class, period, epoch, sealed FROM data_key
                 WHERE ledger = ?1 AND class = ?3 AND period = ?4 AND person =
                 CASE WHEN ?2 IS NULL THEN 0 ELSE (SELECT id FROM person WHERE ledger = ?1 AND tag = ?2) END",
            )?
            .query_row(params![ledger.get(), tag, class.get(), period], data_key_row)
            .optional()
        })
    }

    /// The data key with a number.
    pub fn data_key(&self, key_id: KeyId) -> Result<Option<DataKeyRow>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT key_id, ledger, person, class, period, epoch, sealed FROM data_key WHERE key_id = ?1",
            )?
            .query_row([key_id.get().cast_signed()], data_key_row)
            .optional()
        })
    }

    /// All data keys after number `after` (in the file's order), at most `limit`.
    pub fn data_keys(
        &self,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<Vec<DataKeyRow>, StoreError> {
        let after = after.map_or(i64::MIN, |id| id.get().cast_signed());
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT key_id, ledger, person, class, period, epoch, sealed FROM data_key
                 WHERE key_id > ?1 ORDER BY key_id LIMIT ?2",
            )?
            .query_map(params![after, limit], data_key_row)?
            .collect()
        })
    }

    /// The last head of a ledger that the vault saw.
    pub fn watermark(&self, ledger: LedgerNumber) -> Result<Option<Watermark>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached("SELECT size, root, seen_at_ms FROM watermark WHERE ledger = ?1")?
                .query_row([ledger.get()], |row| {
                    let root: [u8; 32] = row.get(1)?;
                    Ok(Watermark {
                        size: row.get(0)?,
                        root: RootHash::new(root),
                        seen_at: UnixMillis::new(row.get(2)?),
                    })
                })
                .optional()
        })
    }

    /// Keeps the head of a ledger.
    pub fn set_watermark(&self, ledger: LedgerNumber, mark: &Watermark) -> Result<(), StoreError> {
        self.file.note(|tx| {
            tx.prepare_cached(
                "INSERT INTO watermark (ledger, size, root, seen_at_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (ledger) DO UPDATE
                 SET size = excluded.size, root = excluded.root, seen_at_ms = excluded.seen_at_ms",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    ledger.get(),
                    mark.size,
                    &mark.root.as_bytes()[..],
                    mark.seen_at.get()
                ])
            })
            .map(drop)
            .map_err(|error| self.file.error(error))
        })
    }

    /// Whether the rows are summed up; not in a file that an earlier version wrote.
    pub fn has_sums(&self) -> Result<bool, StoreError> {
        self.file.has_begun()
    }

    /// Begins the sums over all rows, with the row that keeps their key.
    pub fn begin_sums(
        &self,
        mac: Arc<dyn RowMac>,
        key: &SealedRecordRow,
    ) -> Result<(), StoreError> {
        self.file
            .begin(mac, |tx| super::vault_records::put(tx, key))
    }

    /// From here on rows can be written: each is taken into the sums, which began before.
    pub fn keep_sums(&self, mac: Arc<dyn RowMac>) -> Result<(), StoreError> {
        self.file.watch(mac)
    }

    /// The parts of the vault whose rows are not those that the program wrote. Of persons and data keys, where there are more
    /// than `large_max`, only the numbers are compared.
    pub fn changed_parts(
        &self,
        mac: &dyn RowMac,
        large_max: u64,
    ) -> Result<Vec<ChangedPart>, StoreError> {
        self.file.changed_parts(mac, large_max)
    }

    /// Copies the write-ahead log into the file, before closing.
    pub fn close(&self) -> Result<(), StoreError> {
        self.file.purge().map(drop)
    }
}

fn write_changes(tx: &Connection, changes: &VaultChanges) -> rusqlite::Result<()> {
    let mut person = tx.prepare_cached(
        "INSERT INTO person (ledger, tag, epoch, sealed) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for new in &changes.persons {
        person.execute(params![
            new.ledger.get(),
            &new.tag.as_bytes()[..],
            new.epoch,
            new.sealed
        ])?;
        let row = (tx.last_insert_rowid(), new.ledger);
        vault_folded::add(tx, row, new.folded.as_ref())?;
    }
    let mut find = tx.prepare_cached("SELECT id FROM person WHERE ledger = ?1 AND tag = ?2")?;
    let mut data_key = tx.prepare_cached(
        "INSERT INTO data_key (key_id, ledger, person, class, period, epoch, sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for NewDataKey { person, row } in &changes.data_keys {
        let number = match person {
            Some(tag) => find.query_row(params![row.ledger.get(), &tag.as_bytes()[..]], |row| {
                row.get::<_, i64>(0)
            })?,
            None => 0,
        };
        data_key.execute(params![
            row.key_id.get().cast_signed(),
            row.ledger.get(),
            number,
            row.class.get(),
            row.period,
            row.epoch,
            row.sealed
        ])?;
    }
    Ok(())
}

pub(super) fn data_key_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<DataKeyRow> {
    Ok(DataKeyRow {
        key_id: KeyId::new(row.get::<_, i64>(0)?.cast_unsigned()),
        ledger: LedgerNumber::new(row.get(1)?),
        person: row.get(2)?,
        class: ClassNumber::new(row.get(3)?),
        period: row.get(4)?,
        epoch: row.get(5)?,
        sealed: row.get(6)?,
    })
}
