//! Making a data directory: its files, its first tenant's ledger, its first API key.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::govern::api_key::FirstKey;
use crate::govern::create_ledger::{CreateLedgerError, found};
use crate::keys::keyring::KeyError;
use crate::ops::open::{OpenError, open_keys};
use crate::tenant::DEFAULT_TENANT;
use trailkeep_crypto::epoch::{self, DirectoryId, Epoch, EpochNumber};
use trailkeep_crypto::root::{self, RootKeySource};
use trailkeep_crypto::secret::{EpochKey, RandomError, RootKey, random_bytes};
use trailkeep_files::FileError;
use trailkeep_files::directory::DataDirectory;
use trailkeep_files::private::write_private_file;
use trailkeep_ports::{LedgerRecord, Storage, StoreError};
use trailkeep_proof::ids::{LedgerNumber, LogName, NameError, Origin, TenantName};
use trailkeep_proof::ledger::note::{VerifierKey, public_key_pem};
use trailkeep_proof::time::Clock;

/// Where the files are made before they are moved to their places, `epoch.key` last.
const UNFINISHED: &str = "init.unfinished";

/// What was made.
pub struct Initialised {
    /// The first ledger's origin.
    pub origin: Origin,
    /// The first API token; it is in no file.
    pub token: Zeroizing<String>,
    /// The ledger's public key.
    pub public_key_pem: String,
    /// The same as a C2SP verifier key.
    pub verifier: VerifierKey,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is a ledger already.
    #[error(
        "{0} already has a ledger; nothing was changed: use it (`trailkeep key create` creates a token), or choose another directory"
    )]
    Exists(String),
    /// The name is no log name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The directory can't be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file can't be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret can't be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The ledger can't be begun.
    #[error(transparent)]
    Found(#[from] CreateLedgerError),
    /// A file can't be moved to its place.
    #[error("can't finish {path}: {error}", path = .0.display(), error = .1)]
    Move(std::path::PathBuf, std::io::Error),
}

impl From<FileError> for InitError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

/// Makes a data directory. One that holds a ledger is refused and left as it is.
pub fn init(
    storage: &dyn Storage,
    directory: &DataDirectory,
    log: &LogName,
    root_key: &RootKeySource,
    clock: &Arc<dyn Clock>,
) -> Result<Initialised, InitError> {
    directory.create()?;
    directory.check_access()?;
    let _lock = directory.lock()?;
    let unfinished = DataDirectory::new(directory.path().join(UNFINISHED));
    clean_up_after_a_crash(directory, unfinished.path())?;
    if directory.is_initialised() {
        return Err(InitError::Exists(directory.path().display().to_string()));
    }
    unfinished.create()?;
    let made = make_files(storage, (directory, &unfinished), log, root_key, clock);
    if made.is_err() {
        let _ = fs::remove_dir_all(unfinished.path());
    }
    let made = made?;
    directory.take_files_of(&unfinished)?;
    directory.create()?;
    Ok(made)
}

/// An init that was killed leaves its folder, and no epoch.key: nothing was ever acknowledged in it.
fn clean_up_after_a_crash(directory: &DataDirectory, unfinished: &Path) -> Result<(), InitError> {
    if !unfinished.exists() {
        return Ok(());
    }
    if !directory.epoch_key().exists() {
        for path in [
            directory.ledger_db(),
            directory.index_db(),
            directory.vault_db(),
        ] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(InitError::Move(path, error));
                }
                _ => {}
            }
        }
    }
    fs::remove_dir_all(unfinished).map_err(|error| InitError::Move(unfinished.to_owned(), error))
}

fn make_files(
    storage: &dyn Storage,
    (directory, unfinished): (&DataDirectory, &DataDirectory),
    log: &LogName,
    root_key: &RootKeySource,
    clock: &Arc<dyn Clock>,
) -> Result<Initialised, InitError> {
    let root = make_root_key(directory, root_key)?;
    let directory_id = DirectoryId::new(random_bytes()?);
    let id = directory_id.to_string();
    let first_epoch = Epoch {
        number: EpochNumber(1),
        key: EpochKey::random()?,
    };
    let epochs = epoch::encode(&root, directory_id, &[first_epoch])?;
    write_private_file(&unfinished.epoch_key(), epochs.as_bytes())?;
    storage.create(unfinished, &id)?;

    let (keyring, _) = open_keys(storage, unfinished, root_key)?;
    keyring.begin_sums()?;
    let ledgers = storage.open_ledgers(unfinished, &id)?;
    let tenant = TenantName::new(DEFAULT_TENANT)?;
    let record = LedgerRecord {
        number: LedgerNumber::new(1),
        origin: Origin::of(log, &tenant),
        tenant,
    };
    let first_key = FirstKey::new("init")?;
    let founded = found(
        &keyring,
        &ledgers,
        record.clone(),
        Some(&first_key),
        clock,
        None,
    )?;
    let token = first_key.token();
    ledgers.close()?;
    keyring.vault().close()?;
    let verifier = founded.ledger.verifier.clone();
    Ok(Initialised {
        token,
        public_key_pem: public_key_pem(verifier.public()),
        verifier,
        origin: record.origin,
    })
}

/// The root key: a new file beside the ledger for a first run, or what the operator's source gives.
fn make_root_key(directory: &DataDirectory, source: &RootKeySource) -> Result<RootKey, InitError> {
    if let RootKeySource::File(path) = source
        && *path == directory.root_key()
        && !path.exists()
    {
        let key = RootKey::random()?;
        write_private_file(path, root::to_text(&key).as_bytes())?;
        return Ok(key);
    }
    Ok(source.load().map_err(OpenError::from)?)
}
