//! Named places at which a test makes the process fail. Debug builds only: a release build has none.
//!
//! `TRAILKEEP_FAILPOINT=name=kill` ends the process at the place as a power cut would; `name=kill@3` at
//! the third time it is reached.

/// A place where a crash is interesting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailPoint {
    /// A batch was taken from the queue; nothing is on disk.
    BatchTaken,
    /// New data keys are about to be written to the vault.
    BeforeVaultCommit,
    /// New data keys are on disk; no event uses them.
    AfterVaultCommit,
    /// The ledger's rows are ready and the checkpoint is signed.
    BeforeLedgerCommit,
    /// The events are on disk; nobody was told.
    AfterLedgerCommit,
    /// Some of the batch's writers were told.
    BetweenAnswers,
    /// A merged index run is being written.
    MergeStarted,
    /// A merged run is whole; its rows are still in the active run.
    AfterRunWritten,
    /// A piece of a larger run is written; the runs that it is made of answer.
    MergePieceWritten,
    /// A larger run answers in the place of others, whose rows are still there.
    RunsReplaced,
    /// The rows of a run that is in no use are gone; there may be more such runs.
    LeftoverDropped,
    /// The watermark is about to be written.
    BeforeWatermark,
    /// It is noted what a statement is about to change in the vault; nothing is stated.
    ChangeNoted,
    /// The statement stands; the vault has the old rows.
    ChangeStated,
    /// The vault has the new rows; nobody was told.
    ChangeTaken,
    /// It is stated in the ledger what goes; all of it is still there.
    DestructionStated,
    /// Index rows of some events that go are gone; their texts are there.
    IndexRowsDestroyed,
    /// Some of the texts that go are gone.
    SomeTextsDestroyed,
    /// All texts of a job are gone; their keys are there.
    TextsDestroyed,
    /// The keys of a job are gone; old pages may stand in the logs.
    KeysDestroyed,
    /// The logs are emptied; the job is still open.
    LogsEmptied,
    /// Telemetry is sealed and about to be written.
    BeforeStaging,
    /// Telemetry is on disk; its sender was not told.
    AfterStaging,
    /// Events are assembled; their parts still wait.
    BeforeAssembled,
    /// Events stand in the place of their parts; the ledger has none of them.
    AfterAssembled,
    /// Assembled events are in the ledger, and still in staging.db.
    AfterAppended,
    /// A rotation is noted; there is no new epoch key yet.
    RotationNoted,
    /// Both epoch keys are on disk; no row is sealed anew.
    RotationEpochWritten,
    /// Some rows are sealed anew.
    RotationChunkSealed,
    /// All rows are sealed anew, and nothing is written under the old epoch.
    RotationSealed,
    /// A target has the new vault; others may not.
    RotationCopied,
    /// All targets have it, and the write-ahead log is empty.
    RotationTruncated,
    /// The file with the new epoch key alone stands beside `epoch.key`.
    RotationKeyBeside,
    /// The old epoch key is destroyed here, and not at the targets.
    RotationKeyDestroyed,
    /// It is destroyed everywhere; this is not recorded.
    RotationDone,
    /// It is recorded; the rotation is still noted as under way.
    RotationRecorded,
    /// A backup has the new rows behind its old end.
    BackupRowsAdded,
    /// The new vault stands beside the backup's old one.
    BackupVaultBeside,
    /// The backup's ledgers are at their new heads; its vault is the old one.
    BackupLedgersDone,
    /// A new index is begun beside the old one.
    RebuildBegun,
    /// A run of the new index is written.
    RebuildRunWritten,
    /// All rows of the new index are written.
    RebuildWritten,
    /// The new index is whole and synced; the old one is in its place.
    RebuildChecked,
    /// The new index is in its place; the rows of the active run are still in ledger.db.
    RebuildInPlace,
    /// The operator's ledger says that a tenant is created; there is nothing of it yet.
    TenantStated,
    /// It is noted in the vault that the tenant is being created.
    TenantNoted,
    /// The secrets of a new ledger are in the vault.
    LedgerSecretsKept,
    /// The vault's rows that its first entries state are there; the entries are not.
    LedgerRowsKept,
    /// The vault remembers its head.
    LedgerMarked,
    /// The ledger is there; nobody was told.
    LedgerFounded,
}

impl FailPoint {
    /// Those of a rotation, in order.
    pub const ROTATION: [Self; 10] = [
        Self::RotationNoted,
        Self::RotationEpochWritten,
        Self::RotationChunkSealed,
        Self::RotationSealed,
        Self::RotationCopied,
        Self::RotationTruncated,
        Self::RotationKeyBeside,
        Self::RotationKeyDestroyed,
        Self::RotationDone,
        Self::RotationRecorded,
    ];

    /// Those of a statement that changes the vault, in order.
    pub const OF_A_CHANGE: [Self; 3] = [Self::ChangeNoted, Self::ChangeStated, Self::ChangeTaken];

    /// Those of a rebuild of the index, in order.
    pub const OF_REBUILD: [Self; 5] = [
        Self::RebuildBegun,
        Self::RebuildRunWritten,
        Self::RebuildWritten,
        Self::RebuildChecked,
        Self::RebuildInPlace,
    ];

    /// Those of a tenant that is created, in order.
    pub const OF_A_TENANT: [Self; 6] = [
        Self::TenantStated,
        Self::TenantNoted,
        Self::LedgerSecretsKept,
        Self::LedgerRowsKept,
        Self::LedgerMarked,
        Self::LedgerFounded,
    ];

    /// Those of a backup, in order.
    pub const BACKUP: [Self; 3] = [
        Self::BackupRowsAdded,
        Self::BackupVaultBeside,
        Self::BackupLedgersDone,
    ];

    /// Those on the way of a write.
    pub const OF_WRITING: [Self; 9] = [
        Self::BatchTaken,
        Self::BeforeVaultCommit,
        Self::AfterVaultCommit,
        Self::BeforeLedgerCommit,
        Self::AfterLedgerCommit,
        Self::BetweenAnswers,
        Self::MergeStarted,
        Self::AfterRunWritten,
        Self::BeforeWatermark,
    ];

    /// Those of runs that are merged, in order.
    pub const OF_MERGING: [Self; 3] = [
        Self::MergePieceWritten,
        Self::RunsReplaced,
        Self::LeftoverDropped,
    ];

    /// Those of a destruction, in order.
    pub const OF_DESTRUCTION: [Self; 6] = [
        Self::DestructionStated,
        Self::IndexRowsDestroyed,
        Self::SomeTextsDestroyed,
        Self::TextsDestroyed,
        Self::KeysDestroyed,
        Self::LogsEmptied,
    ];

    /// Those on the way of telemetry.
    pub const OF_TELEMETRY: [Self; 5] = [
        Self::BeforeStaging,
        Self::AfterStaging,
        Self::BeforeAssembled,
        Self::AfterAssembled,
        Self::AfterAppended,
    ];

    /// The name in the environment variable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BatchTaken => "batch-taken",
            Self::BeforeVaultCommit => "before-vault-commit",
            Self::AfterVaultCommit => "after-vault-commit",
            Self::BeforeLedgerCommit => "before-ledger-commit",
            Self::AfterLedgerCommit => "after-ledger-commit",
            Self::BetweenAnswers => "between-answers",
            Self::MergeStarted => "merge-started",
            Self::AfterRunWritten => "after-run-written",
            Self::MergePieceWritten => "merge-piece-written",
            Self::RunsReplaced => "runs-replaced",
            Self::LeftoverDropped => "leftover-dropped",
            Self::BeforeWatermark => "before-watermark",
            Self::ChangeNoted => "change-noted",
            Self::ChangeStated => "change-stated",
            Self::ChangeTaken => "change-taken",
            Self::DestructionStated => "destruction-stated",
            Self::IndexRowsDestroyed => "index-rows-destroyed",
            Self::SomeTextsDestroyed => "some-texts-destroyed",
            Self::TextsDestroyed => "texts-destroyed",
            Self::KeysDestroyed => "keys-destroyed",
            Self::LogsEmptied => "logs-emptied",
            Self::BeforeStaging => "before-staging",
            Self::AfterStaging => "after-staging",
            Self::BeforeAssembled => "before-assembled",
            Self::AfterAssembled => "after-assembled",
            Self::AfterAppended => "after-appended",
            Self::RotationNoted => "rotation-noted",
            Self::RotationEpochWritten => "rotation-epoch-written",
            Self::RotationChunkSealed => "rotation-chunk-sealed",
            Self::RotationSealed => "rotation-sealed",
            Self::RotationCopied => "rotation-copied",
            Self::RotationTruncated => "rotation-truncated",
            Self::RotationKeyBeside => "rotation-key-beside",
            Self::RotationKeyDestroyed => "rotation-key-destroyed",
            Self::RotationDone => "rotation-done",
            Self::RotationRecorded => "rotation-recorded",
            Self::BackupRowsAdded => "backup-rows-added",
            Self::BackupVaultBeside => "backup-vault-beside",
            Self::BackupLedgersDone => "backup-ledgers-done",
            Self::RebuildBegun => "rebuild-begun",
            Self::RebuildRunWritten => "rebuild-run-written",
            Self::RebuildWritten => "rebuild-written",
            Self::RebuildChecked => "rebuild-checked",
            Self::RebuildInPlace => "rebuild-in-place",
            Self::TenantStated => "tenant-stated",
            Self::TenantNoted => "tenant-noted",
            Self::LedgerSecretsKept => "ledger-secrets-kept",
            Self::LedgerRowsKept => "ledger-rows-kept",
            Self::LedgerMarked => "ledger-marked",
            Self::LedgerFounded => "ledger-founded",
        }
    }

    /// Marks the place.
    #[cfg(not(debug_assertions))]
    pub(crate) fn reach(self) {}

    /// Marks the place; ends the process here if the environment says so.
    #[cfg(debug_assertions)]
    pub(crate) fn reach(self) {
        use std::sync::OnceLock;
        use std::sync::atomic::{AtomicU32, Ordering};
        static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
        static REACHED: AtomicU32 = AtomicU32::new(0);
        let wanted = WANTED.get_or_init(|| {
            let setting = std::env::var("TRAILKEEP_FAILPOINT").ok()?;
            let (name, action) = setting.split_once("=kill")?;
            let times = action
                .strip_prefix('@')
                .map_or(1, |times| times.parse().unwrap_or(1));
            Some((name.to_owned(), times))
        });
        if let Some((name, times)) = wanted
            && name == self.name()
            && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *times
        {
            // SIGKILL, not abort: nothing gets to run, as when the power goes.
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        }
    }
}
