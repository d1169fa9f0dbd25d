//! A connection to a file: how SQLite opens it, and with which settings.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::FileKind;
use trailkeep_files::folder_of;
use trailkeep_files::io_error;
use trailkeep_ports::StoreError;

/// Pages in the write-ahead log before a commit copies them into the file.
const AUTO_CHECKPOINT_PAGES: u32 = 8000;
/// How long a connection waits for another.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The only way to open a file with SQLite. It opens by path: so what stands at the names that it would use is looked at
/// first, and it follows no link in the path's last part. Links that lead to the directory are resolved here.
pub(super) fn connect(
    path: &Path,
    flags: OpenFlags,
) -> Result<rusqlite::Result<Connection>, StoreError> {
    let check = || -> std::io::Result<()> {
        let (folder, name) = folder_of(path)?;
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut name = OsString::from(name);
            name.push(suffix);
            folder.check_own(&name).map_err(|error| {
                let name = name.display();
                std::io::Error::new(error.kind(), format!("{name}: {error}"))
            })?;
        }
        Ok(())
    };
    check().map_err(|error| io_error(path, error))?;
    let resolved = resolved(path)?;
    let flags = flags | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Ok(open_stable(&resolved, flags))
}

/// Opens a file so that a statement keeps its plan. SQLite would look at bound values and compile a cached statement again
/// at each use; without statistics, which no file here has, no better plan ever comes of it.
fn open_stable(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// The path without links in the directory's part: SQLite refuses links in any part when it is to follow none.
pub(super) fn resolved(path: &Path) -> Result<PathBuf, StoreError> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new(".")).canonicalize();
    let parent = parent.map_err(|error| io_error(path, error))?;
    Ok(parent.join(path.file_name().unwrap_or_default()))
}

/// Prepares a connection that writes.
pub(super) fn configure(kind: &FileKind, connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
         PRAGMA wal_autocheckpoint = {AUTO_CHECKPOINT_PAGES}; PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA cache_size = -{};",
        kind.cache_kib
    ))
}

/// Prepares a connection that reads.
pub(super) fn configure_reader(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(
        "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -8192;",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    #[test]
    fn a_cached_statement_is_compiled_once() {
        let connection = open_stable(Path::new(":memory:"), OpenFlags::default()).unwrap();
        let table =
            "CREATE TABLE run (key BLOB, seq INTEGER, PRIMARY KEY (key, seq)) WITHOUT ROWID";
        connection.execute_batch(table).unwrap();
        let look_up = "SELECT seq FROM run WHERE key = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
        for seq in 0..10 {
            let mut statement = connection.prepare_cached(look_up).unwrap();
            let found = statement.query_map((vec![1_u8; 16], seq, 1), |row| row.get::<_, u64>(0));
            assert_eq!(found.unwrap().count(), 0);
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
