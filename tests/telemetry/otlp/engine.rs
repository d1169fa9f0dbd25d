//! The engine inside of the test, with a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use trailkeep_core::Engine;
use trailkeep_core::clock::SystemClock;
use trailkeep_core::ingest::{Received, StagingSettings, assemble_all, assemble_due, receive};
use trailkeep_core::ops::open::{Files, StartOptions};
use trailkeep_core::query::{Query, query};
use trailkeep_core::tenant::Tenant;
use trailkeep_core::tenant::ledger::Ledger;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_otlp::decode::{Encoding, Signal, decode};
use trailkeep_proof::ids::TenantName;
use trailkeep_proof::time::{Clock, UnixMillis};
use trailkeep_store_sqlite::Sqlite;

use crate::support::{Directory, succeeded};

/// A clock that stands until it is moved.
pub struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis::new(self.0.load(Ordering::SeqCst))
    }

    fn since_boot_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// An engine over a data directory of its own.
pub struct Running {
    pub directory: Directory,
    pub engine: Engine,
    pub clock: Arc<TestClock>,
    pub tenant: Tenant,
    pub ledger: Arc<Ledger>,
}

impl Running {
    pub fn new() -> Self {
        Self::with(StagingSettings::default())
    }

    pub fn with(settings: StagingSettings) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(SystemClock.wall().get())));
        Self::over(Directory::new(), clock, settings)
    }

    /// Of a tenant that refuses events which lack a field.
    pub fn strict() -> Self {
        let directory = Directory::new();
        succeeded(&directory.run(&["tenant", "set", "default", "--strict", "on"]));
        let clock = Arc::new(TestClock(AtomicU64::new(SystemClock.wall().get())));
        Self::over(directory, clock, StagingSettings::default())
    }

    /// Of a directory that there is.
    pub fn over(directory: Directory, clock: Arc<TestClock>, settings: StagingSettings) -> Self {
        let root = RootKeySource::File(directory.path.join("root.key"));
        let files =
            Files::open(Arc::new(Sqlite), DataDirectory::new(&directory.path), &root).unwrap();
        let as_clock: Arc<dyn Clock> = clock.clone();
        let options = StartOptions {
            staging: settings,
            ..StartOptions::new(as_clock)
        };
        let engine = files.start(options).unwrap();
        let tenant = engine
            .journal
            .tenant(&TenantName::new("default").unwrap())
            .unwrap();
        let ledger = Arc::clone(tenant.active());
        Self {
            directory,
            engine,
            clock,
            tenant,
            ledger,
        }
    }

    /// The same directory, opened again.
    pub fn again(self) -> Self {
        self.engine.close().unwrap();
        let Self {
            directory,
            engine,
            clock,
            tenant,
            ledger,
        } = self;
        drop((engine, tenant, ledger));
        Self::over(directory, clock, StagingSettings::default())
    }

    pub fn pass(&self, milliseconds: u64) {
        self.clock.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    pub fn traces(&self, body: &Value) -> Received {
        self.receive(Signal::Traces, Encoding::Json, body.to_string().as_bytes())
    }

    pub fn logs(&self, body: &Value) -> Received {
        self.receive(Signal::Logs, Encoding::Json, body.to_string().as_bytes())
    }

    pub fn receive(&self, signal: Signal, encoding: Encoding, body: &[u8]) -> Received {
        receive(
            &self.engine.inbox,
            &self.tenant,
            decode(signal, encoding, body).unwrap(),
        )
        .unwrap()
    }

    pub fn assemble(&self) {
        while assemble_due(&self.engine.inbox).unwrap() {}
    }

    pub fn assemble_all(&self) {
        assemble_all(&self.engine.inbox, &self.tenant).unwrap();
    }

    /// All events, oldest first.
    pub fn events(&self) -> Vec<Value> {
        let all = Query {
            limit: 1_000,
            ..Query::default()
        };
        let page = query(
            &self.engine.journal,
            &self.ledger,
            &self.ledger.published(),
            &all,
        )
        .unwrap();
        let events = page
            .events
            .iter()
            .map(|event| serde_json::from_str(&event.to_json()).unwrap());
        events.collect()
    }

    pub fn counter(&self, name: &str) -> u64 {
        let all = self.engine.inbox.counters().all();
        all.iter().find(|(known, _)| *known == name).unwrap().1
    }
}
