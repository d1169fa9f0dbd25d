//! One claim over all ledgers: the directory's lock.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use trailkeep_files::FileError;
use trailkeep_files::directory::{DataDirectory, DirectoryLock};
use trailkeep_ports::{Claim, Claims, ShardId, StoreError};

/// The claims of one data directory.
pub(super) struct SqliteClaims {
    directory: DataDirectory,
    /// With the epoch under which it is held.
    held: Mutex<Option<(u64, DirectoryLock)>>,
    epochs: AtomicU64,
}

impl SqliteClaims {
    pub(super) fn of(directory: &DataDirectory) -> Self {
        Self {
            directory: directory.clone(),
            held: Mutex::default(),
            epochs: AtomicU64::new(0),
        }
    }
}

impl Claims for SqliteClaims {
    fn shards(&self) -> Result<Vec<ShardId>, StoreError> {
        Ok(vec![ShardId::ALL])
    }

    fn take(&self, shard: ShardId) -> Result<Option<Claim>, StoreError> {
        let mut held = self.held.lock();
        if shard != ShardId::ALL || held.is_some() {
            return Ok(None);
        }
        let lock = match self.directory.lock() {
            Ok(lock) => lock,
            Err(FileError::Locked(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let epoch = self.epochs.fetch_add(1, Ordering::Relaxed) + 1;
        *held = Some((epoch, lock));
        Ok(Some(Claim {
            shard,
            epoch,
            version: 0,
        }))
    }

    fn give(&self, claim: Claim) -> Result<(), StoreError> {
        let mut held = self.held.lock();
        if held
            .as_ref()
            .is_some_and(|(epoch, _)| *epoch == claim.epoch)
        {
            *held = None;
        }
        Ok(())
    }
}
