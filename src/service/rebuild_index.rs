//! Deriving the index again from the payloads, after index.db was lost or damaged.

use super::append::{lookup_keys, person_tag};
use super::keyring::KeyError;
use super::ledger::LedgerKeys;
use super::open::{OpenError, open_keys, refuse_a_backup};
use crate::ids::{LedgerNumber, Seq};
use crate::ledger::entry::{Entry, EntryKind};
use crate::ledger::event::Facts;
use crate::seal::payload::open;
use crate::seal::root::RootKeySource;
use crate::store::directory::DataDirectory;
use crate::store::{Index, LedgerRecord, Ledgers, MergeStep, StoreError};

/// Entries of one step.
const ENTRIES_PER_STEP: u64 = 1_000;

/// Makes `index.db` anew. Events whose payload does not open get no rows; verify lists them.
pub fn rebuild_index(
    directory: &DataDirectory,
    root_key: &RootKeySource,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, OpenError> {
    refuse_a_backup(directory)?;
    Ok(rebuild(directory, root_key, progress)?.events)
}

/// What was found of the events.
pub(super) struct Counts {
    /// Events whose text opens.
    pub(super) events: u64,
    /// Events whose key the vault has not.
    pub(super) keys_missing: u64,
}

/// The same, with more to say.
pub(super) fn rebuild(
    directory: &DataDirectory,
    root_key: &RootKeySource,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Counts, OpenError> {
    let _lock = directory.lock()?;
    let (keyring, id) = open_keys(directory, root_key)?;
    let ledgers = Ledgers::open(&directory.ledger_db(), &id)?;
    set_aside(directory)?;
    Index::create(&directory.index_db(), &id)?;
    let index = Index::open(&directory.index_db(), &id, &ledgers)?;
    let mut counts = Counts {
        events: 0,
        keys_missing: 0,
    };
    for record in ledgers.ledgers()? {
        let size = ledgers
            .checkpoint(record.number)?
            .map_or(0, |head| head.size);
        let keys = LedgerKeys::load(&keyring, &record)?;
        for start in (0..size).step_by(ENTRIES_PER_STEP as usize) {
            let end = size.min(start + ENTRIES_PER_STEP);
            let (rows, missing) = derive_rows(&ledgers, &keyring, &record, &keys, start..end)?;
            counts.events += rows.len() as u64;
            counts.keys_missing += missing;
            ledgers.put_active(record.number, &rows)?;
            index.add(record.number, rows.into_iter());
            merge_what_is_full(&index, &ledgers)?;
            progress(end, size);
        }
    }
    index.close()?;
    ledgers.close()?;
    Ok(counts)
}

/// Seqs with their look-up keys.
type DerivedRows = Vec<(Seq, Vec<crate::ids::LookupKey>)>;

fn derive_rows(
    ledgers: &Ledgers,
    keyring: &super::keyring::Keyring,
    record: &LedgerRecord,
    keys: &LedgerKeys,
    range: std::ops::Range<u64>,
) -> Result<(DerivedRows, u64), OpenError> {
    let entries = ledgers.entries(record.number, range.clone())?;
    let payloads = ledgers.payload_rows(record.number, range)?;
    let (mut rows, mut keys_missing) = (Vec::new(), 0);
    for (seq, payload) in payloads {
        let entry = entries
            .iter()
            .filter_map(|bytes| Entry::decode(bytes).ok())
            .find(|entry| entry.seq == seq);
        let Some(entry) = entry.filter(|entry| entry.kind == EntryKind::Event) else {
            continue;
        };
        let derived = (|| {
            let opened = open(
                &record.origin,
                &payload,
                &keyring.keys_of(&record.origin, &payload)?,
                &entry.commitment,
            )?;
            let sections = opened
                .sections
                .iter()
                .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
            let Ok(facts) = Facts::from_sections(sections) else {
                return Ok(Vec::new());
            };
            lookup_keys(&keys.index, &facts, |label, person| {
                keyring.stored_person(
                    &record.origin,
                    record.number,
                    person_tag(&keys.index, label, person),
                )
            })
        })();
        match derived {
            Ok(keys) => rows.push((seq, keys)),
            Err(KeyError::Store(error)) => return Err(error.into()),
            Err(KeyError::Missing(_)) => keys_missing += 1,
            Err(_) => {}
        }
    }
    Ok((rows, keys_missing))
}

fn merge_what_is_full(index: &Index, ledgers: &Ledgers) -> Result<(), StoreError> {
    loop {
        match index.merge()? {
            MergeStep::Idle => return Ok(()),
            MergeStep::Merged => {}
            MergeStep::Wrote(ledger, end) => drop_rows(ledgers, ledger, end)?,
        }
    }
}

fn drop_rows(ledgers: &Ledgers, ledger: LedgerNumber, end: Seq) -> Result<(), StoreError> {
    while ledgers.drop_active(ledger, end, 1_000)? > 0 {}
    Ok(())
}

/// The old file is no evidence and may be damaged: it is removed with its log.
fn set_aside(directory: &DataDirectory) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut path = directory.index_db().into_os_string();
        path.push(suffix);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::Io {
                    path: path.into(),
                    error,
                });
            }
            _ => {}
        }
    }
    Ok(())
}
