//! SQLite as the store: how each file is made, checked and opened.

mod claims;
mod connection;
mod header;
mod ledgers;
mod new_runs;
mod runs;
mod schema;
mod staging;
mod storage;
mod unfinished;
mod upgrade;
mod vault;
mod watch;

pub use self::storage::Sqlite;

use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use self::connection::{BUSY_TIMEOUT, configure, configure_reader, connect, resolved};
use self::header::{check_header, is_directory};
use self::unfinished::{Unfinished, remove_leftovers};
use self::watch::Watch;
use trailkeep_files::io_error;
use trailkeep_ports::StoreError;

/// Bytes of a page: what the measurements in docs/performance.md were made with.
const PAGE_BYTES: u32 = 8192;
/// What the vault's triggers say (vault_001.sql).
const RETIRED_EPOCH: &str = "retired epoch";
/// Idle readers that a file keeps open.
const IDLE_READERS_MAX: usize = 8;

/// One database file: its name, what marks it as ours, and its tables.
pub(super) struct FileKind {
    /// File name, for messages.
    pub(super) name: &'static str,
    /// SQLite's application_id.
    pub(super) application_id: i32,
    /// Migrations, oldest first; user_version counts those that have run.
    pub(super) migrations: &'static [&'static str],
    /// What to do when it is missing or damaged.
    pub(super) hint: &'static str,
    /// Memory for pages of its writing connection, in KiB. All but the vault is written in the order of its rows; the
    /// vault's rows of persons are written all over the file.
    pub(super) cache_kib: u32,
    /// Tables that come and go, by name and text.
    pub(super) grows: Option<fn(&str, &str) -> bool>,
}

/// An open database file: one writer, and readers that come and go.
pub(super) struct Database {
    kind: &'static FileKind,
    path: PathBuf,
    writer: Mutex<Connection>,
    idle_readers: Mutex<Vec<Connection>>,
    /// Readers share it; the purge takes it alone, since a reader on any snapshot keeps it busy.
    gate: RwLock<()>,
    /// Nanoseconds that the last commit statement took.
    synced_in_nanos: AtomicU64,
    watch: Watch,
}

impl Database {
    /// Makes the file with its tables, for its owner alone: beside its place, and moved there when it is whole.
    pub(super) fn create(
        kind: &'static FileKind,
        path: &Path,
        directory_id: &str,
    ) -> Result<(), StoreError> {
        if path.exists() {
            return Err(io_error(path, std::io::ErrorKind::AlreadyExists.into()).into());
        }
        let unfinished = Unfinished::begin(path)?;
        Self::fill(kind, &unfinished.path(), directory_id)?;
        unfinished.take_place()
    }

    /// Writes the tables into an empty file; its log is empty afterwards.
    pub(super) fn fill(
        kind: &'static FileKind,
        path: &Path,
        directory_id: &str,
    ) -> Result<(), StoreError> {
        let fail = |error| sqlite_error(kind, error);
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?.map_err(fail)?;
        // Page size and auto_vacuum hold only if they are set before the first table.
        connection
            .execute_batch(&format!(
                "PRAGMA page_size = {PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = {};",
                kind.application_id
            ))
            .map_err(fail)?;
        configure(kind, &connection).map_err(fail)?;
        migrate(kind, &mut connection, 0)?;
        connection
            .execute("INSERT INTO directory (id) VALUES (?1)", [directory_id])
            .map_err(fail)?;
        // The file alone must be whole: closing would leave the log where it can't be copied.
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(fail)?;
        connection.close().map_err(|(_, error)| fail(error))
    }

    /// Opens the file after looking at it without writing: is it there, ours, whole, of this directory
    /// and of a schema that this program knows?
    pub(super) fn open(
        kind: &'static FileKind,
        path: &Path,
        directory_id: &str,
    ) -> Result<Self, StoreError> {
        let damaged = |what: String| StoreError::Damaged {
            path: path.to_owned(),
            what,
            hint: kind.hint,
        };
        remove_leftovers(path)?;
        check_header(kind, path)?;
        let fail = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                damaged(format!("is damaged ({error})"))
            }
            _ => sqlite_error(kind, error),
        };
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?.map_err(fail)?;
        configure(kind, &connection).map_err(fail)?;
        // The header's number may lag behind the write-ahead log; this one does not.
        let version = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(fail)?;
        if version > kind.migrations.len() {
            return Err(upgrade::is_newer(kind, path, version));
        }
        if version == 0 {
            let what = "was never completed: a crash ended the program while it created the file, and nothing was stored in it";
            return Err(damaged(what.to_owned()));
        }
        if let Some(difference) = schema::difference(kind, &connection, version).map_err(fail)? {
            return Err(changed(kind, path, difference));
        }
        let (found, rows): (Option<String>, u64) = connection
            .query_row("SELECT min(id), count(*) FROM directory", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(fail)?;
        if rows != 1 || found.as_deref() != Some(directory_id) {
            return Err(StoreError::OtherDirectory {
                path: path.to_owned(),
                hint: kind.hint,
            });
        }
        upgrade::keep_old_file(kind, path, &connection, version)?;
        migrate(kind, &mut connection, version)?;
        Ok(Self {
            kind,
            path: path.to_owned(),
            writer: Mutex::new(connection),
            idle_readers: Mutex::new(Vec::new()),
            gate: RwLock::new(()),
            synced_in_nanos: AtomicU64::new(0),
            watch: Watch::default(),
        })
    }

    /// Opens a copy that nobody writes to, without changing a byte of it.
    pub(super) fn open_copy(kind: &'static FileKind, path: &Path) -> Result<Self, StoreError> {
        check_header(kind, path)?;
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?
            .map_err(|error| sqlite_error(kind, error))?;
        let difference = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .and_then(|version| schema::difference(kind, &connection, version))
            .map_err(|error| sqlite_error(kind, error))?;
        if let Some(difference) = difference {
            return Err(changed(kind, path, difference));
        }
        Ok(Self {
            kind,
            path: path.to_owned(),
            writer: Mutex::new(connection),
            idle_readers: Mutex::new(Vec::new()),
            gate: RwLock::new(()),
            synced_in_nanos: AtomicU64::new(0),
            watch: Watch::default(),
        })
    }

    /// How the schema differs from that of this version, while the file is in use.
    pub(super) fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.read(|tx| schema::difference(self.kind, tx, self.kind.migrations.len()))
    }

    /// Runs `work` in a read transaction of its own. It must be short: a reader on any snapshot holds back
    /// the purge of destroyed rows.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let _open = self.gate.read();
        let idle = self.idle_readers.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open_reader()?,
        };
        let outcome = (|| {
            let transaction = connection.transaction()?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        let value = outcome.map_err(|error| self.error(error))?;
        let mut idle = self.idle_readers.lock();
        if idle.len() < IDLE_READERS_MAX {
            idle.push(connection);
        }
        Ok(value)
    }

    /// The only way to write: runs `work` in a transaction and commits it. `Full` means that nothing was
    /// written; any other error of a commit leaves the outcome unknown.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.try_write(work)?
    }

    /// The same, which tells the two apart: the outer error wrote nothing, the inner one is that of the commit.
    pub(super) fn try_write<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<Result<T, StoreError>, StoreError> {
        let mut connection = self.writer.lock();
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(|error| self.error(error))?;
        // Dropping the transaction on an early return rolls it back.
        let value = work(&transaction)?;
        let begun = Instant::now();
        if let Err(error) = transaction.commit() {
            return Ok(Err(self.error(error)));
        }
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.synced_in_nanos.store(nanos, Ordering::Relaxed);
        Ok(Ok(value))
    }

    /// Prepares the writer's connection.
    pub(super) fn on_writer(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        work(&self.writer.lock()).map_err(|error| self.error(error))
    }

    /// How long the last commit statement took: the write-ahead log was written and synced.
    pub(super) fn last_sync(&self) -> Duration {
        Duration::from_nanos(self.synced_in_nanos.load(Ordering::Relaxed))
    }

    /// Copies what is in the write-ahead log into the file, as far as nobody reads it: it holds nobody up.
    pub(super) fn copy_log(&self) -> Result<(), StoreError> {
        let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?
            .map_err(|error| self.error(error))?;
        let copied = configure(self.kind, &connection)
            .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
        copied.map_err(|error| self.error(error))
    }

    /// Gives up to `pages` free pages back to the file system, in one transaction; whether there are more.
    pub(super) fn release_pages(&self, pages: u32) -> Result<bool, StoreError> {
        let connection = self.writer.lock();
        let release = || -> rusqlite::Result<bool> {
            let mut step = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
            // Each row that it gives is a page; it must be asked to its end.
            let mut rows = step.query([])?;
            while rows.next()?.is_some() {}
            connection.query_row("PRAGMA freelist_count", [], |row| {
                Ok(row.get::<_, i64>(0)? > 0)
            })
        };
        release().map_err(|error| self.error(error))
    }

    /// Copies the write-ahead log into the file and empties it, so that what was deleted is in neither.
    /// `false` where somebody else still reads: then old pages may remain, and it is to be tried again.
    pub(super) fn purge(&self) -> Result<bool, StoreError> {
        let _alone = self.gate.write();
        self.idle_readers.lock().clear();
        self.watch.close();
        let connection = self.writer.lock();
        // A TRUNCATE that waits would hold the writer for as long.
        let busy = connection.busy_timeout(Duration::ZERO).and_then(|()| {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        });
        let restored = connection.busy_timeout(BUSY_TIMEOUT);
        let busy: i64 = busy.map_err(|error| self.error(error))?;
        restored.map_err(|error| self.error(error))?;
        Ok(busy == 0)
    }

    /// Names the file in an error of SQLite's.
    pub(super) fn error(&self, error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Damaged {
                path: self.path.clone(),
                what: format!("is damaged ({error})"),
                hint: self.kind.hint,
            },
            _ => sqlite_error(self.kind, error),
        }
    }

    fn open_reader(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connect(&self.path, flags)?;
        let open = connection.and_then(|reader| configure_reader(&reader).map(|()| reader));
        open.map_err(|error| self.error(error))
    }
}

fn migrate(
    kind: &'static FileKind,
    connection: &mut Connection,
    from: usize,
) -> Result<(), StoreError> {
    let fail = |error| sqlite_error(kind, error);
    for (index, migration) in kind.migrations.iter().enumerate().skip(from) {
        let transaction = connection.transaction().map_err(fail)?;
        transaction.execute_batch(migration).map_err(fail)?;
        transaction
            .execute_batch(&format!("PRAGMA user_version = {}", index + 1))
            .map_err(fail)?;
        transaction.commit().map_err(fail)?;
    }
    Ok(())
}

/// The error of a file whose schema is not that of its version.
fn changed(kind: &'static FileKind, path: &Path, what: String) -> StoreError {
    StoreError::Changed {
        path: path.to_owned(),
        what,
        hint: kind.hint,
    }
}

fn sqlite_error(kind: &'static FileKind, error: rusqlite::Error) -> StoreError {
    if let rusqlite::Error::SqliteFailure(_, Some(said)) = &error
        && said == RETIRED_EPOCH
    {
        return StoreError::RetiredEpoch;
    }
    if is_full(&error) {
        StoreError::Full { file: kind.name }
    } else {
        StoreError::Engine {
            file: kind.name,
            error: error.into(),
        }
    }
}

/// Whether there is no room: also for the index of the write-ahead log, without which nothing is even read.
fn is_full(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
