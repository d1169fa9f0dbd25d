//! One claim over all ledgers of a directory.

use std::path::PathBuf;

use parking_lot::Mutex;

use super::Shared;
use super::storage::Disk;
use crate::{Claim, Claims, ShardId, StoreError};

/// The claims of one process.
pub(super) struct MemoryClaims {
    pub(super) directory: PathBuf,
    pub(super) disk: Shared<Disk>,
    pub(super) held: Mutex<Option<u64>>,
}

impl MemoryClaims {
    fn release(&self, epoch: u64) {
        let mut held = self.held.lock();
        if *held == Some(epoch) {
            *held = None;
            self.disk.lock().held.remove(&self.directory);
        }
    }
}

impl Claims for MemoryClaims {
    fn shards(&self) -> Result<Vec<ShardId>, StoreError> {
        Ok(vec![ShardId::ALL])
    }

    fn take(&self, shard: ShardId) -> Result<Option<Claim>, StoreError> {
        let mut disk = self.disk.lock();
        if shard != ShardId::ALL || !disk.held.insert(self.directory.clone()) {
            return Ok(None);
        }
        disk.epochs += 1;
        *self.held.lock() = Some(disk.epochs);
        Ok(Some(Claim {
            shard,
            epoch: disk.epochs,
            version: 0,
        }))
    }

    fn give(&self, claim: Claim) -> Result<(), StoreError> {
        self.release(claim.epoch);
        Ok(())
    }
}

impl Drop for MemoryClaims {
    fn drop(&mut self) {
        let held = *self.held.lock();
        if let Some(epoch) = held {
            self.release(epoch);
        }
    }
}
