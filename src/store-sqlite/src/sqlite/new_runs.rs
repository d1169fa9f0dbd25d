//! Runs that are made beside those in use, and take their place in one step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::OpenFlags;

use super::runs::{FILE, SqliteRuns};
use super::unfinished::{Unfinished, remove, remove_logs, with_suffix};
use super::{Database, connect, is_directory};
use trailkeep_ports::{NewRuns, RunStore, StoreError};

/// A file on its way to its place.
pub(super) struct SqliteNewRuns {
    // Closed before the file goes or is renamed: it stands first.
    runs: Arc<SqliteRuns>,
    place: PathBuf,
    unfinished: Unfinished,
}

impl SqliteNewRuns {
    /// Begins a file that is to stand at `place`.
    pub(super) fn begin(place: &Path, directory_id: &str) -> Result<Self, StoreError> {
        // Nothing takes the place of a directory: that is said before the work, not behind it.
        if place.is_dir() {
            return Err(is_directory(&FILE, place));
        }
        let unfinished = Unfinished::begin(place)?;
        Database::fill(&FILE, &unfinished.path(), directory_id)?;
        Ok(Self {
            runs: Arc::new(SqliteRuns::open(&unfinished.path(), directory_id)?),
            place: place.to_owned(),
            unfinished,
        })
    }
}

impl NewRuns for SqliteNewRuns {
    fn store(&self) -> Arc<dyn RunStore> {
        Arc::clone(&self.runs) as Arc<dyn RunStore>
    }

    fn take_place(self: Box<Self>) -> Result<(), StoreError> {
        let Self {
            runs,
            place,
            unfinished,
        } = *self;
        drop(runs);
        retire_log(&place)?;
        unfinished.take_place()
    }
}

/// The log of the old file would be played into the new one. It goes into the old file, which stays in use; where that
/// does not work, the old file is damaged and goes first: a start finds none rather than one without its log.
fn retire_log(place: &Path) -> Result<(), StoreError> {
    let log = with_suffix(place, "-wal");
    let is_empty = || log.metadata().map_or(true, |log| log.len() == 0);
    if !is_empty() {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let _ = connect(place, flags)?.and_then(|old| {
            old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            old.close().map_err(|(_, error)| error)
        });
    }
    if !is_empty() {
        remove(place)?;
    }
    remove_logs(place)
}
