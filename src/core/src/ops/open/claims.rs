//! Taking what this process may write.

use std::sync::Arc;

use trailkeep_files::FileError;
use trailkeep_files::directory::DataDirectory;
use trailkeep_ports::{Claim, Claims, Storage, StoreError};

/// Takes all shards of a directory: this process is the only one that writes to it.
pub(super) fn take_all(
    storage: &dyn Storage,
    directory: &DataDirectory,
) -> Result<(Arc<dyn Claims>, Vec<Claim>), StoreError> {
    let claims = storage.claims(directory);
    let mut taken = Vec::new();
    for shard in claims.shards()? {
        let claim = claims.take(shard)?;
        taken.push(claim.ok_or_else(|| FileError::Locked(directory.path().to_owned()))?);
    }
    Ok((claims, taken))
}
