//! What every use case stands on: the stores, the keys, the clock, the writer, and the tenants.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::figures::Figures;
use crate::journal::access_log::AccessLog;
use crate::journal::append::{KnownValues, LedgerState, NewLedgers, WriterThread};
use crate::journal::clock_guard::{ClockGuard, ClockJump};
use crate::journal::outside::OutsideReaders;
use crate::keys::keyring::Keyring;
use crate::locks::Locks;
use crate::tenant::ledger::Ledger;
use crate::tenant::metering::PriceTables;
use crate::tenant::{DEFAULT_TENANT, ReadScope, Tenant};
use trailkeep_files::directory::free_bytes;
use trailkeep_index::Index;
use trailkeep_policy::PolicySet;
use trailkeep_ports::Ledgers;
use trailkeep_proof::ids::TenantName;
use trailkeep_proof::time::{Clock, UnixMillis};

/// The disk of the data directory, and how much of it stays free.
pub struct Disk {
    path: PathBuf,
    reserve_bytes: u64,
}

impl Disk {
    pub(crate) fn new(path: PathBuf, reserve_bytes: u64) -> Self {
        Self {
            path,
            reserve_bytes,
        }
    }

    /// Whether less than the reserve is free: no event is taken then, and what the ledger itself records uses the reserve.
    pub fn is_below_reserve(&self) -> bool {
        self.free_bytes()
            .is_some_and(|free| free < self.reserve_bytes)
    }

    /// Bytes that are free; none where the system does not say.
    pub fn free_bytes(&self) -> Option<u64> {
        free_bytes(&self.path)
    }

    /// Bytes that stay free.
    pub const fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }
}

/// The journal of all ledgers of a data directory.
pub struct Journal {
    /// Entries and payloads.
    pub ledgers: Arc<Ledgers>,
    /// Look-ups.
    pub index: Arc<Index>,
    /// Keys, over the vault.
    pub keyring: Arc<Keyring>,
    /// Which values events may refer to.
    pub(crate) values: Arc<KnownValues>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The one writer.
    pub writer: WriterThread,
    /// Reads of the last seconds.
    pub access_log: AccessLog,
    /// The policies in force.
    pub policies: Arc<PolicySet>,
    /// Programs outside that a deletion waits for.
    pub outside: OutsideReaders,
    /// Counts since the start.
    pub figures: Arc<Figures>,
    /// Where the files are.
    pub disk: Arc<Disk>,
    /// Price tables in memory.
    pub(crate) tables: PriceTables,
    pub(crate) locks: Locks,
    pub(crate) tenants: RwLock<HashMap<TenantName, Tenant>>,
    pub(crate) new_ledgers: NewLedgers,
    pub(crate) clock_guard: Arc<Mutex<ClockGuard>>,
}

impl Journal {
    /// The tenant of this name.
    pub fn tenant(&self, name: &TenantName) -> Option<Tenant> {
        self.tenants.read().get(name).cloned()
    }

    /// All tenants.
    pub fn tenants(&self) -> Vec<Tenant> {
        self.tenants.read().values().cloned().collect()
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

    /// The operator's own tenant.
    pub(crate) fn operator(&self) -> Option<Tenant> {
        let name = TenantName::new(DEFAULT_TENANT).ok()?;
        self.tenant(&name)
    }

    /// The time, where the clock can be believed: what destroys by time asks here, as the writer does at each batch.
    pub(crate) fn believed_now(&self) -> Result<UnixMillis, ClockJump> {
        self.clock_guard().now(&*self.clock)
    }

    fn clock_guard(&self) -> MutexGuard<'_, ClockGuard> {
        self.clock_guard.lock()
    }

    /// Opens a ledger that was created just now: for the writer first, then for requests.
    pub(crate) fn add_ledger(&self, state: LedgerState) {
        let tenant = Tenant::first(Arc::clone(&state.ledger));
        self.new_ledgers.lock().push(state);
        let mut tenants = self.tenants.write();
        tenants.insert(tenant.name().clone(), tenant);
    }
}
