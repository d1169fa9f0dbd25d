//! Files that hold secrets and are replaced or destroyed: the old bytes are overwritten before the name goes.
//!
//! How far a medium really overwrites is its own affair: docs/threat-model.md, "Copies".

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::directory::{io_error, sync_directory};

/// Bytes that are written or read at once.
const STEP_BYTES: usize = 1 << 20;

/// Makes a new file for its owner alone; what stood there is destroyed first.
pub fn new_private_file(path: &Path) -> Result<File, StoreError> {
    destroy_file(path)?;
    OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| io_error(path, error))
}

/// Overwrites a file in its place, syncs that, and removes it. A file that is not there is destroyed already.
pub fn destroy_file(path: &Path) -> Result<(), StoreError> {
    let failed = |error| io_error(path, error);
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let mut left = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let zeros = vec![0; STEP_BYTES];
    while left > 0 {
        let step = left.min(STEP_BYTES as u64);
        file.write_all(&zeros[..step as usize]).map_err(failed)?;
        left -= step;
    }
    file.sync_all().map_err(failed)?;
    drop(file);
    fs::remove_file(path).map_err(failed)?;
    sync_directory(folder_of(path))
}

/// Puts a file in the place of an older one: written beside it, synced, renamed; then the older one is overwritten
/// and removed. After a crash the old one or the new one stands there whole; what is left beside it goes with the
/// next replacement, or with [`destroy_leftovers`].
pub fn replace_file(path: &Path, source: &mut dyn Read) -> Result<(), StoreError> {
    put_beside(path, source)?;
    take_place(path)
}

/// The first half of a replacement: the new file stands beside the old one, whole and synced.
pub fn put_beside(path: &Path, source: &mut dyn Read) -> Result<PathBuf, StoreError> {
    let new = beside(path, "new");
    let failed = |error| io_error(&new, error);
    let mut file = new_private_file(&new)?;
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        let read = source.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        file.write_all(&buffer[..read]).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    Ok(new)
}

/// The second half: the file beside takes the place, and the old one is overwritten and removed.
pub fn take_place(path: &Path) -> Result<(), StoreError> {
    let (new, old) = (beside(path, "new"), beside(path, "old"));
    let failed = |error| io_error(path, error);
    destroy_file(&old)?;
    if path.exists() {
        // A second name keeps the old bytes in reach while the first name changes hands in one step.
        let linked = fs::hard_link(path, &old);
        // File systems without links: for a moment there is no file of this name.
        linked.or_else(|_| fs::rename(path, &old)).map_err(failed)?;
    }
    fs::rename(&new, path).map_err(failed)?;
    sync_directory(folder_of(path))?;
    destroy_file(&old)
}

/// Destroys what a replacement that was interrupted left beside a file.
pub fn destroy_leftovers(path: &Path) -> Result<(), StoreError> {
    destroy_file(&beside(path, "new"))?;
    destroy_file(&beside(path, "old"))
}

/// `vault.db` -> `vault.db.new`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_leaves_one_file_and_overwrites_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epoch.key");
        replace_file(&path, &mut &b"first"[..]).unwrap();
        // A third name shows what becomes of the old bytes.
        let witness = folder.path().join("witness");
        fs::hard_link(&path, &witness).unwrap();
        // What an interrupted replacement left.
        fs::write(beside(&path, "old"), b"left").unwrap();
        fs::write(beside(&path, "new"), b"left").unwrap();
        replace_file(&path, &mut &b"second one"[..]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second one");
        assert_eq!(fs::read(&witness).unwrap(), [0; 5]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
