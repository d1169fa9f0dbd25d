//! A data directory, open for reading and writing: all rooms, put together.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::anchor::Anchors;
use crate::anchor::settings::AnchorSettings;
use crate::audit::sources::Sources;
use crate::destroy::Deletions;
use crate::export::jobs::Exports;
use crate::govern::Custody;
use crate::ingest::Inbox;
use crate::ingest::StagingSettings;
use crate::journal::Journal;
use crate::journal::access_log;
use crate::journal::append::StoppedBadly;
use crate::journal::compaction::MergeThread;
use crate::keys::keyring::KeyError;
use crate::metering::KeptFigures;
use crate::ops::open::OpenError;
use crate::requests::{RequestAnswers, Requests};
use crate::retention::Retention;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_crypto::spool::SpoolRoom;
use trailkeep_files::directory::{DataDirectory, free_bytes};
use trailkeep_ports::{Claims, Staging as StagingFile, Storage};

/// A data directory, open. One process has it at a time. Each use case takes the part that it needs.
pub struct Engine {
    /// What every use case stands on.
    pub journal: Arc<Journal>,
    /// The vault's files and their root key.
    pub custody: Arc<Custody>,
    /// Sums of events that were asked for.
    pub kept_figures: Arc<KeptFigures>,
    /// Telemetry that is not an event yet.
    pub inbox: Arc<Inbox>,
    /// Where checkpoints are given to.
    pub anchors: Arc<Anchors>,
    /// Exports in progress and ready.
    pub exports: Arc<Exports>,
    /// What deletes.
    pub deletions: Arc<Deletions>,
    /// What time ends.
    pub retention: Arc<Retention>,
    /// Data subject requests.
    pub requests: Arc<Requests>,
    /// What is known of producers.
    pub sources: Arc<Sources>,
    pub(crate) daily_run_at_ms: AtomicU64,
    pub(crate) merger: MergeThread,
    // Given away when all else is closed: it stands last.
    pub(crate) _claims: Arc<dyn Claims>,
}

impl Engine {
    /// When this process last looked whether the daily run is due, and it was not, or was made.
    pub(crate) fn daily_run_at_ms(&self) -> u64 {
        self.daily_run_at_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn set_daily_run_at_ms(&self, at_ms: u64) {
        self.daily_run_at_ms.store(at_ms, Ordering::Relaxed);
    }

    /// Writes what waits, keeps the watermark, and closes the files.
    pub fn close(&self) -> Result<(), StoppedBadly> {
        self.exports.cancel_all();
        if let Err(error) = access_log::flush_repeats(&self.journal, true) {
            tracing::warn!(%error, "repeated reads could not be recorded");
        }
        self.merger.stop();
        self.journal.writer.stop()?;
        self.inbox.close()?;
        self.journal.index.close()?;
        self.journal.ledgers.close()?;
        self.journal.keyring.vault().close()?;
        Ok(())
    }
}

/// Exports leave so many times the space below which appends stop.
const EXPORT_RESERVES: u64 = 2;

/// Bundles leave more room than appends do.
fn room_of_exports(
    directory: &DataDirectory,
    bytes_max: u64,
    min_free_bytes: u64,
) -> Arc<SpoolRoom> {
    let reserve = min_free_bytes.saturating_mul(EXPORT_RESERVES);
    SpoolRoom::new(directory.path(), bytes_max, reserve, free_bytes)
}

/// What an engine is put together from.
pub(crate) struct Parts {
    pub(super) journal: Arc<Journal>,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) directory: DataDirectory,
    pub(super) root_key: RootKeySource,
    pub(super) inbox: (StagingFile, StagingSettings),
    pub(super) anchors: AnchorSettings,
    /// Bytes that exports may have on disk together.
    pub(super) export_bytes_max: u64,
    pub(super) merger: MergeThread,
    pub(super) claims: Arc<dyn Claims>,
}

impl Parts {
    /// Gives each room what it needs, from the lowest up.
    pub(super) fn assemble(self) -> Result<Engine, OpenError> {
        let journal = self.journal;
        let own_directory = self.directory.path().to_owned();
        let reserve_bytes = journal.disk.reserve_bytes();
        let spools = room_of_exports(&self.directory, self.export_bytes_max, reserve_bytes);
        let custody = Arc::new(Custody {
            storage: self.storage,
            journal: Arc::clone(&journal),
            directory: self.directory,
            root_key: self.root_key,
        });
        let (file, settings) = self.inbox;
        let inbox = Arc::new(Inbox::new(Arc::clone(&journal), file, settings)?);
        let anchors = Anchors::new(Arc::clone(&journal), own_directory, self.anchors);
        let anchors = Arc::new(anchors);
        let exports = Exports::new(Arc::clone(&journal), Arc::clone(&anchors), spools);
        let exports = Arc::new(exports);
        let deletions = Arc::new(Deletions {
            journal: Arc::clone(&journal),
            completion: Arc::new(RequestAnswers {
                custody: Arc::clone(&custody),
            }),
        });
        let retention = Retention::new(Arc::clone(&deletions), Arc::clone(&exports));
        let requests = Requests::new(
            Arc::clone(&custody),
            Arc::clone(&inbox),
            Arc::clone(&deletions),
            Arc::clone(&exports),
        )
        .map_err(KeyError::from)?;
        Ok(Engine {
            sources: Arc::new(Sources::new(Arc::clone(&journal))),
            journal,
            custody,
            kept_figures: Arc::default(),
            inbox,
            anchors,
            exports,
            deletions,
            retention: Arc::new(retention),
            requests: Arc::new(requests),
            daily_run_at_ms: AtomicU64::new(0),
            merger: self.merger,
            _claims: self.claims,
        })
    }
}
