//! Copies of the vault: taking one, looking into one, and what each target was given.

use std::path::Path;

use rusqlite::{OpenFlags, OptionalExtension, params};

use super::file::{self, VaultFile};
use super::{FILE, SqliteVault};
use crate::sqlite::{Database, check_header, connect, resolved, sqlite_error};
use trailkeep_files::private::new_private_file;
use trailkeep_ports::{
    CopyState, RowMac, SealedTable, StoreError, VaultCopies, VaultLook, Watermark,
};
use trailkeep_proof::ids::LedgerNumber;
use trailkeep_proof::time::UnixMillis;

impl SqliteVault {
    /// Opens a copy for reading, without changing a byte of it.
    pub(crate) fn open_copy(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            file: VaultFile::new(Database::open_copy(&FILE, path)?),
        })
    }

    /// Gives a copy that nobody has open the memory of other heads: those of the ledgers that it was copied with.
    pub(crate) fn mark_copy(
        path: &Path,
        mac: &dyn RowMac,
        marks: &[(LedgerNumber, Watermark)],
    ) -> Result<(), StoreError> {
        let fail = |error| sqlite_error(&FILE, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let mut connection = connect(path, flags)?.map_err(fail)?;
        let mut mark = || -> rusqlite::Result<bool> {
            file::watch(&connection)?;
            let transaction = connection.transaction()?;
            let Some(sum) = file::sum_of(&transaction, mac)? else {
                return Ok(false);
            };
            for (ledger, mark) in marks {
                transaction.execute(
                    "INSERT OR REPLACE INTO watermark (ledger, size, root, seen_at_ms) VALUES (?1, ?2, ?3, ?4)",
                    params![ledger.get(), mark.size, &mark.root.as_bytes()[..], mark.seen_at.get()],
                )?;
            }
            file::settle(&transaction, mac, sum)?;
            transaction.commit()?;
            Ok(true)
        };
        if mark().map_err(fail)? {
            return Ok(());
        }
        Err(StoreError::Damaged {
            path: path.to_owned(),
            what: "does not match what the program wrote".to_owned(),
            hint: FILE.hint,
        })
    }

    /// What a vault's file says of itself: a copy, or one that nobody has open. Nothing is written.
    pub(crate) fn look(path: &Path) -> Result<VaultLook, StoreError> {
        check_header(&FILE, path)?;
        let damaged = |error: rusqlite::Error| StoreError::Damaged {
            path: path.to_owned(),
            what: format!("is damaged ({error})"),
            hint: FILE.hint,
        };
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?.map_err(damaged)?;
        let look = || -> rusqlite::Result<VaultLook> {
            let verdict: String =
                connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(rusqlite::Error::InvalidParameterName(verdict));
            }
            let (mut lowest, mut highest) = (u32::MAX, 0);
            for table in SealedTable::ALL {
                let sql = format!("SELECT min(epoch), max(epoch) FROM {}", table.name());
                let (min, max): (Option<u32>, Option<u32>) =
                    connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
                lowest = min.map_or(lowest, |min| lowest.min(min));
                highest = max.map_or(highest, |max| highest.max(max));
            }
            Ok(VaultLook {
                directory_id: connection
                    .query_row("SELECT id FROM directory", [], |row| row.get(0))?,
                changes: connection
                    .query_row("SELECT changes FROM sealing", [], |row| row.get(0))?,
                lowest_epoch: lowest,
                highest_epoch: highest,
            })
        };
        look().map_err(damaged)
    }
}

impl VaultCopies for SqliteVault {
    fn copy_into(&self, path: &Path) -> Result<(), StoreError> {
        let file = new_private_file(path)?;
        let fail = |error| sqlite_error(&FILE, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connect(self.file.path(), flags)?.map_err(fail)?;
        connection
            .execute("VACUUM INTO ?1", [resolved(path)?.to_string_lossy()])
            .map_err(fail)?;
        // SQLite does not sync what VACUUM INTO wrote.
        Ok(file
            .sync_all()
            .map_err(|error| trailkeep_files::io_error(path, error))?)
    }

    fn changes(&self) -> Result<u64, StoreError> {
        self.file
            .read(|tx| tx.query_row("SELECT changes FROM sealing", [], |row| row.get(0)))
    }

    fn copy_state(&self, target: &str) -> Result<CopyState, StoreError> {
        let found = self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT changes, rows_epoch, key_epoch, copied_at_ms, failed_at_ms, error
                 FROM copy_state WHERE target = ?1",
            )?
            .query_row([target], |row| {
                Ok(CopyState {
                    changes: row.get(0)?,
                    rows_epoch: row.get(1)?,
                    key_epoch: row.get(2)?,
                    copied_at: row.get::<_, Option<u64>>(3)?.map(UnixMillis::new),
                    failed_at: row.get::<_, Option<u64>>(4)?.map(UnixMillis::new),
                    error: row.get(5)?,
                })
            })
            .optional()
        })?;
        Ok(found.unwrap_or_default())
    }

    fn set_copy_state(&self, target: &str, state: &CopyState) -> Result<(), StoreError> {
        self.file.note(|tx| {
            tx.execute(
                "INSERT OR REPLACE INTO copy_state
                 (target, changes, rows_epoch, key_epoch, copied_at_ms, failed_at_ms, error)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    target,
                    state.changes,
                    state.rows_epoch,
                    state.key_epoch,
                    state.copied_at.map(UnixMillis::get),
                    state.failed_at.map(UnixMillis::get),
                    state.error
                ],
            )
            .map(drop)
            .map_err(|error| self.file.error(error))
        })
    }

    fn remove_copy_state(&self, target: &str) -> Result<(), StoreError> {
        self.file.note(|tx| {
            tx.execute("DELETE FROM copy_state WHERE target = ?1", [target])
                .map(drop)
                .map_err(|error| self.file.error(error))
        })
    }
}
