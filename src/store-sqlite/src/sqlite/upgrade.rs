//! Before a file's tables change, the file as it was is kept beside it; and a file of a later program is left alone.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{FileKind, check_header, connect, is_full, sqlite_error};
use trailkeep_files::folder_of;
use trailkeep_files::io_error;
use trailkeep_ports::StoreError;

/// `ledger.db` of schema 1 is kept as `ledger.db.schema-1`.
fn old_file(path: &Path, version: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".schema-{version}"));
    name.into()
}

/// Copies a file whose tables are about to change, synced before the first change. One that is there already, from
/// a migration that a crash ended, is the file as it was, and stays.
pub(super) fn keep_old_file(
    kind: &'static FileKind,
    path: &Path,
    connection: &Connection,
    version: usize,
) -> Result<(), StoreError> {
    let old = old_file(path, version);
    if version >= kind.migrations.len() || old.exists() {
        return Ok(());
    }
    // The write-ahead log goes into the file first, so that the file alone is whole.
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .map_err(|error| sqlite_error(kind, error))?;
    let copy = || -> std::io::Result<()> {
        let (folder, name) = folder_of(path)?;
        let mut new = folder.begin(old.file_name().unwrap_or(name))?;
        new.fill(&mut folder.open_to_read(name)?)?;
        new.place_new()
    };
    Ok(copy().map_err(|error| io_error(&old, error))?)
}

/// What is said of a file with tables that this program does not know.
pub(super) fn is_newer(kind: &'static FileKind, path: &Path, version: usize) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        what: format!(
            "was written by a later version of trailkeep (schema {version}, this program knows {})",
            kind.migrations.len()
        ),
        hint: "install that version again; to return to this one, restore the files that the upgrade kept \
               (`*.schema-N`) or a backup from before the upgrade",
    }
}

/// The id of the data directory that a file says it belongs to, without any other check.
pub(super) fn directory_id(kind: &'static FileKind, path: &Path) -> Result<String, StoreError> {
    check_header(kind, path)?;
    let fail = |error: rusqlite::Error| {
        if is_full(&error) {
            return StoreError::Full { file: kind.name };
        }
        StoreError::Damaged {
            path: path.to_owned(),
            what: format!("is damaged ({error})"),
            hint: kind.hint,
        }
    };
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?.map_err(fail)?;
    connection
        .query_row("SELECT id FROM directory", [], |row| row.get(0))
        .map_err(fail)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Database;
    use super::*;

    const FIRST: &str =
        "CREATE TABLE directory (id TEXT NOT NULL); CREATE TABLE thing (name TEXT);";
    const SECOND: &str = "ALTER TABLE thing ADD COLUMN size INTEGER NOT NULL DEFAULT 7;";

    const fn kind(migrations: &'static [&'static str]) -> FileKind {
        FileKind {
            name: "thing.db",
            application_id: 1_234,
            migrations,
            hint: "none",
            cache_kib: 1_024,
            grows: None,
        }
    }

    static OLD: FileKind = kind(&[FIRST]);
    static NEW: FileKind = kind(&[FIRST, SECOND]);

    fn things(database: &Database, what: &str) -> Vec<String> {
        let text = format!("SELECT {what} FROM thing");
        let read = database.read(|tx| {
            tx.prepare(&text)?
                .query_map([], |row| row.get::<_, String>(0))?
                .collect()
        });
        read.unwrap()
    }

    #[test]
    fn an_older_file_is_kept_and_migrated_and_a_newer_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thing.db");
        Database::create(&OLD, &path, "d").unwrap();
        {
            let old = Database::open(&OLD, &path, "d").unwrap();
            let insert = |tx: &Connection| {
                let added = tx.execute("INSERT INTO thing (name) VALUES ('a')", []);
                added.map_err(|error| sqlite_error(&OLD, error))
            };
            old.write(insert).unwrap();
        }
        {
            let new = Database::open(&NEW, &path, "d").unwrap();
            assert_eq!(things(&new, "name || size"), ["a7"]);
        }
        let kept = folder.path().join("thing.db.schema-1");
        let mode = kept.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let old = Database::open(&OLD, &kept, "d").unwrap();
        assert_eq!(things(&old, "name"), ["a"]);

        let Err(error) = Database::open(&OLD, &path, "d") else {
            panic!("a newer schema was opened");
        };
        let said = error.to_string();
        assert!(said.contains("schema 2, this program knows 1"), "{said}");
        assert!(said.contains("install that version again"), "{said}");
    }
}
