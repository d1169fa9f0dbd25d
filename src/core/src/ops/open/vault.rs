//! The vault is looked at before anything is served: its rows are those that the program wrote.

use crate::journal::append::{LedgerState, Newest};
use crate::journal::each_change::each_change;
use crate::journal::read::ReadError;
use crate::keys::keyring::Keyring;
use crate::keys::rows::{Noted, SECTION};
use crate::ops::open::{Files, OpenError};
use crate::tenant::ledger::LedgerKeys;
use trailkeep_ports::Ledgers;
use trailkeep_ports::{ChangedPart, LedgerRecord, StoredCheckpoint};
use trailkeep_proof::ids::Seq;

/// Persons and data keys whose rows a start reads, in a quarter of a second. More are counted, a million in less, and `verify`
/// reads them.
const LARGE_MAX: u64 = 50_000;
/// Statements that a refusal lists.
const LISTED_MAX: usize = 20;

/// Refuses a vault that somebody changed: a row that was destroyed and is put back, too.
pub(super) fn check(files: &Files) -> Result<(), OpenError> {
    let keyring = &files.keyring;
    let changed = keyring.changed_parts(LARGE_MAX)?;
    if !changed.is_empty() {
        return Err(OpenError::VaultChanged(changed));
    }
    // Sums begin in a directory of an earlier version alone: elsewhere somebody took them away.
    if !keyring.vault().has_sums()? && has_statements(files)? {
        return Err(OpenError::VaultChanged(vec![ChangedPart {
            part: "sums".to_owned(),
            written: 1,
            found: 0,
        }]));
    }
    keyring.begin_sums()?;
    Ok(())
}

/// Whether a program that keeps sums wrote to a ledger.
fn has_statements(files: &Files) -> Result<bool, OpenError> {
    for record in files.ledgers.ledgers()? {
        let Some(head) = files.ledgers.checkpoint(record.number)? else {
            continue;
        };
        files.load_keys(&record)?;
        let mut found = head.stated.is_some();
        let both = (&*files.ledgers, &*files.keyring);
        each_change(both, &record, 0..head.size, |_, _| found = true)?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The parts in a sentence.
pub(super) fn describe(parts: &[ChangedPart]) -> String {
    let parts = parts.iter().map(|part| {
        let ChangedPart {
            part,
            written,
            found,
        } = part;
        format!("`{part}` ({written} rows written, {found} found)")
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// The last statement that changes the vault, as the ledger keeps it beside its head. A head that an earlier version wrote
/// has none: the entries are read, once.
pub(super) fn newest(
    files: &Files,
    record: &LedgerRecord,
    head: &StoredCheckpoint,
    keys: &LedgerKeys,
) -> Result<Option<Seq>, OpenError> {
    match Newest::of(head, &keys.system) {
        Newest::Known(newest) => Ok(newest),
        Newest::Forged => Err(OpenError::Damaged {
            origin: record.origin.to_string(),
            what: "the data stored with its checkpoint was not written by this program".to_owned(),
        }),
        Newest::Unknown => {
            let mut newest = None;
            let files = (&*files.ledgers, &*files.keyring);
            each_change(files, record, 0..head.size, |seq, _| newest = Some(seq))?;
            Ok(newest)
        }
    }
}

/// Ends what a crash left between the vault and the ledger; then the vault must have what the ledger's statements changed.
/// A closed ledger takes no statement: what the vault has beyond it was lost with a recovery.
pub(super) fn catch_up(
    files: &Files,
    state: &LedgerState,
    is_closed: bool,
) -> Result<(), OpenError> {
    let (keyring, record) = (&*files.keyring, &state.ledger.record);
    let size = state.edge.size();
    end_pending((&files.ledgers, keyring), record, size)?;
    let applied = keyring.vault().applied(record.number)?;
    if is_closed || applied == state.stated {
        return Ok(());
    }
    let origin = record.origin.to_string();
    if let (Some(applied), false) = (applied, applied < state.stated) {
        return Err(OpenError::RolledBack {
            origin,
            found: size,
            seen: applied.get() + 1,
        });
    }
    let lacking = lacking((&files.ledgers, keyring), record, applied, size)?;
    let total = lacking.len() as u64;
    let listed = lacking.into_iter().take(LISTED_MAX).collect();
    Err(OpenError::OlderVault {
        origin,
        lacking: listed,
        total,
    })
}

/// Ends the changes that a crash left noted: taken where their statement stands, else dropped.
pub(crate) fn end_pending(
    (ledgers, keyring): (&Ledgers, &Keyring),
    record: &LedgerRecord,
    size: u64,
) -> Result<(), OpenError> {
    for noted in Noted::all(keyring, record)? {
        let mut stated = None;
        each_change(
            (ledgers, keyring),
            record,
            noted.from().min(size)..size,
            |seq, opened| {
                if opened.section(SECTION) == Some(noted.section().as_bytes()) {
                    stated = Some(seq);
                }
            },
        )?;
        match stated {
            Some(seq) => noted.finish(keyring, record, seq)?,
            None => noted.drop(keyring, record)?,
        }
    }
    Ok(())
}

/// The statements whose changes a vault lacks that has taken in those up to `applied`: seq and action.
fn lacking(
    (ledgers, keyring): (&Ledgers, &Keyring),
    record: &LedgerRecord,
    applied: Option<Seq>,
    size: u64,
) -> Result<Vec<(u64, String)>, ReadError> {
    let from = applied.map_or(0, |applied| applied.get() + 1);
    let mut lacking = Vec::new();
    each_change((ledgers, keyring), record, from..size, |seq, opened| {
        let action = opened.section("action").unwrap_or_default();
        let action = serde_json::from_slice(action).unwrap_or_default();
        lacking.push((seq.get(), action));
    })?;
    Ok(lacking)
}

/// The statements in a sentence.
pub(super) fn describe_lacking(lacking: &[(u64, String)], total: u64) -> String {
    let listed = lacking
        .iter()
        .map(|(seq, action)| format!("seq {seq} {action}"));
    let mut listed: Vec<String> = listed.collect();
    if total > lacking.len() as u64 {
        listed.push("...".to_owned());
    }
    listed.join(", ")
}
