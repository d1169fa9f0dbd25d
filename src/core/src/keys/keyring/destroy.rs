//! Destroying keys and persons while others append: what was sealed meanwhile under a key that went is sent back.

use std::collections::HashSet;

use parking_lot::RwLockReadGuard;

use crate::keys::keyring::{KeyError, Keyring, data_key_place, with_current_epoch};
use trailkeep_ports::{DataKeyRow, RETIRED, StoreError};
use trailkeep_proof::ids::{KeyId, LedgerNumber, LookupKey, Origin, PersonReference, Tag};

/// What was destroyed since the process began, for events that were sealed before and come to the writer after.
#[derive(Debug, Default)]
pub struct Destroyed {
    keys: HashSet<KeyId>,
    persons: HashSet<LookupKey>,
}

impl Destroyed {
    /// Whether an event that needs these may be written.
    pub fn is_free_of(&self, keys: impl Iterator<Item = KeyId>, lookups: &[LookupKey]) -> bool {
        (self.keys.is_empty() || !keys.into_iter().any(|key| self.keys.contains(&key)))
            && (self.persons.is_empty() || !lookups.iter().any(|key| self.persons.contains(key)))
    }
}

impl Keyring {
    /// What was destroyed; nothing more is while the answer is held: the writer holds it for a batch.
    pub fn hold_still(&self) -> RwLockReadGuard<'_, Destroyed> {
        self.destroyed.read()
    }

    /// Remembers what was read of the vault before, unless it was destroyed since. While something is being destroyed
    /// nothing is remembered: it is read again when it is needed next.
    pub(super) fn remember(
        &self,
        keys: impl Iterator<Item = KeyId>,
        lookups: &[LookupKey],
        remember: impl FnOnce(),
    ) {
        if let Some(destroyed) = self.destroyed.try_read()
            && destroyed.is_free_of(keys, lookups)
        {
            remember();
        }
    }

    /// Retires data keys: from here on nothing is sealed under them, and another key takes the place of each. They open
    /// what is sealed under them until they are destroyed.
    pub fn retire_keys(&self, origin: &Origin, rows: &[DataKeyRow]) -> Result<(), KeyError> {
        // The writer writes nothing meanwhile; what was sealed before comes back to be sealed under another key.
        let mut destroyed = self.destroyed.write();
        with_current_epoch(|| {
            let mut retired = Vec::with_capacity(rows.len());
            for row in rows.iter().filter(|row| !row.period.ends_with(RETIRED)) {
                let key = self.open_row(origin, row)?;
                let mut row = row.clone();
                row.period.push_str(RETIRED);
                let place = data_key_place(origin.as_str(), row.key_id, row.class, &row.period);
                (row.epoch, row.sealed) = self.seal(key.expose(), &place)?;
                retired.push(row);
            }
            Ok(self.vault.retire_data_keys(&retired)?)
        })?;
        destroyed.keys.extend(rows.iter().map(|row| row.key_id));
        self.forget_slots(&destroyed);
        Ok(())
    }

    /// No new event finds these keys by what they are for.
    fn forget_slots(&self, destroyed: &Destroyed) {
        let mut known = self.keys.lock();
        let gone: Vec<_> = known
            .ready
            .iter()
            .filter(|(_, key)| destroyed.keys.contains(&key.id))
            .map(|(slot, _)| *slot)
            .collect();
        for slot in gone {
            known.ready.pop(&slot);
        }
    }

    /// Destroys data keys, here and in the vault.
    pub fn destroy_keys(&self, keys: &[KeyId]) -> Result<(), KeyError> {
        let mut destroyed = self.destroyed.write();
        destroyed.keys.extend(keys);
        self.vault.delete_data_keys(keys)?;
        let mut by_id = self.by_id.lock();
        for key in keys {
            by_id.pop(key);
        }
        drop(by_id);
        self.forget_slots(&destroyed);
        Ok(())
    }

    /// Destroys the tags and references of persons, of whom no key and, as `is_found` says, no event is left. What
    /// hangs on their references goes before them.
    pub fn forget_persons(
        &self,
        origin: &Origin,
        ledger: LedgerNumber,
        tags: &[Tag],
        is_found: impl Fn(PersonReference) -> Result<bool, KeyError>,
        before: impl FnOnce(&[PersonReference]) -> Result<(), StoreError>,
    ) -> Result<(), KeyError> {
        // The writer writes nothing meanwhile, so nobody begins to need one of them.
        let mut destroyed = self.destroyed.write();
        let (mut rows, mut gone) = (Vec::new(), Vec::new());
        for tag in tags {
            let Some(row) = self.vault.person(ledger, *tag)? else {
                continue;
            };
            let Some(reference) = self.stored_person(origin, ledger, *tag)? else {
                continue;
            };
            if !self.vault.person_has_keys(ledger, row.id)? && !is_found(reference)? {
                rows.push(row.id);
                gone.push(reference);
            }
        }
        destroyed
            .persons
            .extend(gone.iter().copied().map(LookupKey::from));
        before(&gone)?;
        self.vault.delete_persons(&rows)?;
        let mut known = self.persons.lock();
        for tag in tags {
            known.ready.pop(&(ledger, *tag));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use trailkeep_crypto::epoch::DirectoryId;
    use trailkeep_files::directory::DataDirectory;
    use trailkeep_ports::Storage;
    use trailkeep_ports::model::MemoryStorage;

    fn keyring() -> Keyring {
        let (id, storage) = (DirectoryId::new([7; 16]), MemoryStorage::default());
        let directory = DataDirectory::new(Path::new("data"));
        storage.create(&directory, &id.to_string()).unwrap();
        let vault = storage.open_vault(&directory.vault_db(), &id.to_string());
        Keyring::new(Arc::new(vault.unwrap()), id, Vec::new())
    }

    /// A key and a person are read of the vault, and destroyed before they are remembered.
    #[test]
    fn what_was_destroyed_meanwhile_is_not_remembered() {
        let keyring = keyring();
        let (key, person) = (KeyId::new(3), LookupKey::new([5; 16]));
        let is_remembered = |keys: &[KeyId], persons: &[LookupKey]| {
            let mut remembered = false;
            keyring.remember(keys.iter().copied(), persons, || remembered = true);
            remembered
        };
        assert!(is_remembered(&[key], &[person]));
        keyring.destroyed.write().persons.insert(person);
        assert!(!is_remembered(&[], &[person]));
        assert!(is_remembered(&[key], &[]));
        keyring.destroyed.write().keys.insert(key);
        assert!(!is_remembered(&[key], &[]));
        let destroying = keyring.destroyed.write();
        assert!(!is_remembered(&[KeyId::new(4)], &[]));
        drop(destroying);
        assert!(is_remembered(&[KeyId::new(4)], &[]));
    }
}
