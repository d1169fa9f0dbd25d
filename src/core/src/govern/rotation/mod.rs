//! Rotating the vault: a new epoch key, everything sealed anew, copies, and the end of the old epoch key. From then
//! on no older copy of the vault opens for anybody, and with it nothing that was destroyed since.
//!
//! The steps are those of docs/design.md, "Rotation". Each can be repeated, so a rotation that was interrupted goes
//! on where it was; both epochs open until the old key is destroyed, so nothing ever waits for it.

pub(crate) mod rewrap;

use serde::{Deserialize, Serialize};

use crate::failpoint::FailPoint;
use crate::govern::replica::{CopyError, TargetStatus};
use crate::govern::{Custody, replica};
use crate::journal::Journal;
use crate::journal::append::AppendError;
use crate::journal::append::operator::change_for_operator;
use crate::journal::clock_guard::ClockJump;
use crate::keys::keyring::KeyError;
use crate::keys::records;
use crate::keys::records::Record;
use crate::keys::rotation_due::{Due, due_since};
use crate::keys::rows::Changes;
use trailkeep_crypto::epoch::{self, Epoch, EpochNumber};
use trailkeep_crypto::root::RootKeyError;
use trailkeep_crypto::secret::{EpochKey, RandomError, RootKey};
use trailkeep_files::FileError;
use trailkeep_files::private::{destroy_leftovers, put_beside, replace_file, take_place};
use trailkeep_ports::StoreError;
use trailkeep_proof::system::{ReplicaTarget, RotationSection, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// The one record of its kind.
const ID: &str = "vault";

/// A rotation that has begun and is not over.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct UnderWay {
    epoch: u32,
    started_at_ms: u64,
    by: String,
    rows: u64,
    /// The targets whose copy was read back and opened.
    opened: Vec<String>,
    /// Whether the ledger says already that a target is out of reach.
    said_pending: bool,
}

impl Record for UnderWay {
    const KIND: &'static str = "rotation";
    const WHAT: &'static str = "the note of a rotation";
}

/// The last rotation that came to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Last {
    epoch: u32,
    ended_at_ms: u64,
}

impl Record for Last {
    const KIND: &'static str = "rotation-last";
    const WHAT: &'static str = "the note of the last rotation";
}

/// Why a rotation stopped. It goes on with the next try.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Somebody else reads the vault's file.
    #[error(
        "another program reads vault.db, so its write-ahead log cannot be purged: stop that program, and run this again"
    )]
    Busy,
    /// It could not be recorded.
    #[error("the rotation is complete, but the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The clock can't be believed, and a rotation says when it was.
    #[error(transparent)]
    Clock(#[from] ClockJump),
    /// There is no root key.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// The vault could not be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A secret does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FileError> for RotationError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

/// State of the vault's rotation.
#[derive(Clone, Debug)]
pub struct RotationStatus {
    /// The epoch that wraps new keys.
    pub epoch: u32,
    /// Whether a rotation has begun and has not ended.
    pub in_progress: bool,
    /// Whether it waits for a replica that is unreachable: destroyed keys may still open there.
    pub copies_pending: bool,
    /// Since when a rotation is due (RFC 3339, UTC).
    pub due_since: Option<String>,
    /// When the last backup was made.
    pub last_backup_at: Option<String>,
    /// When the last one ended.
    pub last_ended_at: Option<String>,
    /// Rows that the rotation re-encrypted, in progress or ended.
    pub rows: Option<u64>,
    /// The vault replicas.
    pub targets: Vec<TargetStatus>,
}

/// How it stands.
pub fn status(custody: &Custody) -> Result<RotationStatus, CopyError> {
    let under_way = under_way(&custody.journal)?;
    let time = |ms| UnixMillis::new(ms).to_string();
    let last = records::all_own::<Last>(&custody.journal.keyring)?.pop();
    let targets = replica::list(custody)?;
    let is_behind = |target: &TargetStatus| target.error.is_some();
    Ok(RotationStatus {
        epoch: custody
            .journal
            .keyring
            .epochs()
            .last()
            .map_or(0, |last| last.number.0),
        copies_pending: under_way.is_some() && targets.iter().any(is_behind),
        in_progress: under_way.is_some(),
        due_since: due_since(&custody.journal.keyring)?.map(time),
        last_backup_at: crate::keys::backups::last_made_at(&custody.journal.keyring)?
            .map(|at| at.to_string()),
        last_ended_at: last.map(|(_, last)| time(last.ended_at_ms)),
        rows: under_way.map(|note| note.rows),
        targets,
    })
}

/// When a rotation ended after which no secret of an epoch opens anywhere.
pub(crate) fn ended_after(journal: &Journal, epoch: u32) -> Result<Option<UnixMillis>, KeyError> {
    let last = records::all_own::<Last>(&journal.keyring)?.pop();
    let last = last.filter(|(_, last)| last.epoch > epoch);
    Ok(last.map(|(_, last)| UnixMillis::new(last.ended_at_ms)))
}

/// Whether a rotation may begin now; one that has begun goes on.
pub fn check_can_begin(journal: &Journal) -> Result<(), RotationError> {
    if under_way(journal)?.is_none() {
        journal.believed_now()?;
    }
    Ok(())
}

/// Rotates the vault now, or goes on with a rotation that was interrupted. `progress` hears how many rows of how many
/// are sealed anew. With a target out of reach it stops before the old key is destroyed: `copies_pending` in the
/// status, and the next call goes on.
pub fn rotate_now(
    custody: &Custody,
    by: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<RotationStatus, RotationError> {
    let _keeping = custody.journal.locks.keeping();
    rotate(custody, by, progress)
}

/// Goes on with a rotation that was interrupted, or rotates if one is due for `after_ms`; else does nothing.
pub(crate) fn rotate_if_due(
    custody: &Custody,
    after_ms: u64,
) -> Result<Option<RotationStatus>, RotationError> {
    let is_time = || -> Result<bool, RotationError> {
        let now = custody.journal.clock.wall().get();
        let due = records::all_own::<Due>(&custody.journal.keyring)?.pop();
        let is_due = match due {
            Some((_, due)) if now.saturating_sub(due.since_ms) >= after_ms => true,
            Some((_, due)) => due.at_once && !is_destroying(&custody.journal)?,
            None => false,
        };
        Ok(is_due || under_way(&custody.journal)?.is_some())
    };
    if !is_time()? {
        return Ok(None);
    }
    let _keeping = custody.journal.locks.keeping();
    // Somebody else may have rotated while this waited.
    if !is_time()? {
        return Ok(None);
    }
    rotate(custody, "trailkeep", &mut |_, _| {}).map(Some)
}

/// Whether a deletion is not over in some ledger.
fn is_destroying(journal: &Journal) -> Result<bool, StoreError> {
    for ledger in journal.all_ledgers() {
        if !journal.ledgers.open_jobs(ledger.record.number)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn rotate(
    custody: &Custody,
    by: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<RotationStatus, RotationError> {
    let root = custody.root_key.load()?;
    let mut note = match under_way(&custody.journal)? {
        Some(note) => note,
        None => begin(&custody.journal, by)?,
    };
    write_new_epoch(custody, &note, &root)?;
    re_encrypt(&custody.journal, &mut note, progress)?;
    if !copy(custody, &mut note, &root)? {
        say_pending(custody, &mut note)?;
        return Ok(status(custody)?);
    }
    if !custody.journal.keyring.vault().purge()? {
        custody.journal.outside.found("vault.db");
        return Err(RotationError::Busy);
    }
    FailPoint::RotationTruncated.reach();
    destroy_old_key(custody, &note, &root)?;
    replica::copy_to_all(custody)?;
    if !all_have(&custody.journal, |state| {
        state.key_epoch >= Some(note.epoch)
    })? {
        say_pending(custody, &mut note)?;
        return Ok(status(custody)?);
    }
    FailPoint::RotationDone.reach();
    let mut changes = Changes::default();
    changes.put_own(
        ID,
        &Last {
            epoch: note.epoch,
            ended_at_ms: custody.journal.clock.wall().get(),
        },
    )?;
    record(custody, &note, "done", changes)?;
    FailPoint::RotationRecorded.reach();
    records::remove_own::<UnderWay>(&custody.journal.keyring, ID)?;
    let rows = Some(note.rows);
    Ok(RotationStatus {
        rows,
        ..status(custody)?
    })
}

fn under_way(journal: &Journal) -> Result<Option<UnderWay>, KeyError> {
    let note = records::all_own::<UnderWay>(&journal.keyring)?.pop();
    Ok(note.map(|(_, note)| note))
}

/// Notes that a rotation begins. Whatever is destroyed from here on asks for another one.
fn begin(journal: &Journal, by: &str) -> Result<UnderWay, RotationError> {
    let sealing = journal
        .keyring
        .epochs()
        .last()
        .map_or(0, |last| last.number.0);
    let note = UnderWay {
        epoch: sealing + 1,
        started_at_ms: journal.believed_now()?.get(),
        by: by.to_owned(),
        rows: 0,
        opened: Vec::new(),
        said_pending: false,
    };
    records::put_own(&journal.keyring, ID, &note)?;
    records::remove_own::<Due>(&journal.keyring, ID)?;
    FailPoint::RotationNoted.reach();
    Ok(note)
}

/// Step 1: a new epoch key, beside the old one in `epoch.key`, synced before anything is sealed under it.
fn write_new_epoch(
    custody: &Custody,
    note: &UnderWay,
    root: &RootKey,
) -> Result<(), RotationError> {
    let mut epochs = custody.journal.keyring.epochs().to_vec();
    if epochs
        .last()
        .is_some_and(|last| last.number.0 >= note.epoch)
    {
        return Ok(());
    }
    epochs.push(Epoch {
        number: EpochNumber(note.epoch),
        key: EpochKey::random()?,
    });
    let text = epoch::encode(root, custody.journal.keyring.directory(), &epochs)?;
    replace_file(&custody.directory.epoch_key(), &mut text.as_bytes())?;
    custody.journal.keyring.set_epochs(epochs);
    FailPoint::RotationEpochWritten.reach();
    Ok(())
}

/// Step 2: every row sealed anew; then nothing is written under the old epoch any more.
fn re_encrypt(
    journal: &Journal,
    note: &mut UnderWay,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), RotationError> {
    if journal.keyring.vault().lowest_epoch()? >= note.epoch {
        return Ok(());
    }
    note.rows += rewrap::rewrap_vault(journal, note.epoch, progress)?;
    records::put_own(&journal.keyring, ID, note)?;
    FailPoint::RotationSealed.reach();
    Ok(())
}

/// Step 3: a copy at each target, read back and opened. `false` where one is out of reach.
fn copy(custody: &Custody, note: &mut UnderWay, root: &RootKey) -> Result<bool, RotationError> {
    let mut snapshot = None;
    for (id, place) in replica::targets(&custody.journal)? {
        if note.opened.contains(&id) {
            continue;
        }
        let taken = match snapshot.take() {
            Some(taken) => taken,
            None => replica::Snapshot::take(custody)?,
        };
        let outcome = replica::put(&custody.journal, &id, &place, &taken).and_then(|()| {
            let opened = replica::open_at(custody, &id, &place, root)?;
            if opened == taken.look {
                Ok(())
            } else {
                Err(CopyError::Damaged("it reads back as an older one"))
            }
        });
        let is_open = outcome.is_ok();
        replica::keep_state(&custody.journal, &id, outcome, &taken)?;
        snapshot = Some(taken);
        if is_open {
            note.opened.push(id);
            records::put_own(&custody.journal.keyring, ID, note)?;
        }
        FailPoint::RotationCopied.reach();
    }
    let targets = replica::targets(&custody.journal)?;
    Ok(targets.iter().all(|(id, _)| note.opened.contains(id)))
}

/// Whether each target is in reach and has what is asked for.
fn all_have(
    journal: &Journal,
    has: impl Fn(&trailkeep_ports::CopyState) -> bool,
) -> Result<bool, RotationError> {
    for (id, _) in replica::targets(journal)? {
        let state = journal.keyring.vault().copy_state(&id)?;
        if state.error.is_some() || !has(&state) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Step 5, here: the new key takes the place of both, and the old file is overwritten and removed.
fn destroy_old_key(
    custody: &Custody,
    note: &UnderWay,
    root: &RootKey,
) -> Result<(), RotationError> {
    let path = custody.directory.epoch_key();
    let mut epochs = custody.journal.keyring.epochs().to_vec();
    if epochs.iter().any(|known| known.number.0 < note.epoch) {
        epochs.retain(|known| known.number.0 >= note.epoch);
        let text = epoch::encode(root, custody.journal.keyring.directory(), &epochs)?;
        let new = put_beside(&path, &mut text.as_bytes())?;
        FailPoint::RotationKeyBeside.reach();
        take_place(&path, new)?;
        custody.journal.keyring.set_epochs(epochs);
    }
    // A crash may have left the old file under another name.
    destroy_leftovers(&path)?;
    FailPoint::RotationKeyDestroyed.reach();
    Ok(())
}

/// The ledger says once that the rotation waits.
fn say_pending(custody: &Custody, note: &mut UnderWay) -> Result<(), RotationError> {
    if !note.said_pending {
        record(custody, note, "copies_pending", Changes::default())?;
        note.said_pending = true;
        records::put_own(&custody.journal.keyring, ID, note)?;
    }
    Ok(())
}

/// Step 6.
fn record(
    custody: &Custody,
    note: &UnderWay,
    state: &str,
    changes: Changes,
) -> Result<(), RotationError> {
    let targets = replica::list(custody)?;
    let targets = targets.into_iter().map(|target| ReplicaTarget {
        in_reach: target.error.is_none(),
        kind: target.kind.to_owned(),
        id: target.id,
    });
    let vault = RotationSection {
        epoch: note.epoch,
        state: state.to_owned(),
        by: note.by.clone(),
        started_at: UnixMillis::new(note.started_at_ms).to_string(),
        rows: note.rows,
        targets: targets.collect(),
    };
    change_for_operator(
        &custody.journal,
        &SystemEvent::VaultRotate { vault },
        changes,
    )
    .map_err(|error| RotationError::Record(Box::new(error)))
}
