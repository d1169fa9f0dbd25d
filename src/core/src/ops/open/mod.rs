//! Opening a data directory: every file is looked at before any is used, and a ledger that is not the
//! one that the vault last saw is refused.

mod claims;
mod error;
mod index;
mod keys;
mod ledger;
mod vault;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use self::claims::take_all;
pub use self::error::OpenError;
pub(crate) use self::keys::open_keys;
pub(crate) use self::keys::refuse_a_backup;
pub(crate) use self::vault::end_pending;
use crate::anchor::load_rolled_back;
use crate::anchor::settings::AnchorSettings;
use crate::cores::on_all_cores;
use crate::destroy::Deletions;
use crate::figures::Figures;
use crate::govern::{creation, policies};
use crate::ingest::StagingSettings;
use crate::journal::access_log::AccessLog;
use crate::journal::append::room::Room;
use crate::journal::append::{
    KnownValues, LedgerState, NewLedgers, Shards, Writer, WriterThread, append_system,
};
use crate::journal::clock_guard;
use crate::journal::compaction::MergeThread;
use crate::journal::outside::OutsideReaders;
use crate::journal::{Disk, Journal};
use crate::keys::keyring::{KeyError, Keyring};
use crate::locks::Locks;
use crate::ops::engine::{Engine, Parts};
use crate::ops::open::index::check_index;
use crate::ops::open::ledger::open_ledger;
use crate::ops::run::finish_open;
use crate::requests;
use crate::tenant::ledger::{Ledger, LedgerKeys};
use crate::tenant::metering::PriceTables;
use crate::tenant::{Succession, Tenant, superseded_at};
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_index::Index;
use trailkeep_policy::PolicySet;
use trailkeep_ports::{Claim, Claims, LedgerRecord, Ledgers, Staging as StagingFile, Storage};
use trailkeep_proof::ids::{LedgerNumber, TenantName};
use trailkeep_proof::system::{ClockSection, SystemEvent};
use trailkeep_proof::time::{Clock, UnixMillis};

/// Free space below which appends stop, unless set otherwise.
pub const MIN_FREE_BYTES_DEFAULT: u64 = 256 << 20;
/// Bytes that exports may have on disk together, unless set otherwise.
const EXPORT_BYTES_DEFAULT: u64 = 32 << 30;

/// How an engine is to run.
pub struct StartOptions {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Free space below which appends stop.
    pub min_free_bytes: u64,
    /// Bytes that exports may have on disk together.
    pub export_bytes_max: u64,
    /// Policies in the place of shipped ones or beside them; none: `policies/` in the data directory, if there.
    pub policy_directory: Option<PathBuf>,
    /// Somebody looked at the clock and says that it is right; this is recorded.
    pub confirm_clock: bool,
    /// How long telemetry waits, and what becomes an event.
    pub staging: StagingSettings,
    /// Where heads are given to.
    pub anchors: AnchorSettings,
}

impl StartOptions {
    /// The usual options with a clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            min_free_bytes: MIN_FREE_BYTES_DEFAULT,
            export_bytes_max: EXPORT_BYTES_DEFAULT,
            policy_directory: None,
            confirm_clock: false,
            staging: StagingSettings::default(),
            anchors: AnchorSettings::default(),
        }
    }
}

/// The files of a data directory, open, with their keys; the ledgers in them are not looked at yet.
pub struct Files {
    /// The engine that the stores are in.
    pub storage: Arc<dyn Storage>,
    /// Where they are.
    pub directory: DataDirectory,
    /// Entries and payloads.
    pub ledgers: Arc<Ledgers>,
    /// Look-ups.
    pub index: Arc<Index>,
    /// Keys, over the vault.
    pub keyring: Arc<Keyring>,
    /// Telemetry that is no event yet.
    pub staging: StagingFile,
    /// Kept while the files are open.
    pub claims: Arc<dyn Claims>,
    /// What was taken of them.
    pub taken: Vec<Claim>,
    /// Where the root key comes from: rotations ask again.
    pub root_key: RootKeySource,
}

fn by_number(ledgers: &[Arc<Ledger>]) -> HashMap<LedgerNumber, Arc<Ledger>> {
    let ledgers = ledgers.iter();
    ledgers
        .map(|ledger| (ledger.record.number, Arc::clone(ledger)))
        .collect()
}

impl Files {
    /// Takes the lock and opens the files.
    pub fn open(
        storage: Arc<dyn Storage>,
        directory: DataDirectory,
        root_key: &RootKeySource,
    ) -> Result<Self, OpenError> {
        let (claims, taken) = take_all(&*storage, &directory)?;
        directory.check_access()?;
        refuse_a_backup(&directory)?;
        let (keyring, id) = open_keys(&*storage, &directory, root_key)?;
        let ledgers = Arc::new(storage.open_ledgers(&directory, &id)?);
        let index = Arc::new(Index::open(storage.open_runs(&directory, &id)?, &ledgers)?);
        let staging = storage.open_staging(&directory, &id)?;
        Ok(Self {
            storage,
            directory,
            ledgers,
            index,
            keyring: Arc::new(keyring),
            staging,
            claims,
            taken,
            root_key: root_key.clone(),
        })
    }

    /// A ledger's keys; its system key becomes known to the keyring.
    pub fn load_keys(&self, record: &LedgerRecord) -> Result<LedgerKeys, KeyError> {
        let keys = LedgerKeys::load(&self.keyring, record)?;
        self.keyring.add_system_key(&keys.system);
        Ok(keys)
    }

    /// Checks the ledgers and starts the writer.
    pub fn start(self, options: StartOptions) -> Result<Engine, OpenError> {
        let StartOptions {
            clock,
            min_free_bytes,
            export_bytes_max,
            policy_directory,
            confirm_clock,
            staging: staging_settings,
            anchors,
        } = options;
        let (policies, opened) = (self.policies(policy_directory)?, self.open_ledgers()?);
        let Self {
            storage,
            directory,
            ledgers,
            index,
            keyring,
            staging,
            claims,
            taken,
            root_key,
        } = self;
        let (new_ledgers, figures) = (NewLedgers::default(), Arc::new(Figures::default()));
        let last_seen = opened.last_seen;
        let guard = clock_guard::start(&keyring, &*clock, last_seen, confirm_clock)?;
        let clock_guard = Arc::new(Mutex::new(guard));
        let disk = Arc::new(Disk::new(directory.path().to_owned(), min_free_bytes));
        let values: Arc<KnownValues> = Arc::default();
        let writer = Writer {
            ledgers: Arc::clone(&ledgers),
            index: Arc::clone(&index),
            keyring: Arc::clone(&keyring),
            values: Arc::clone(&values),
            clock: Arc::clone(&clock),
            shards: Shards::new(taken, opened.states, by_number(&opened.superseded)),
            new_ledgers: Arc::clone(&new_ledgers),
            room: Room::new(Arc::clone(&disk)),
            clock_guard: Arc::clone(&clock_guard),
            seen_at: last_seen,
            figures: Arc::clone(&figures),
            failure: watch::Sender::new(None),
        };
        let writer = WriterThread::start(writer).map_err(OpenError::Thread)?;
        let merger = MergeThread::start(Arc::clone(&index)).map_err(OpenError::Thread)?;
        if confirm_clock {
            record_confirmation(&writer, &opened.tenants, &clock, last_seen)?;
        }
        let journal = Journal {
            ledgers,
            index,
            keyring,
            values,
            clock,
            writer,
            access_log: AccessLog::default(),
            policies,
            outside: OutsideReaders::default(),
            figures,
            disk,
            tables: PriceTables::default(),
            locks: Locks::default(),
            tenants: RwLock::new(opened.tenants),
            new_ledgers,
            clock_guard,
        };
        let parts = Parts {
            journal: Arc::new(journal),
            storage,
            directory,
            root_key,
            inbox: (staging, staging_settings),
            anchors,
            export_bytes_max,
            merger,
            claims,
        };
        parts.assemble().and_then(settled)
    }

    /// The policies of a directory, or of `policies/` in the data directory, over those that are shipped.
    fn policies(&self, directory: Option<PathBuf>) -> Result<Arc<PolicySet>, OpenError> {
        let own = self.directory.path().join("policies");
        let directory = directory.or_else(|| own.is_dir().then_some(own));
        Ok(Arc::new(policies::load(directory.as_deref())?))
    }

    /// The ledgers by number, each read and checked by itself. Many are divided among the cores, because the right edge of a
    /// tree is hashed again from thousands of its leaves.
    fn opened(&self) -> Result<Vec<(LedgerRecord, LedgerState)>, OpenError> {
        let shares = on_all_cores(self.ledgers.ledgers()?, |records| {
            let open = |record: LedgerRecord| {
                let state = open_ledger(self, &record)?;
                check_index(self, &state)?;
                Ok((record, state))
            };
            records
                .into_iter()
                .map(open)
                .collect::<Result<Vec<_>, OpenError>>()
        })?;
        Ok(shares.into_iter().flatten().collect())
    }

    /// Opens every ledger: those that go on, and those that a recovery closed.
    fn open_ledgers(&self) -> Result<OpenLedgers, OpenError> {
        vault::check(self)?;
        creation::clean_up(&self.keyring, &self.ledgers)?;
        let mut last_seen = None;
        let mut states = HashMap::new();
        let mut generations: HashMap<TenantName, Vec<Arc<Ledger>>> = HashMap::new();
        let mut superseded = Vec::new();
        for (record, state) in self.opened()? {
            let end = superseded_at(&self.keyring, &record)?;
            vault::catch_up(self, &state, end.is_some())?;
            let of_tenant = generations.entry(record.tenant.clone()).or_default();
            of_tenant.push(Arc::clone(&state.ledger));
            if let Some(end) = end {
                end.check(&state.ledger.published().head)
                    .map_err(|what| OpenError::Damaged {
                        origin: record.origin.to_string(),
                        what: what.to_owned(),
                    })?;
                superseded.push(state.ledger);
                continue;
            }
            let watermark = self.keyring.vault().watermark(record.number)?;
            let seen = watermark
                .map(|mark| mark.seen_at)
                .into_iter()
                .chain([state.chain.last_recorded_at])
                .max();
            last_seen = last_seen.max(seen);
            let rolled_back = load_rolled_back(&self.keyring, &record)?;
            state.ledger.set_rolled_back(rolled_back.map(Arc::new));
            states.insert(record.number, state);
        }
        let tenants = generations.into_iter();
        let tenants: HashMap<TenantName, Tenant> = tenants
            .filter_map(|(name, ledgers)| Some((name, Tenant::of(ledgers)?)))
            .collect();
        for ledger in &superseded {
            let tenant = tenants.get(&ledger.record.tenant);
            let active = tenant.map(Tenant::active);
            let active = active.filter(|active| states.contains_key(&active.record.number));
            let active = active.ok_or_else(|| OpenError::Damaged {
                origin: ledger.record.origin.to_string(),
                what: "it is superseded, and it has no successor".to_owned(),
            })?;
            let succession = Succession::of(&self.keyring, &ledger.record)?;
            ledger.supersede(Arc::clone(active), succession);
        }
        Ok(OpenLedgers {
            states,
            tenants,
            superseded,
            last_seen,
        })
    }
}

/// The ledgers of a directory, checked.
struct OpenLedgers {
    states: HashMap<LedgerNumber, LedgerState>,
    tenants: HashMap<TenantName, Tenant>,
    superseded: Vec<Arc<Ledger>>,
    /// When the newest of them was last seen to grow.
    last_seen: Option<UnixMillis>,
}

/// What goes is shown to nobody since it was stated; that it is not all destroyed yet must not keep the rest from being
/// served.
fn finish_jobs(deletions: &Deletions) {
    for tenant in deletions.journal.tenants() {
        if let Err(error) = requests::record_carried(&deletions.journal, &tenant) {
            tracing::error!(%error, "a request from before a restore could not be recorded; it is retried");
        }
    }
    if let Err(error) = finish_open(deletions) {
        tracing::error!(%error, "a deletion job failed; it is retried");
    }
}

/// Every ledger says that its clock was confirmed, and what time it was before.
fn record_confirmation(
    writer: &WriterThread,
    tenants: &HashMap<TenantName, Tenant>,
    clock: &Arc<dyn Clock>,
    last_seen: Option<UnixMillis>,
) -> Result<(), OpenError> {
    let event = SystemEvent::ClockConfirm {
        clock: ClockSection {
            now: clock.wall().to_string(),
            last_seen: last_seen.map(|moment| moment.to_string()),
        },
    };
    for tenant in tenants.values() {
        let recorded = append_system(writer, tenant.active(), &event);
        recorded.map_err(|error| OpenError::ClockConfirmation(Box::new(error)))?;
    }
    Ok(())
}

/// States what changed while no engine ran, and goes on with what it left.
fn settled(engine: Engine) -> Result<Engine, OpenError> {
    policies::state_changes(&engine.journal)?;
    finish_jobs(&engine.deletions);
    Ok(engine)
}
