//! What an event is looked up by, derived again from its payload.

use crate::journal::append::{lookup_keys, person_tag};
use crate::journal::read::{ReadError, open_payload};
use crate::keys::keyring::{KeyError, Keyring};
use crate::tenant::ledger::LedgerKeys;
use trailkeep_ports::{LedgerRecord, Ledgers, StoreError};
use trailkeep_proof::ids::LookupKey;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;

/// What a payload gives.
pub(crate) enum Derived {
    /// The event's look-up keys.
    Keys(Vec<LookupKey>),
    /// Nothing: the vault does not have its data key. `verify` lists it.
    KeyMissing,
    /// Nothing: it does not open, or says nothing that is looked up. `verify` lists it.
    Unreadable,
}

/// Derives the look-up keys of one event.
pub(crate) fn derive(
    (ledgers, keyring): (&Ledgers, &Keyring),
    record: &LedgerRecord,
    keys: &LedgerKeys,
    entry: &Entry,
    payload: &[u8],
) -> Result<Derived, StoreError> {
    let opened = match open_payload((ledgers, keyring), record, entry, payload) {
        Ok(opened) => opened,
        Err(ReadError::Store(error)) => return Err(error),
        Err(ReadError::Key { error, .. }) => return unreadable(error),
        Err(_) => return Ok(Derived::Unreadable),
    };
    let sections = opened
        .sections
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let Ok(facts) = Facts::from_sections(sections) else {
        return Ok(Derived::Unreadable);
    };
    let keys = lookup_keys(&keys.index, &facts, |label, person| {
        let tag = person_tag(&keys.index, label, person);
        keyring.stored_person(&record.origin, record.number, tag)
    });
    keys.map_or_else(unreadable, |keys| Ok(Derived::Keys(keys)))
}

fn unreadable(error: KeyError) -> Result<Derived, StoreError> {
    match error {
        KeyError::Store(error) => Err(error),
        KeyError::Missing(_) => Ok(Derived::KeyMissing),
        _ => Ok(Derived::Unreadable),
    }
}
