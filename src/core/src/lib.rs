//! What Trailkeep does, one verb a file: append, read, query, export, verify, init, open.
//!
//! The services decide and act; below them are the store and the keys, above them HTTP and the
//! command line.
#![forbid(unsafe_code)]

pub mod access;
pub mod access_log;
pub mod anchor;
pub mod api_key;
pub mod append;
pub mod backup;
pub mod bind;
pub mod classes;
pub mod clock;
mod clock_guard;
mod creation;
pub mod deletion;
mod derive_rows;
pub mod explain;
pub mod export;
pub mod exports;
pub mod failpoint;
pub mod figures;
mod folded;
mod found;
pub mod hold;
pub mod init;
pub mod keyring;
pub mod ledger;
mod merging;
pub mod open;
pub mod outside;
pub mod policies;
pub mod privacy;
pub mod query;
pub mod read;
pub mod readiness;
pub mod rebuild_index;
mod records;
pub mod restore;
pub mod retention;
pub mod rotation;
mod rows;
pub mod settings;
pub mod sources;
pub mod staging;
pub mod tenant;
pub mod tenants;
pub mod tombstone;
pub mod trigger;
mod unneeded;
pub mod vault_copy;
pub mod vault_keeper;
pub mod verify;

use parking_lot::{Mutex, MutexGuard, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::append::{LedgerState, NewLedgers, WriterThread};
use self::clock_guard::{ClockGuard, ClockJump};
use self::keyring::Keyring;
use self::ledger::Ledger;
use self::tenant::{ReadScope, Tenant};
use trailkeep_crypto::root::RootKeySource;
use trailkeep_crypto::spool::SpoolRoom;
use trailkeep_index::Index;
use trailkeep_policy::PolicySet;
use trailkeep_ports::directory::{DataDirectory, DirectoryLock};
use trailkeep_ports::{Ledgers, Storage};
use trailkeep_proof::ids::TenantName;
use trailkeep_proof::time::{Clock, UnixMillis};

/// A data directory, open for reading and writing. One process has it at a time.
pub struct Engine {
    /// The engine that the stores are in.
    pub storage: Arc<dyn Storage>,
    /// Where it is.
    pub directory: DataDirectory,
    /// Entries and payloads.
    pub ledgers: Arc<Ledgers>,
    /// Look-ups.
    pub index: Arc<Index>,
    /// Keys, over the vault.
    pub keyring: Arc<Keyring>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The one writer.
    pub writer: WriterThread,
    /// Reads of the last seconds.
    pub access_log: access_log::AccessLog,
    /// Exports under way and ready.
    pub exports: exports::Exports,
    /// The room of bundles that are made or wait.
    pub spools: Arc<SpoolRoom>,
    /// Data subject requests.
    pub privacy: privacy::RequestRegistry,
    /// What is known of producers.
    pub sources: sources::Sources,
    /// Where heads are given to.
    pub anchors: anchor::Anchors,
    /// Telemetry that is no event yet.
    pub staging: staging::Staging,
    /// The policies in force.
    pub policies: Arc<PolicySet>,
    /// Programs outside that a deletion waits for.
    pub outside: outside::OutsideReaders,
    /// Counts since the start.
    pub figures: Arc<figures::Figures>,
    /// Free space below which nothing but destruction uses the disk.
    pub min_free_bytes: u64,
    tenants: RwLock<HashMap<TenantName, Tenant>>,
    new_ledgers: NewLedgers,
    creation: Mutex<()>,
    retention: Mutex<()>,
    destruction: Mutex<()>,
    daily_run_at_ms: AtomicU64,
    overdue: retention::OverdueCache,
    clock_guard: Arc<Mutex<ClockGuard>>,
    root_key: RootKeySource,
    keeping: Mutex<()>,
    merger: merging::MergeThread,
    _lock: DirectoryLock,
}

/// The tenant that `init` makes: the operator's own. Its administrators make the others.
pub const DEFAULT_TENANT: &str = "default";

impl Engine {
    /// The tenant of this name.
    pub fn tenant(&self, name: &TenantName) -> Option<Tenant> {
        let tenants = self.tenants.read();
        tenants.get(name).cloned()
    }

    /// All tenants.
    pub fn tenants(&self) -> Vec<Tenant> {
        let tenants = self.tenants.read();
        tenants.values().cloned().collect()
    }

    /// The ledgers of all tenants, of every generation.
    pub(crate) fn all_ledgers(&self) -> Vec<Arc<Ledger>> {
        let tenants = self.tenants();
        tenants.iter().flat_map(Tenant::all).cloned().collect()
    }

    /// The ledger of any tenant with this name, to be read.
    pub fn read_scope_named(&self, name: &str) -> Option<ReadScope> {
        let tenants = self.tenants();
        let mut scopes = tenants
            .iter()
            .filter_map(|tenant| tenant.read_scope(Some(name)).ok());
        scopes.next()
    }

    /// Held while a ledger is begun.
    fn creation(&self) -> MutexGuard<'_, ()> {
        self.creation.lock()
    }

    /// Held while it is decided what is destroyed, and while a hold is placed or lifted: neither comes between.
    fn retention(&self) -> MutexGuard<'_, ()> {
        self.retention.lock()
    }

    /// Held while something is destroyed, from its statement to its end, and while a backup is made.
    fn destruction(&self) -> MutexGuard<'_, ()> {
        self.destruction.lock()
    }

    /// The same, unless something is being destroyed.
    fn try_destruction(&self) -> Option<MutexGuard<'_, ()>> {
        self.destruction.try_lock()
    }

    /// The operator's own tenant.
    fn operator(&self) -> Option<Tenant> {
        let name = TenantName::new(DEFAULT_TENANT).ok()?;
        self.tenant(&name)
    }

    /// The time, where the clock can be believed: what destroys by time asks here, as the writer does at each batch.
    fn believed_now(&self) -> Result<UnixMillis, ClockJump> {
        self.clock_guard().now(&*self.clock)
    }

    /// Watches the clock.
    fn clock_guard(&self) -> MutexGuard<'_, ClockGuard> {
        self.clock_guard.lock()
    }

    /// When this process last looked whether the daily run is due, and it was not, or was made.
    fn daily_run_at_ms(&self) -> u64 {
        self.daily_run_at_ms.load(Ordering::Relaxed)
    }

    fn set_daily_run_at_ms(&self, at_ms: u64) {
        self.daily_run_at_ms.store(at_ms, Ordering::Relaxed);
    }

    /// Held while the vault is copied, or the epoch keys change. Taken after [`Self::destruction`] where both are.
    fn keeping(&self) -> MutexGuard<'_, ()> {
        self.keeping.lock()
    }

    /// Opens a ledger that was begun just now: for the writer first, then for requests.
    fn add_ledger(&self, state: LedgerState) {
        let tenant = Tenant::first(Arc::clone(&state.ledger));
        let mut new_ledgers = self.new_ledgers.lock();
        new_ledgers.push(state);
        drop(new_ledgers);
        let mut tenants = self.tenants.write();
        tenants.insert(tenant.name().clone(), tenant);
    }

    /// Writes what waits, keeps the watermark, and closes the files.
    pub fn close(&self) -> Result<(), append::StoppedBadly> {
        self.exports.cancel_all();
        if let Err(error) = access_log::flush_repeats(self, true) {
            tracing::warn!(%error, "repeated reads could not be recorded");
        }
        self.merger.stop();
        self.writer.stop()?;
        self.staging.close()?;
        self.index.close()?;
        self.ledgers.close()?;
        self.keyring.vault().close()?;
        Ok(())
    }
}

/// Runs work that computes or reads files off the event loop.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // What is logged there belongs to the same request.
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(value) => value,
        // A panic goes on where it would have gone; blocking tasks are never cancelled.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
