//! A database file that is being made stands beside its place until it is whole: a crash leaves no half of one under
//! the name that a start looks for.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use trailkeep_files::io_error;
use trailkeep_files::{Folder, folder_of};
use trailkeep_ports::StoreError;

/// Behind the name of a file that is being made.
const UNFINISHED: &str = ".unfinished";
/// Behind the name of a database, what SQLite keeps beside it.
const LOGS: [&str; 2] = ["-wal", "-shm"];

/// A file on the way to its place. Dropped before it is there, it leaves nothing.
pub(super) struct Unfinished {
    folder: Folder,
    place: OsString,
}

impl Unfinished {
    /// Makes an empty file beside its place, for its owner alone. What an earlier try left there goes.
    pub(super) fn begin(place: &Path) -> Result<Self, StoreError> {
        remove_leftovers(place)?;
        let begin = || {
            let (folder, name) = folder_of(place)?;
            folder.create(&with(name, UNFINISHED))?;
            let place = name.to_owned();
            Ok(Self { folder, place })
        };
        Ok(begin().map_err(|error| io_error(place, error))?)
    }

    /// Where it is made.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path(&with(&self.place, UNFINISHED))
    }

    /// Syncs the file, whose connections are closed, and gives it its name.
    pub(super) fn take_place(self) -> Result<(), StoreError> {
        let take = || {
            let name = with(&self.place, UNFINISHED);
            self.folder.open_own(&name)?.sync_all()?;
            self.folder.rename(&name, &self.place)?;
            self.folder.sync()
        };
        Ok(take().map_err(|error| io_error(&self.folder.path(&self.place), error))?)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = remove_leftovers(&self.folder.path(&self.place));
    }
}

/// Removes what a crash left beside a file while it was being made.
pub(super) fn remove_leftovers(place: &Path) -> Result<(), StoreError> {
    let beside = with_suffix(place, UNFINISHED);
    remove(&beside)?;
    remove_logs(&beside)
}

/// Removes the write-ahead log of a database that is closed, and the index of the log.
pub(super) fn remove_logs(path: &Path) -> Result<(), StoreError> {
    LOGS.iter()
        .try_for_each(|suffix| remove(&with_suffix(path, suffix)))
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io_error(path, error).into())
        }
        _ => Ok(()),
    }
}

/// `index.db` -> `index.db-wal`.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    with(path.as_os_str(), suffix).into()
}

fn with(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

#[cfg(test)]
mod tests {
    use super::super::{Database, FileKind};
    use super::*;

    static KIND: FileKind = FileKind {
        name: "thing.db",
        application_id: 1_234,
        migrations: &["CREATE TABLE directory (id TEXT NOT NULL);"],
        hint: "none",
        cache_kib: 1_024,
        grows: None,
    };

    #[test]
    fn a_file_that_was_not_finished_is_made_again_and_nothing_is_left_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thing.db");
        // A crash in the middle of making it leaves nothing under its name.
        let unfinished = Unfinished::begin(&path).unwrap();
        std::mem::forget(unfinished);
        for suffix in LOGS {
            std::fs::write(with_suffix(&path, &format!(".unfinished{suffix}")), b"half").unwrap();
        }
        assert!(!path.exists());
        Database::create(&KIND, &path, "d").unwrap();
        let opened = Database::open(&KIND, &path, "d").unwrap();
        drop(opened);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // One that is there is never made anew.
        Database::create(&KIND, &path, "other").err().unwrap();
        Database::open(&KIND, &path, "d").unwrap();
    }
}
