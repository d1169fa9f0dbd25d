//! Commands that change how a tenant is kept, each recorded by a statement of its ledger.

pub mod api_key;
pub mod bind;
pub(crate) mod create_ledger;
pub(crate) mod creation;
pub mod hold;
pub mod names;
pub mod policies;
pub mod prices;
pub mod prompts;
pub mod replica;
pub mod rotation;
pub mod settings;
pub mod tenants;
pub mod trigger;

use std::sync::Arc;

use crate::journal::Journal;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_ports::Storage;

/// The vault's files and their root key: what replicates the vault and rotates its keys.
pub struct Custody {
    /// The engine that the stores are in.
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) journal: Arc<Journal>,
    /// Where the files are.
    pub directory: DataDirectory,
    pub(crate) root_key: RootKeySource,
}
