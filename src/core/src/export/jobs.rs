//! Exports as jobs: started, looked at, fetched, dropped.
//!
//! A finished bundle waits encrypted under a key that only this process has (crypto/src/spool.rs), for an hour.
//! A restart forgets it: the export is asked for again, and recorded again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::anchor::Anchors;
use crate::export::{ExportError, ExportRequest, ExportSummary, Exported, Plan, plan, write};
use crate::journal::Journal;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_crypto::spool::Spool;
use trailkeep_crypto::spool::SpoolRoom;
use trailkeep_proof::ids::{LedgerNumber, hex};

/// Bundles that are made at the same time.
const RUNNING_MAX: usize = 2;
/// Bundles that wait to be fetched, over all tenants.
const KEPT_MAX: usize = 16;
/// How long a bundle waits to be fetched.
const KEPT_MS: u64 = 3_600_000;
/// How often a bundle is written again because texts went meanwhile.
const WRITTEN_AGAIN_MAX: usize = 3;

/// The exports of a running server.
pub struct Exports {
    pub(crate) journal: Arc<Journal>,
    pub(crate) anchors: Arc<Anchors>,
    /// The room of bundles that are made or wait.
    pub spools: Arc<SpoolRoom>,
    jobs: Mutex<HashMap<String, Arc<Job>>>,
}

/// One export.
pub struct Job {
    ledger: LedgerNumber,
    total: u64,
    done: AtomicU64,
    cancelled: AtomicBool,
    /// Texts went while it was written: it is written again.
    again: AtomicBool,
    state: Mutex<State>,
}

enum State {
    Running,
    Done {
        exported: Exported,
        at_boot_ms: u64,
    },
    Failed {
        error: String,
        at_boot_ms: u64,
    },
    /// The file was dropped, since payloads that may be in it were deleted.
    Dropped {
        at_boot_ms: u64,
    },
}

/// What is said of a file that was dropped.
pub const DROPPED: &str = "payloads that the file contains were deleted since it was written (expired or erased), so the file \
                           is no longer available: export again";

/// What is to be said of an export.
pub enum Status {
    /// So many entries of so many are written.
    Running {
        /// Written.
        done: u64,
        /// In all.
        total: u64,
    },
    /// The file is there.
    Done(Box<ExportSummary>),
    /// It ended without a file.
    Failed(String),
    /// Its file was there, and was dropped.
    Dropped,
}

/// Why an export was not begun.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Too many at once.
    #[error(
        "{RUNNING_MAX} exports are running, or {KEPT_MAX} wait for download: fetch or delete them, or retry later"
    )]
    Busy,
    /// The question can't be answered, or answering failed.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// No random number for its id.
    #[error(transparent)]
    Random(#[from] trailkeep_crypto::secret::RandomError),
}

impl Exports {
    pub(crate) fn new(
        journal: Arc<Journal>,
        anchors: Arc<Anchors>,
        spools: Arc<SpoolRoom>,
    ) -> Self {
        Self {
            journal,
            anchors,
            spools,
            jobs: Mutex::default(),
        }
    }

    /// Plans and records an export, and begins it in a thread of its own. Gives its id.
    pub fn start(
        self: &Arc<Self>,
        ledger: &Arc<Ledger>,
        request: ExportRequest,
    ) -> Result<String, StartError> {
        self.make_room()?;
        // Before anything is recorded.
        if self.spools.is_full() {
            return Err(ExportError::Full.into());
        }
        let plan = plan(&self.journal, ledger, request)?;
        let id = hex(&random_bytes::<16>()?);
        let job = Arc::new(Job {
            ledger: ledger.record.number,
            total: plan.entries(),
            done: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            again: AtomicBool::new(false),
            state: Mutex::new(State::Running),
        });
        self.jobs().insert(id.clone(), Arc::clone(&job));
        let (exports, ledger) = (Arc::clone(self), Arc::clone(ledger));
        tokio::task::spawn_blocking(move || job.run(&exports, &ledger, plan));
        Ok(id)
    }

    /// An export of a ledger.
    pub fn find(&self, ledger: &Ledger, id: &str) -> Option<Arc<Job>> {
        let jobs = self.jobs();
        jobs.get(id)
            .filter(|job| job.ledger == ledger.record.number)
            .cloned()
    }

    /// Stops an export, or deletes its file.
    pub fn remove(&self, ledger: &Ledger, id: &str) -> bool {
        let Some(job) = self.find(ledger, id) else {
            return false;
        };
        job.cancelled.store(true, Ordering::Relaxed);
        self.jobs().remove(id).is_some()
    }

    /// Texts of a ledger are going: bundles that may hold them are dropped, and those under way written again.
    pub(crate) fn texts_go(&self, ledger: LedgerNumber) {
        for job in self.jobs().values().filter(|job| job.ledger == ledger) {
            let mut state = job.state();
            match &*state {
                State::Running => {
                    job.again.store(true, Ordering::Relaxed);
                    job.cancelled.store(true, Ordering::Relaxed);
                }
                State::Done { at_boot_ms, .. } => {
                    *state = State::Dropped {
                        at_boot_ms: *at_boot_ms,
                    };
                }
                State::Failed { .. } | State::Dropped { .. } => {}
            }
        }
    }

    /// Stops all of them: the server ends.
    pub fn cancel_all(&self) {
        for job in self.jobs().values() {
            job.cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Drops what waited too long; refuses where there is still too much.
    fn make_room(&self) -> Result<(), StartError> {
        let now = self.journal.clock.since_boot_ms();
        let mut jobs = self.jobs();
        jobs.retain(|_, job| match &*job.state() {
            State::Running => true,
            State::Done { at_boot_ms, .. }
            | State::Failed { at_boot_ms, .. }
            | State::Dropped { at_boot_ms } => now.saturating_sub(*at_boot_ms) < KEPT_MS,
        });
        let running = jobs
            .values()
            .filter(|job| matches!(*job.state(), State::Running))
            .count();
        if running >= RUNNING_MAX || jobs.len() >= KEPT_MAX {
            return Err(StartError::Busy);
        }
        Ok(())
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<String, Arc<Job>>> {
        self.jobs.lock()
    }
}

impl Job {
    /// How far it is.
    pub fn status(&self) -> Status {
        match &*self.state() {
            State::Running => Status::Running {
                done: self.done.load(Ordering::Relaxed),
                total: self.total,
            },
            State::Done { exported, .. } => Status::Done(Box::new(exported.summary.clone())),
            State::Failed { error, .. } => Status::Failed(error.clone()),
            State::Dropped { .. } => Status::Dropped,
        }
    }

    /// The file, once it is there.
    pub fn file(&self) -> Option<(Arc<Spool>, ExportSummary)> {
        match &*self.state() {
            State::Done { exported, .. } => {
                Some((Arc::clone(&exported.file), exported.summary.clone()))
            }
            _ => None,
        }
    }

    fn run(&self, exports: &Exports, ledger: &Ledger, mut plan: Plan) {
        let mut outcome = self.write(exports, ledger, &plan);
        for _ in 0..WRITTEN_AGAIN_MAX {
            let texts_went = self.again.swap(false, Ordering::Relaxed)
                || matches!(outcome, Err(ExportError::Changed));
            if !texts_went {
                break;
            }
            self.cancelled.store(false, Ordering::Relaxed);
            outcome = plan
                .drop_deleted(&exports.journal, ledger)
                .and_then(|()| self.write(exports, ledger, &plan));
        }
        let at_boot_ms = exports.journal.clock.since_boot_ms();
        *self.state() = match outcome {
            Ok(exported) => State::Done {
                exported,
                at_boot_ms,
            },
            Err(error) => {
                tracing::warn!(%error, "an export failed");
                State::Failed {
                    error: error.to_string(),
                    at_boot_ms,
                }
            }
        };
    }

    fn write(
        &self,
        exports: &Exports,
        ledger: &Ledger,
        plan: &Plan,
    ) -> Result<Exported, ExportError> {
        let mut progress = |done, _| self.done.store(done, Ordering::Relaxed);
        write(exports, ledger, plan, &self.cancelled, &mut progress)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
