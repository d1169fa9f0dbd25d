//! OpenTelemetry data from its acknowledgement to the ledger.
//!
//! What arrives is durable and sealed when it is acknowledged (intake.rs), and waits until its trace is done, since
//! content, the user and a second report of the same call come in other requests. Then (assemble.rs) a round puts
//! its events together, and in one commit of staging.db the events take the place of their parts; from there on
//! they are appended as they are (flush.rs), as often as it takes: their ids make it once. Round.rs has the one round,
//! assemble.rs the rounds one after the other.

mod assemble;
mod check;
mod counters;
mod flush;
mod forms;
mod intake;
mod keys;
mod regimes;
mod resolve;
mod round;
mod superseded;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

pub use self::assemble::assemble_all;
pub use self::assemble::assemble_due;
pub(crate) use self::assemble::finish;
pub(crate) use self::assemble::go_on;
pub(crate) use self::check::check;
pub use self::counters::StagingCounters;
pub use self::intake::Received;
pub use self::intake::receive;
use crate::ingest::assemble::Progress;
use crate::ingest::keys::StagingKeys;
use crate::journal::Journal;
use crate::journal::append::AppendError;
use crate::journal::read::ReadError;
use crate::keys::keyring::KeyError;
use trailkeep_otlp::classify::Keep;
use trailkeep_ports::{Staging as StagingFile, StoreError};

/// Rows that wait, at most, before requests are turned away.
const ROWS_MAX: i64 = 2_000_000;
/// How often keys of past days are looked for under which nothing waits.
const KEYS_LOOKED_AT_EVERY_MS: u64 = 60_000;

/// How often rejected telemetry is logged at most.
const WARNED_EVERY_MS: u64 = 60_000;
/// In the place of a time that has not come.
const NEVER: u64 = u64::MAX;

/// How long telemetry waits, and what becomes an event.
#[derive(Clone, Copy, Debug)]
pub struct StagingSettings {
    /// Milliseconds after a trace's local root has come.
    pub quiet_ms: u64,
    /// Milliseconds after the first part of a trace has come, at the latest.
    pub wait_max_ms: u64,
    /// Which spans become events.
    pub keep: Keep,
}

impl Default for StagingSettings {
    fn default() -> Self {
        Self {
            quiet_ms: 5_000,
            wait_max_ms: 600_000,
            keep: Keep::Calls,
        }
    }
}

fn count(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

/// Staged telemetry of one data directory that is not an event yet.
pub struct Inbox {
    pub(crate) journal: Arc<Journal>,
    file: StagingFile,
    settings: StagingSettings,
    counters: StagingCounters,
    keys: StagingKeys,
    /// When rejected telemetry was logged last, by the clock since boot.
    warned_at: AtomicU64,
    /// Locked during an assembly.
    assembling: Mutex<Progress>,
    /// Rows that wait, parts and events.
    waiting: AtomicI64,
}

/// Why telemetry was not taken, or not assembled. What was acknowledged still waits.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// The tenant takes no more events.
    #[error("the tenant is closed and accepts no more events; nothing was written")]
    TenantClosed,
    /// The disk is full.
    #[error("the disk is full or below its reserve; nothing was written: retry later")]
    Full,
    /// Too many parts, or too large with the resource that they share.
    #[error(
        "the request has more than 50,000 spans or log records, or more than 256 MiB with the resource of each: send smaller batches; nothing was written"
    )]
    TooLarge,
    /// Too much waits.
    #[error("the telemetry inbox is full; nothing was written: retry later")]
    Busy,
    /// The file failed.
    #[error(transparent)]
    Store(StoreError),
    /// A key could not be found or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A recorded event could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Events could not be appended.
    #[error("assembled events could not be appended yet: {0}")]
    Append(Box<AppendError>),
}

impl From<StoreError> for StagingError {
    fn from(error: StoreError) -> Self {
        if error.is_full() {
            Self::Full
        } else {
            Self::Store(error)
        }
    }
}

impl From<AppendError> for StagingError {
    fn from(error: AppendError) -> Self {
        Self::Append(Box::new(error))
    }
}

impl Inbox {
    pub(crate) fn new(
        journal: Arc<Journal>,
        file: StagingFile,
        settings: StagingSettings,
    ) -> Result<Self, StoreError> {
        let waiting = i64::try_from(file.waiting()?).unwrap_or(i64::MAX);
        Ok(Self {
            journal,
            waiting: AtomicI64::new(waiting),
            file,
            settings,
            counters: StagingCounters::default(),
            keys: StagingKeys::default(),
            warned_at: AtomicU64::new(NEVER),
            assembling: Mutex::default(),
        })
    }

    /// The file.
    pub(crate) const fn file(&self) -> &StagingFile {
        &self.file
    }

    /// What came in and what became of it.
    pub fn counters(&self) -> &StagingCounters {
        &self.counters
    }

    /// Whether it is long enough ago that rejected telemetry was logged: then it may be now.
    fn may_warn(&self, since_boot_ms: u64) -> bool {
        let last = self.warned_at.load(Ordering::Relaxed);
        let is_over = last == NEVER || since_boot_ms.saturating_sub(last) >= WARNED_EVERY_MS;
        let taken = || {
            self.warned_at.compare_exchange(
                last,
                since_boot_ms,
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
        };
        is_over && taken().is_ok()
    }

    /// Rows that wait.
    pub fn waiting(&self) -> u64 {
        u64::try_from(self.waiting.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Notes how many rows came to wait and how many wait no more.
    fn changed(&self, more: usize, fewer: usize) {
        let rows = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.waiting
            .fetch_add(rows(more) - rows(fewer), Ordering::Relaxed);
    }

    /// How often it is worth looking for what is due.
    pub fn look_every(&self) -> Duration {
        Duration::from_millis((self.settings.quiet_ms / 8).clamp(20, 250))
    }

    pub(crate) fn close(&self) -> Result<(), StoreError> {
        self.file.purge().map(drop)
    }

    /// One assembles at a time.
    fn assembling(&self) -> MutexGuard<'_, Progress> {
        self.assembling.lock()
    }
}
