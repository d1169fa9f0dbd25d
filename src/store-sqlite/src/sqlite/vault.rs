//! `vault.db`: sealed secrets. The rows are opaque here; the keyring of `core` seals and opens them.

mod api_keys;
mod compare;
mod copies;
mod data_keys;
mod epochs;
mod file;
mod ledgers;
mod persons;
mod records;
mod sum;
mod summed;

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::upgrade::directory_id;
use super::{Database, FileKind};
use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber};

use file::VaultFile;
use trailkeep_ports::{
    ChangedPart, DataKeyRow, NewDataKey, RowMac, RowSums, SealedRecordRow, StoreError, Upkeep,
    VaultChanges, VaultStore,
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
    cache_kib: 65_536,
    grows: None,
};

/// The vault of one data directory.
pub(super) struct SqliteVault {
    file: VaultFile,
}

impl SqliteVault {
    /// Makes the file.
    pub(super) fn create(path: &Path, directory_id: &str) -> Result<(), StoreError> {
        Database::create(&FILE, path, directory_id)
    }

    /// The id of the data directory that the vault says it belongs to.
    pub(super) fn directory_id(path: &Path) -> Result<String, StoreError> {
        directory_id(&FILE, path)
    }

    /// Opens the file.
    pub(super) fn open(path: &Path, directory_id: &str) -> Result<Self, StoreError> {
        Ok(Self {
            file: VaultFile::new(Database::open(&FILE, path, directory_id)?),
        })
    }
}

impl Upkeep for SqliteVault {
    fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.file.schema_difference()
    }

    fn purge(&self) -> Result<bool, StoreError> {
        self.file.copy_log()?;
        self.file.purge()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.file.purge().map(drop)
    }
}

impl VaultStore for SqliteVault {
    fn commit(&self, changes: &VaultChanges) -> Result<(), StoreError> {
        self.file
            .change(|tx| write_changes(tx, changes).map_err(|error| self.file.error(error)))
    }
}

impl RowSums for SqliteVault {
    fn has_sums(&self) -> Result<bool, StoreError> {
        self.file.has_begun()
    }

    fn begin_sums(&self, mac: Arc<dyn RowMac>, key: &SealedRecordRow) -> Result<(), StoreError> {
        self.file.begin(mac, |tx| records::put(tx, key))
    }

    fn keep_sums(&self, mac: Arc<dyn RowMac>) -> Result<(), StoreError> {
        self.file.watch(mac)
    }

    fn changed_parts(
        &self,
        mac: &dyn RowMac,
        large_max: u64,
    ) -> Result<Vec<ChangedPart>, StoreError> {
        self.file.changed_parts(mac, large_max)
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
        persons::add_folded(tx, row, new.folded.as_ref())?;
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
