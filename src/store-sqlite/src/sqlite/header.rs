//! A file is looked at before SQLite opens it: is it there, ours, whole, and of a schema that this program knows?

use std::io::Read;
use std::path::Path;

use super::unfinished::with_suffix;
use super::{FileKind, PAGE_BYTES, upgrade};
use trailkeep_files::io_error;
use trailkeep_files::{FileError, folder_of};
use trailkeep_ports::StoreError;

/// What is said of a directory in the place of a file.
pub(super) fn is_directory(kind: &'static FileKind, path: &Path) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        what: "is a directory, not a file; move it out of the data directory".to_owned(),
        hint: kind.hint,
    }
}

/// Looks at the first 100 bytes (SQLite's file format, section 1.3).
pub(super) fn check_header(kind: &'static FileKind, path: &Path) -> Result<(), StoreError> {
    let damaged = |what: &str| StoreError::Damaged {
        path: path.to_owned(),
        what: what.to_owned(),
        hint: kind.hint,
    };
    let opened = folder_of(path).and_then(|(folder, name)| folder.open_to_read(name));
    let mut file = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => StoreError::from(FileError::Missing {
            path: path.to_owned(),
            hint: kind.hint,
        }),
        _ if path.is_dir() => is_directory(kind, path),
        _ => io_error(path, error).into(),
    })?;
    let mut header = [0; 100];
    file.read_exact(&mut header)
        .map_err(|_| damaged("is truncated: it has no header"))?;
    let number = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if &header[..16] != b"SQLite format 3\0" {
        return Err(damaged("is not a database"));
    }
    if number(68).cast_signed() != kind.application_id {
        return Err(damaged(
            "is another kind of file; it may have been swapped or renamed",
        ));
    }
    let pages_bytes = u64::from(number(28)) * u64::from(PAGE_BYTES);
    let length = file
        .metadata()
        .map_err(|error| io_error(path, error))?
        .len();
    // With a write-ahead log beside it, a crash may have cut a copy short; SQLite then repairs it.
    let log = with_suffix(path, "-wal");
    let has_log = log.metadata().is_ok_and(|log| log.len() > 0);
    if length < pages_bytes && !has_log {
        return Err(damaged(&format!(
            "is truncated: {length} bytes of {pages_bytes}"
        )));
    }
    let version = number(60) as usize;
    if version > kind.migrations.len() {
        return Err(upgrade::is_newer(kind, path, version));
    }
    Ok(())
}
