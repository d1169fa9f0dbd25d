//! The engine: makes and opens the files of a data directory.

use std::path::Path;
use std::sync::Arc;

use super::claims::SqliteClaims;
use super::ledgers::SqliteLedgers;
use super::new_runs::SqliteNewRuns;
use super::runs::SqliteRuns;
use super::staging::SqliteInbox;
use super::vault::SqliteVault;
use trailkeep_files::directory::DataDirectory;
use trailkeep_ports::{
    Claims, Ledgers, NewRuns, RowMac, RunStore, Staging, Storage, StoreError, Vault, VaultLook,
    Watermark,
};
use trailkeep_proof::ids::LedgerNumber;

/// SQLite, a file for each store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sqlite;

impl Storage for Sqlite {
    fn create(&self, directory: &DataDirectory, directory_id: &str) -> Result<(), StoreError> {
        self.create_ledgers(directory, directory_id)?;
        SqliteRuns::create(&directory.index_db(), directory_id)?;
        SqliteVault::create(&directory.vault_db(), directory_id)
    }

    fn create_ledgers(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<(), StoreError> {
        SqliteLedgers::create(&directory.ledger_db(), directory_id)
    }

    fn claims(&self, directory: &DataDirectory) -> Arc<dyn Claims> {
        Arc::new(SqliteClaims::of(directory))
    }

    fn open_ledgers(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Ledgers, StoreError> {
        let ledgers = SqliteLedgers::open(&directory.ledger_db(), directory_id)?;
        Ok(Ledgers::new(ledgers))
    }

    fn open_runs(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Arc<dyn RunStore>, StoreError> {
        let runs = SqliteRuns::open(&directory.index_db(), directory_id)?;
        Ok(Arc::new(runs))
    }

    fn begin_runs(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Box<dyn NewRuns>, StoreError> {
        let new = SqliteNewRuns::begin(&directory.index_db(), directory_id)?;
        Ok(Box::new(new))
    }

    fn open_staging(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Staging, StoreError> {
        let inbox = SqliteInbox::open(&directory.staging_db(), directory_id)?;
        Ok(Staging::new(inbox))
    }

    fn open_vault(&self, file: &Path, directory_id: &str) -> Result<Vault, StoreError> {
        Ok(Vault::new(SqliteVault::open(file, directory_id)?))
    }

    fn open_vault_copy(&self, file: &Path) -> Result<Vault, StoreError> {
        Ok(Vault::new(SqliteVault::open_copy(file)?))
    }

    fn vault_directory_id(&self, file: &Path) -> Result<String, StoreError> {
        SqliteVault::directory_id(file)
    }

    fn look_at_vault(&self, file: &Path) -> Result<VaultLook, StoreError> {
        SqliteVault::look(file)
    }

    fn mark_vault_copy(
        &self,
        file: &Path,
        mac: &dyn RowMac,
        marks: &[(LedgerNumber, Watermark)],
    ) -> Result<(), StoreError> {
        SqliteVault::mark_copy(file, mac, marks)
    }
}
