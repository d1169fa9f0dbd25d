//! The engine: stores by the names of their files.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use trailkeep_files::FileError;
use trailkeep_proof::ids::LedgerNumber;

use super::claims::MemoryClaims;
use super::inbox::MemoryInbox;
use super::ledgers::MemoryLedgers;
use super::runs::{MemoryNewRuns, MemoryRuns};
use super::vault::MemoryVault;
use super::{Shared, inbox, ledgers, refused, runs, vault};
use crate::{
    Claims, Ledgers, NewRuns, RowMac, RunStore, Staging, Storage, StoreError, Vault, VaultLook,
    Watermark,
};
use trailkeep_files::directory::DataDirectory;

/// What is stored, by path; and which directories are claimed.
#[derive(Default)]
pub(super) struct Disk {
    ledgers: HashMap<PathBuf, (String, Shared<ledgers::Tables>)>,
    runs: HashMap<PathBuf, (String, Shared<runs::Tables>)>,
    inboxes: HashMap<PathBuf, (String, Shared<inbox::Tables>)>,
    vaults: HashMap<PathBuf, Shared<vault::Tables>>,
    pub(super) held: HashSet<PathBuf>,
    pub(super) epochs: u64,
}

const HINT: &str = "it was never made";

/// The tables of a file.
fn found<T>(
    files: &HashMap<PathBuf, (String, Shared<T>)>,
    path: PathBuf,
    directory_id: &str,
) -> Result<Shared<T>, StoreError> {
    match files.get(&path) {
        Some((id, tables)) if id == directory_id => Ok(Arc::clone(tables)),
        Some(_) => Err(StoreError::OtherDirectory { path, hint: HINT }),
        None => Err(FileError::Missing { path, hint: HINT }.into()),
    }
}

/// Makes a file that is not there.
fn made<T: Default>(
    files: &mut HashMap<PathBuf, (String, Shared<T>)>,
    path: PathBuf,
    directory_id: &str,
) -> Result<(), StoreError> {
    if files.contains_key(&path) {
        return Err(refused("the file is there"));
    }
    files.insert(path, (directory_id.to_owned(), Arc::default()));
    Ok(())
}

impl Disk {
    pub(super) fn ledgers(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Shared<ledgers::Tables>, StoreError> {
        found(&self.ledgers, directory.ledger_db(), directory_id)
    }

    pub(super) fn put_vault(&mut self, path: &Path, tables: vault::Tables) {
        let tables = Arc::new(Mutex::new(tables));
        self.vaults.insert(path.to_owned(), tables);
    }

    fn vault(&self, path: &Path) -> Result<Shared<vault::Tables>, StoreError> {
        let found = self.vaults.get(path).map(Arc::clone);
        let missing = || FileError::Missing {
            path: path.to_owned(),
            hint: HINT,
        };
        Ok(found.ok_or_else(missing)?)
    }
}

/// All ports in memory.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    disk: Shared<Disk>,
}

impl MemoryStorage {
    fn vault(&self, file: &Path) -> Result<MemoryVault, StoreError> {
        let tables = self.disk.lock().vault(file)?;
        Ok(MemoryVault::over(tables, Arc::clone(&self.disk)))
    }
}

impl Storage for MemoryStorage {
    fn create(&self, directory: &DataDirectory, directory_id: &str) -> Result<(), StoreError> {
        self.create_ledgers(directory, directory_id)?;
        let mut disk = self.disk.lock();
        made(&mut disk.runs, directory.index_db(), directory_id)?;
        disk.put_vault(&directory.vault_db(), vault::Tables::of(directory_id));
        Ok(())
    }

    fn create_ledgers(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<(), StoreError> {
        let mut disk = self.disk.lock();
        made(&mut disk.ledgers, directory.ledger_db(), directory_id)
    }

    fn claims(&self, directory: &DataDirectory) -> Arc<dyn Claims> {
        Arc::new(MemoryClaims {
            directory: directory.path().to_owned(),
            disk: Arc::clone(&self.disk),
            held: Mutex::default(),
        })
    }

    fn open_ledgers(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Ledgers, StoreError> {
        let tables = self.disk.lock().ledgers(directory, directory_id)?;
        Ok(Ledgers::new(MemoryLedgers {
            tables,
            disk: Arc::clone(&self.disk),
        }))
    }

    fn open_runs(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Arc<dyn RunStore>, StoreError> {
        let disk = self.disk.lock();
        let tables = found(&disk.runs, directory.index_db(), directory_id)?;
        Ok(Arc::new(MemoryRuns(tables)))
    }

    fn begin_runs(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Box<dyn NewRuns>, StoreError> {
        let mut disk = self.disk.lock();
        let path = directory.index_db();
        if !disk.runs.contains_key(&path) {
            made(&mut disk.runs, path.clone(), directory_id)?;
        }
        let place = found(&disk.runs, path, directory_id)?;
        Ok(Box::new(MemoryNewRuns::begin(place)))
    }

    fn open_staging(
        &self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Staging, StoreError> {
        let mut disk = self.disk.lock();
        let path = directory.staging_db();
        if !disk.inboxes.contains_key(&path) {
            made(&mut disk.inboxes, path.clone(), directory_id)?;
        }
        let tables = found(&disk.inboxes, path, directory_id)?;
        Ok(Staging::new(MemoryInbox(tables)))
    }

    fn open_vault(&self, file: &Path, directory_id: &str) -> Result<Vault, StoreError> {
        if self.vault_directory_id(file)? != directory_id {
            let path = file.to_owned();
            return Err(StoreError::OtherDirectory { path, hint: HINT });
        }
        Ok(Vault::new(self.vault(file)?))
    }

    fn open_vault_copy(&self, file: &Path) -> Result<Vault, StoreError> {
        Ok(Vault::new(self.vault(file)?))
    }

    fn vault_directory_id(&self, file: &Path) -> Result<String, StoreError> {
        let tables = self.disk.lock().vault(file)?;
        let id = tables.lock().directory_id.clone();
        Ok(id)
    }

    fn look_at_vault(&self, file: &Path) -> Result<VaultLook, StoreError> {
        let tables = self.disk.lock().vault(file)?;
        let look = tables.lock().look();
        Ok(look)
    }

    fn mark_vault_copy(
        &self,
        file: &Path,
        _mac: &dyn RowMac,
        marks: &[(LedgerNumber, Watermark)],
    ) -> Result<(), StoreError> {
        let tables = self.disk.lock().vault(file)?;
        let mut tables = tables.lock();
        for (ledger, mark) in marks {
            tables.watermarks.insert(*ledger, mark.clone());
        }
        Ok(())
    }
}
