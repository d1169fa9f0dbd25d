//! The data directory: its files, its lock, and who else can reach it.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, DirBuilder, File, Permissions, TryLockError, set_permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{FileError, Folder, io_error, is_of_the_volume};

/// Paths of the files of one data directory.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    path: PathBuf,
}

/// The directory's lock, held until it is dropped: one process opens the files.
#[derive(Debug)]
pub struct DirectoryLock(File);

impl Drop for DirectoryLock {
    /// Closing the file alone would not do: a process that is just being started has a copy of it until it runs its
    /// own program, and the lock is held until the last copy is closed.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

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
    pub fn create(&self) -> Result<(), FileError> {
        if !self.path.exists() {
            make_private_folder(&self.path).map_err(|error| io_error(&self.path, error))?;
        }
        let parent = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        sync_directory(parent.unwrap_or(Path::new(".")))
    }

    /// Refuses a directory in which every user of the machine can replace the files. What is less than that is logged.
    pub fn check_access(&self) -> Result<(), FileError> {
        let exposure = exposure_of(&self.path, owner_of_files(self));
        match exposure.map_err(|error| io_error(&self.path, error))? {
            Some(Exposure::Everybody(mode)) => Err(FileError::OpenToAll {
                path: self.path.clone(),
                mode,
            }),
            Some(exposure) => {
                let directory = self.path.display();
                tracing::warn!("the data directory {directory} {exposure}");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Moves the files of a directory that was made inside of this one to their places. `epoch.key` comes last, when the
    /// others are on disk: a directory that has it is whole.
    pub fn take_files_of(&self, unfinished: &Self) -> Result<(), FileError> {
        let take = |from: PathBuf, to: PathBuf| {
            fs::rename(from, &to).map_err(|error| io_error(&to, error))
        };
        take(unfinished.ledger_db(), self.ledger_db())?;
        take(unfinished.index_db(), self.index_db())?;
        take(unfinished.vault_db(), self.vault_db())?;
        sync_directory(&self.path)?;
        take(unfinished.epoch_key(), self.epoch_key())?;
        sync_directory(&self.path)?;
        let path = unfinished.path();
        fs::remove_dir_all(path).map_err(|error| io_error(path, error))?;
        sync_directory(&self.path)
    }

    /// Takes the lock, or says that another process has it.
    pub fn lock(&self) -> Result<DirectoryLock, FileError> {
        let path = self.path.join("lock");
        if !self.path.is_dir() {
            return Err(FileError::Missing {
                path: self.path.clone(),
                hint: "the directory does not exist; create it with `trailkeep init --dir DIR`, or name the right one with --dir or TRAILKEEP_DIR",
            });
        }
        let file = Folder::open(&self.path)
            .and_then(|folder| folder.open_or_create(OsStr::new("lock")))
            .map_err(|error| io_error(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(DirectoryLock(file)),
            Err(TryLockError::WouldBlock) => Err(FileError::Locked(self.path.clone())),
            Err(TryLockError::Error(error)) => Err(io_error(&path, error)),
        }
    }
}

/// How users other than the one who runs the server can change what is in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Every user can replace its files.
    Everybody(u32),
    /// Other users can put files into it.
    Others(u32),
    /// It belongs to a user who is neither this one nor root.
    Owner(u32),
}

impl fmt::Display for Exposure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody(mode) => {
                write!(
                    formatter,
                    "has mode {mode:04o}: every user of this machine can replace its files"
                )
            }
            Self::Others(mode) => {
                write!(
                    formatter,
                    "has mode {mode:04o}: other users can put files into it"
                )
            }
            Self::Owner(user) => write!(
                formatter,
                "belongs to user {user}, who does not own the files but can replace them"
            ),
        }
    }
}

/// Who besides the user `files_of` and root can change what is in a directory.
pub fn exposure_of(path: &Path, files_of: u32) -> std::io::Result<Option<Exposure>> {
    let metadata = path.metadata()?;
    let mode = metadata.mode() & 0o7777;
    let owner = metadata.uid();
    // Kubernetes mounts Secrets so: nobody can change them there.
    let mounted = rustix::fs::statvfs(path)?.f_flag;
    if mounted.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return Ok(None);
    }
    Ok(if mode & 0o1002 == 0o002 {
        Some(Exposure::Everybody(mode))
    } else if mode & 0o022 != 0 {
        Some(Exposure::Others(mode))
    } else if owner != files_of && owner != 0 {
        Some(Exposure::Owner(owner))
    } else {
        None
    })
}

/// The user whom a data directory's files belong to: whoever runs this, where there are none yet.
pub fn owner_of_files(directory: &DataDirectory) -> u32 {
    let ledgers = directory.ledger_db().symlink_metadata();
    ledgers.map_or_else(|_| rustix::process::geteuid().as_raw(), |found| found.uid())
}

/// The first name in a directory that is neither one of `known` nor one that a volume holds by itself.
pub fn foreign_name(path: &Path, known: &[&str]) -> Result<Option<PathBuf>, FileError> {
    let names = Folder::open(path).and_then(|folder| folder.names());
    let mut names = names.map_err(|error| io_error(path, error))?;
    names.retain(|name| !is_of_the_volume(name) && !known.iter().any(|known| name == known));
    names.sort_unstable();
    Ok(names.into_iter().next().map(PathBuf::from))
}

/// Makes a directory, and those above it, for its owner alone, whatever the umask says.
pub fn make_private_folder(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    set_permissions(path, Permissions::from_mode(0o700))
}

/// Whether two paths are on one file system; `false` where one is out of reach.
pub fn is_same_disk(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| path.metadata().ok().map(|found| found.dev());
    device(one).is_some_and(|one| device(other) == Some(one))
}

/// Bytes that the file system with `path` has left for this user.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(path).ok()?;
    Some(status.f_bavail.saturating_mul(status.f_frsize))
}

/// Makes the names in a directory survive a crash.
pub fn sync_directory(path: &Path) -> Result<(), FileError> {
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
        assert!(matches!(directory.lock(), Err(FileError::Missing { .. })));
        directory.create().unwrap();
        let held = directory.lock().unwrap();
        assert!(matches!(directory.lock(), Err(FileError::Locked(_))));
        drop(held);
        directory.lock().unwrap();
    }

    #[test]
    fn a_copy_of_the_file_does_not_hold_the_lock() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = DataDirectory::new(temporary.path());
        let held = directory.lock().unwrap();
        let copy = held.0.try_clone().unwrap();
        drop(held);
        directory.lock().unwrap();
        drop(copy);
    }
}
