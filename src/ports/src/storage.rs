//! Making and opening the stores of a data directory.

use std::path::Path;
use std::sync::Arc;

use trailkeep_proof::ids::LedgerNumber;

use crate::{
    Claims, Ledgers, NewRuns, RowMac, RunStore, Staging, StoreError, Vault, VaultLook, Watermark,
};
use trailkeep_files::directory::DataDirectory;

/// An engine. The program chooses one; the domain names none.
pub trait Storage: Send + Sync {
    /// Makes the empty stores of a new data directory.
    fn create(&self, directory: &DataDirectory, directory_id: &str) -> Result<(), StoreError>;

    /// Makes the store of the ledgers alone: of a backup, and of what a restore fills.
    fn create_ledgers(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<(), StoreError>;

    /// What this process may take of a directory. Nothing in it is opened before.
    fn claims(&self, directory: &DataDirectory) -> Arc<dyn Claims>;

    /// Opens the ledgers.
    fn open_ledgers(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Ledgers, StoreError>;

    /// Opens the sorted runs of the index.
    fn open_runs(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Arc<dyn RunStore>, StoreError>;

    /// Begins sorted runs that are to take the place of those that are there, which stay in use.
    fn begin_runs(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Box<dyn NewRuns>, StoreError>;

    /// Opens the inbox, and makes it where there is none: it holds nothing that is not waiting.
    fn open_staging(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Staging, StoreError>;

    /// Opens the vault of this file.
    fn open_vault(&self, file: &Path, directory_id: &str) -> Result<Vault, StoreError>;

    /// Opens a copy of a vault to be read, without changing a byte of it.
    fn open_vault_copy(&self, file: &Path) -> Result<Vault, StoreError>;

    /// The id of the data directory that a vault says it belongs to.
    fn vault_directory_id(&self, file: &Path) -> Result<String, StoreError>;

    /// What the file of a vault says of itself: a copy, or one that nobody has open. Nothing is written.
    fn look_at_vault(&self, file: &Path) -> Result<VaultLook, StoreError>;

    /// Gives a copy that nobody has open the memory of other heads: those of the ledgers that it was copied with.
    fn mark_vault_copy(
        &self,
        file: &Path,
        mac: &dyn RowMac,
        marks: &[(LedgerNumber, Watermark)],
    ) -> Result<(), StoreError>;
}
