//! The data directory: its files, its lock, and writing small files so that they survive a crash.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;

/// Paths of the files of one data directory.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    path: PathBuf,
}

/// The directory's lock, held until it is dropped: one process opens the files.
#[derive(Debug)]
pub struct DirectoryLock(#[expect(dead_code, reason = "held for its lock")] File);

impl DataDirectory {
    /// The directory at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Entries, payloads, tiles, checkpoints and the active index run.
    pub fn ledger_db(&self) -> PathBuf {
        self.path.join("ledger.db")
    }

    /// Merged index runs.
    pub fn index_db(&self) -> PathBuf {
        self.path.join("index.db")
    }

    /// Telemetry that is no event yet.
    pub fn staging_db(&self) -> PathBuf {
        self.path.join("staging.db")
    }

    /// Sealed secrets.
    pub fn vault_db(&self) -> PathBuf {
        self.path.join("vault.db")
    }

    /// The epoch keys, wrapped by the root key.
    pub fn epoch_key(&self) -> PathBuf {
        self.path.join("epoch.key")
    }

    /// The root key of a first run.
    pub fn root_key(&self) -> PathBuf {
        self.path.join("root.key")
    }

    /// The server's local socket.
    pub fn socket(&self) -> PathBuf {
        self.path.join("serve.sock")
    }

    /// Whether a ledger was made here.
    pub fn is_initialised(&self) -> bool {
        [self.ledger_db(), self.vault_db(), self.epoch_key()]
            .iter()
            .any(|path| path.exists())
    }

    /// What a backup says of itself; no data directory has it.
    pub fn backup_json(&self) -> PathBuf {
        self.path.join("backup.json")
    }

    /// Whether this is a backup.
    pub fn is_backup(&self) -> bool {
        self.backup_json().exists()
    }

    /// Makes the directory, for its owner alone, and syncs its parent.
    pub fn create(&self) -> Result<(), StoreError> {
        if !self.path.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.path)
                .map_err(|error| io_error(&self.path, error))?;
        }
        let parent = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        sync_directory(parent.unwrap_or(Path::new(".")))
    }

    /// Takes the lock, or says that another process has it.
    pub fn lock(&self) -> Result<DirectoryLock, StoreError> {
        let path = self.path.join("lock");
        if !self.path.is_dir() {
            return Err(StoreError::Missing {
                path: self.path.clone(),
                hint: "no such directory; make one with `trailkeep init --dir DIR`, or name the right one with --dir or TRAILKEEP_DIR",
            });
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| io_error(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(DirectoryLock(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(self.path.clone())),
            Err(TryLockError::Error(error)) => Err(io_error(&path, error)),
        }
    }
}

/// Writes a whole small file for its owner alone: a temporary name, fsync, rename, fsync of the directory.
/// After it returns, a crash leaves the new file; before, the old one or none.
pub fn write_private_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| io_error(path, error))?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Bytes that the file system with `path` has left for this user.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(path).ok()?;
    Some(status.f_bavail.saturating_mul(status.f_frsize))
}

pub(super) fn io_error(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        error,
    }
}

/// Makes the names in a directory survive a crash.
pub fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| io_error(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_of_the_lock() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = DataDirectory::new(temporary.path().join("data"));
        assert!(matches!(directory.lock(), Err(StoreError::Missing { .. })));
        directory.create().unwrap();
        let held = directory.lock().unwrap();
        assert!(matches!(directory.lock(), Err(StoreError::Locked(_))));
        drop(held);
        directory.lock().unwrap();
    }
}
