//! What an event is looked up by, derived again from its payload.

use crate::journal::append::{lookup_keys, person_tag};
use crate::keys::keyring::{KeyError, Keyring};
use crate::tenant::ledger::LedgerKeys;
use trailkeep_crypto::payload::open;
use trailkeep_ports::{LedgerRecord, StoreError};
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
    keyring: &Keyring,
    record: &LedgerRecord,
    keys: &LedgerKeys,
    entry: &Entry,
    payload: &[u8],
) -> Result<Derived, StoreError> {
    let derived = (|| {
        let data_keys = keyring.keys_of(&record.origin, payload)?;
        let opened = open(&record.origin, payload, &data_keys, &entry.commitment)?;
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
        })?;
        Ok(Derived::Keys(keys))
    })();
    match derived {
        Err(KeyError::Store(error)) => Err(error),
        Err(KeyError::Missing(_)) => Ok(Derived::KeyMissing),
        Err(_) => Ok(Derived::Unreadable),
        Ok(derived) => Ok(derived),
    }
}
