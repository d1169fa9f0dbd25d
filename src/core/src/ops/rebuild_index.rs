//! Deriving the index again from the payloads, after index.db was lost or damaged.
//!
//! The new index is made beside the old one and takes its place in one step, when it is whole. Whatever ends the
//! process on the way, the old index stays in use; ledger.db is not written before the new one stands.

use std::collections::HashMap;

use crate::failpoint::FailPoint;
use crate::journal::derive_rows::{Derived, derive};
use crate::keys::keyring::{KeyError, Keyring};
use crate::ops::open::OpenError;
use crate::ops::open::{open_keys, refuse_a_backup};
use crate::short_reads::short_reads;
use crate::tenant::ledger::LedgerKeys;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_files::directory::DataDirectory;
use trailkeep_index::{NewIndex, SumKey};
use trailkeep_ports::{LedgerRecord, Ledgers, Storage, StoreError};
use trailkeep_proof::ids::{LookupKey, Seq};
use trailkeep_proof::ledger::entry::{Entry, EntryKind};

/// Rows of the active run that are deleted at once.
const ROWS_PER_STEP: usize = 10_000;

/// Makes `index.db` anew. Events whose payload does not open get no rows; verify lists them.
pub fn rebuild_index(
    storage: &dyn Storage,
    directory: &DataDirectory,
    root_key: &RootKeySource,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, OpenError> {
    refuse_a_backup(directory)?;
    Ok(rebuild(storage, directory, root_key, progress)?.events)
}

/// What was found of the events.
#[derive(Default)]
pub(crate) struct Counts {
    /// Events whose payload opens.
    pub(crate) events: u64,
    /// Events whose key the vault has not.
    pub(crate) keys_missing: u64,
}

/// The same, with more to say.
pub(crate) fn rebuild(
    storage: &dyn Storage,
    directory: &DataDirectory,
    root_key: &RootKeySource,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Counts, OpenError> {
    let _lock = directory.lock()?;
    let (keyring, id) = open_keys(storage, directory, root_key)?;
    let ledgers = storage.open_ledgers(directory, &id)?;
    let sum_key = SumKey::new(random_bytes().map_err(KeyError::from)?);
    let index = NewIndex::begin(storage.begin_runs(directory, &id)?, sum_key);
    FailPoint::RebuildBegun.reach();
    let mut counts = Counts::default();
    let records = ledgers.ledgers()?;
    for record in &records {
        let head = ledgers.checkpoint(record.number)?;
        let size = head.map_or(0, |head| head.size);
        let keys = LedgerKeys::load(&keyring, record)?;
        for range in short_reads(0..size) {
            let end = range.end;
            let rows = derive_rows(&ledgers, &keyring, (record, &keys), range, &mut counts)?;
            if index.add(record.number, rows)? {
                FailPoint::RebuildRunWritten.reach();
            }
            progress(end, size);
        }
        index.end_ledger(record.number, Seq::new(size))?;
    }
    FailPoint::RebuildWritten.reach();
    let index = index.check()?;
    FailPoint::RebuildChecked.reach();
    index.take_place()?;
    FailPoint::RebuildInPlace.reach();
    for record in &records {
        drop_active_rows(&ledgers, record)?;
    }
    ledgers.close()?;
    Ok(counts)
}

/// Events with their look-up keys.
type DerivedRows = Vec<(Seq, Vec<LookupKey>)>;

fn derive_rows(
    ledgers: &Ledgers,
    keyring: &Keyring,
    (record, keys): (&LedgerRecord, &LedgerKeys),
    range: std::ops::Range<u64>,
    counts: &mut Counts,
) -> Result<DerivedRows, StoreError> {
    let entries = ledgers.entry_rows(record.number, range.clone())?;
    let decoded = entries
        .iter()
        .filter_map(|(seq, bytes)| Some((*seq, Entry::decode(bytes).ok()?)));
    let events: HashMap<Seq, Entry> = decoded
        .filter(|(seq, entry)| entry.kind == EntryKind::Event && entry.seq == *seq)
        .collect();
    let mut rows = Vec::new();
    for (seq, payload) in ledgers.payload_rows(record.number, range)? {
        let Some(entry) = events.get(&seq) else {
            continue;
        };
        match derive((ledgers, keyring), record, keys, entry, &payload)? {
            Derived::Keys(keys) => {
                counts.events += 1;
                rows.push((seq, keys));
            }
            Derived::KeyMissing => counts.keys_missing += 1,
            Derived::Unreadable => {}
        }
    }
    Ok(rows)
}

/// All events stand in runs now. Where the disk is full, the next start deletes the rows.
fn drop_active_rows(ledgers: &Ledgers, record: &LedgerRecord) -> Result<(), StoreError> {
    loop {
        match ledgers.drop_active(record.number, Seq::MAX, ROWS_PER_STEP) {
            Ok(0) => return Ok(()),
            Err(error) if error.is_full() => return Ok(()),
            dropped => drop(dropped?),
        }
    }
}
