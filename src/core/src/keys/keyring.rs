//! Who has which key: finds or makes the keys of a person, class and period, and opens keys by number.
//!
//! A new key is usable at once and *pending* until the writer has put it into the vault; every event
//! that uses a pending key carries it to the writer, so no event is ever on disk without its key.

mod destroy;
mod pending;
mod sums;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::{Mutex, RwLock};
use zeroize::Zeroizing;

pub use self::destroy::Destroyed;
use self::pending::{Known, distinct};
pub use self::pending::{Needs, PendingKey, PendingPerson};
pub(crate) use self::sums::KIND as ROW_KEY_KIND;
use crate::keys::known_api_keys::KnownApiKeys;
use crate::keys::last_use::LastUses;
use trailkeep_crypto::epoch::{DirectoryId, Epoch};
use trailkeep_crypto::payload::{KeySet, NumberedKey, OpenError, key_ids};
use trailkeep_crypto::secret::{DataKey, RandomError, random_bytes};
use trailkeep_ports::{
    DataKeyRow, NewDataKey, NewPerson, PersonRow, StoreError, Vault, VaultChanges,
};
use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber, Origin, PersonReference, Tag};

/// Persons and keys kept in memory: what a few million events of some ten thousand people need.
pub(crate) const CACHE_ENTRIES: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The vault has no key with this number.
    #[error("the vault has no key {0:016x}")]
    Missing(u64),
    /// The vault's row does not open under its epoch: damaged, or moved from another place.
    #[error("the vault's row of {0} cannot be decrypted: it was changed, or moved from elsewhere")]
    DoesNotOpen(&'static str),
    /// The vault could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The payload names no keys.
    #[error(transparent)]
    Payload(#[from] OpenError),
}

/// Does work that seals under the current epoch and writes that to the vault. A rotation that ends in between makes the vault
/// refuse it: then the work is done again, under the next epoch.
pub(crate) fn with_current_epoch<T>(
    mut work: impl FnMut() -> Result<T, KeyError>,
) -> Result<T, KeyError> {
    loop {
        match work() {
            Err(KeyError::Store(StoreError::RetiredEpoch)) => {}
            outcome => return outcome,
        }
    }
}

/// What a data key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeySlot {
    /// The ledger.
    pub ledger: LedgerNumber,
    /// The person by tag, or nobody.
    pub person: Option<Tag>,
    /// The retention class.
    pub class: ClassNumber,
    /// The period.
    pub period: trailkeep_policy::KeyPeriod,
}

/// The keys of one data directory.
pub struct Keyring {
    vault: Arc<Vault>,
    directory: DirectoryId,
    epochs: RwLock<Arc<[Epoch]>>,
    persons: Mutex<Known<(LedgerNumber, Tag), PersonReference, NewPerson>>,
    keys: Mutex<Known<KeySlot, NumberedKey, NewDataKey>>,
    by_id: Mutex<LruCache<KeyId, Arc<DataKey>>>,
    system: Mutex<HashMap<KeyId, Arc<DataKey>>>,
    destroyed: RwLock<Destroyed>,
    last_uses: LastUses,
    api_keys: KnownApiKeys,
}

impl Keyring {
    /// The keyring over a vault whose epochs are open; the last one seals.
    pub fn new(vault: Arc<Vault>, directory: DirectoryId, epochs: Vec<Epoch>) -> Self {
        Self {
            vault,
            directory,
            epochs: RwLock::new(epochs.into()),
            persons: Mutex::new(Known::default()),
            keys: Mutex::new(Known::default()),
            by_id: Mutex::new(LruCache::new(CACHE_ENTRIES)),
            system: Mutex::default(),
            destroyed: RwLock::default(),
            last_uses: LastUses::default(),
            api_keys: KnownApiKeys::default(),
        }
    }

    /// When API keys were last used.
    pub(crate) fn last_uses(&self) -> &LastUses {
        &self.last_uses
    }

    /// API keys that requests came with.
    pub(crate) fn api_keys(&self) -> &KnownApiKeys {
        &self.api_keys
    }

    /// The vault below.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The data directory whose secrets these are.
    pub fn directory(&self) -> DirectoryId {
        self.directory
    }

    /// The epochs that open, ascending; the last one seals.
    pub fn epochs(&self) -> Arc<[Epoch]> {
        let epochs = self.epochs.read();
        Arc::clone(&epochs)
    }

    /// Takes the epochs that `epoch.key` has now.
    pub(crate) fn set_epochs(&self, epochs: Vec<Epoch>) {
        *self.epochs.write() = epochs.into();
    }

    /// Seals a secret under the current epoch, for a place.
    pub fn seal(&self, secret: &[u8], place: &str) -> Result<(u32, Vec<u8>), RandomError> {
        let epochs = self.epochs();
        let epoch = epochs
            .last()
            .expect("epoch.key holds at least one epoch: its reader checked");
        let place = format!("{place}\n{}", self.directory);
        Ok((epoch.number.0, epoch.key.wrap(secret, place.as_bytes())?))
    }

    /// Opens what [`Self::seal`] sealed for the same place.
    pub fn unseal(
        &self,
        epoch: u32,
        sealed: &[u8],
        place: &str,
        what: &'static str,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let place = format!("{place}\n{}", self.directory);
        let epochs = self.epochs();
        let epoch = epochs.iter().find(|known| known.number.0 == epoch);
        epoch
            .and_then(|epoch| epoch.key.unwrap(sealed, place.as_bytes()).ok())
            .ok_or(KeyError::DoesNotOpen(what))
    }

    /// The reference that stands for a person in the ledger's files. A new person joins `needs`, with
    /// the folded tag where they are a data subject.
    pub fn person(
        &self,
        origin: &Origin,
        ledger: LedgerNumber,
        (tag, folded): (Tag, Option<Tag>),
        needs: &mut Needs,
    ) -> Result<PersonReference, KeyError> {
        let slot = (ledger, tag);
        if let Some(found) = self.persons.lock().find(&slot, &mut needs.persons) {
            return Ok(found);
        }
        if let Some(reference) = self.known_person(origin, ledger, tag)? {
            return Ok(reference);
        }
        let reference = PersonReference::new(random_bytes()?);
        let place = person_place(origin.as_str());
        let (epoch, sealed) = self.seal(reference.as_bytes(), &place)?;
        let row = NewPerson {
            ledger,
            tag,
            folded,
            epoch,
            sealed,
        };
        Ok(self
            .persons
            .lock()
            .find_or_add(slot, reference, (row, place), &mut needs.persons))
    }

    /// The reference of a person whom the vault knows, from memory where it was asked for before.
    pub(crate) fn known_person(
        &self,
        origin: &Origin,
        ledger: LedgerNumber,
        tag: Tag,
    ) -> Result<Option<PersonReference>, KeyError> {
        let slot = (ledger, tag);
        if let Some(reference) = self.persons.lock().ready.get(&slot) {
            return Ok(Some(*reference));
        }
        let stored = self.stored_person(origin, ledger, tag)?;
        if let Some(reference) = stored {
            self.remember(std::iter::empty(), &[reference.into()], || {
                self.persons.lock().ready.put(slot, reference);
            });
        }
        Ok(stored)
    }

    /// The reference of a person, read from the vault.
    pub fn stored_person(
        &self,
        origin: &Origin,
        ledger: LedgerNumber,
        tag: Tag,
    ) -> Result<Option<PersonReference>, KeyError> {
        let row = self.vault.person(ledger, tag)?;
        row.map(|row| self.open_person(origin, &row)).transpose()
    }

    /// Opens a person's row.
    pub(crate) fn open_person(
        &self,
        origin: &Origin,
        row: &PersonRow,
    ) -> Result<PersonReference, KeyError> {
        let reference = self.unseal(
            row.epoch,
            &row.sealed,
            &person_place(origin.as_str()),
            "a person",
        )?;
        PersonReference::from_slice(&reference).ok_or(KeyError::DoesNotOpen("a person"))
    }

    /// The data key for a slot. A new key joins `needs`.
    pub fn data_key(
        &self,
        origin: &Origin,
        slot: KeySlot,
        needs: &mut Needs,
    ) -> Result<NumberedKey, KeyError> {
        if let Some(found) = self.keys.lock().find(&slot, &mut needs.keys) {
            return Ok(found);
        }
        let period = slot.period.to_string();
        let KeySlot { ledger, person, .. } = slot;
        let stored = self
            .vault
            .data_key_for(ledger, person, slot.class, &period)?;
        if let Some(row) = stored {
            let numbered = NumberedKey {
                id: row.key_id,
                key: self.open_row(origin, &row)?,
            };
            self.remember([numbered.id].into_iter(), &[], || {
                self.keys.lock().ready.put(slot, numbered.clone());
            });
            return Ok(numbered);
        }
        let numbered = NumberedKey {
            id: KeyId::new(u64::from_be_bytes(random_bytes()?)),
            key: Arc::new(DataKey::random()?),
        };
        let mut row = DataKeyRow {
            key_id: numbered.id,
            ledger: slot.ledger,
            person: 0,
            class: slot.class,
            period,
            epoch: 0,
            sealed: Vec::new(),
        };
        let place = data_key_place(origin.as_str(), row.key_id, row.class, &row.period);
        (row.epoch, row.sealed) = self.seal(numbered.key.expose(), &place)?;
        let row = NewDataKey {
            person: slot.person,
            row,
        };
        Ok(self
            .keys
            .lock()
            .find_or_add(slot, numbered, (row, place), &mut needs.keys))
    }

    /// Makes a ledger's system key known; it is never destroyed.
    pub fn add_system_key(&self, key: &NumberedKey) {
        self.system.lock().insert(key.id, Arc::clone(&key.key));
    }

    /// The keys that a payload names.
    pub fn keys_of(&self, origin: &Origin, payload: &[u8]) -> Result<KeySet, KeyError> {
        let keys = key_ids(payload)?.into_iter().map(|id| {
            let system = self.system.lock().get(&id).cloned();
            let known = system.or_else(|| self.by_id.lock().get(&id).cloned());
            if let Some(key) = known {
                return Ok(NumberedKey { id, key });
            }
            let row = self
                .vault
                .data_key(id)?
                .ok_or(KeyError::Missing(id.get()))?;
            let key = self.open_row(origin, &row)?;
            self.remember([id].into_iter(), &[], || {
                self.by_id.lock().put(id, Arc::clone(&key));
            });
            Ok(NumberedKey { id, key })
        });
        KeySet::new(keys.collect::<Result<Vec<_>, KeyError>>()?)
            .ok_or(KeyError::Payload(OpenError::KeyList))
    }

    /// Opens a data key's row.
    pub fn open_row(&self, origin: &Origin, row: &DataKeyRow) -> Result<Arc<DataKey>, KeyError> {
        let key = self.unseal(
            row.epoch,
            &row.sealed,
            &data_key_place(origin.as_str(), row.key_id, row.class, &row.period),
            "a data key",
        )?;
        DataKey::from_slice(&key)
            .map(Arc::new)
            .ok_or(KeyError::DoesNotOpen("a data key"))
    }

    /// Puts what a batch of events needs into the vault. When it returns, it is on disk.
    pub fn make_durable<'a>(
        &self,
        needs: impl Iterator<Item = &'a Needs> + Clone,
    ) -> Result<usize, KeyError> {
        let persons = distinct(needs.clone().flat_map(|needs| &needs.persons));
        let keys = distinct(needs.flat_map(|needs| &needs.keys));
        if persons.is_empty() && keys.is_empty() {
            return Ok(0);
        }
        // What was sealed before a rotation began is sealed anew.
        with_current_epoch(|| {
            let mut changes = VaultChanges::default();
            for pending in &persons {
                let mut row = pending.row.clone();
                let secret = pending.value.as_bytes();
                (row.epoch, row.sealed) =
                    self.current(row.epoch, row.sealed, secret, &pending.place)?;
                changes.persons.push(row);
            }
            for pending in &keys {
                let mut new = pending.row.clone();
                let (row, secret) = (&mut new.row, pending.value.key.expose());
                let sealed = std::mem::take(&mut row.sealed);
                (row.epoch, row.sealed) =
                    self.current(row.epoch, sealed, secret, &pending.place)?;
                changes.data_keys.push(new);
            }
            Ok(self.vault.commit(&changes)?)
        })?;
        self.persons.lock().settle(&persons);
        self.keys.lock().settle(&keys);
        Ok(persons.len() + keys.len())
    }

    /// The same, while the writer writes nothing.
    pub(crate) fn make_durable_alone(&self, needs: &Needs) -> Result<(), KeyError> {
        let _no_batch = self.destroyed.write();
        self.make_durable(std::iter::once(needs)).map(drop)
    }

    /// A sealing of the current epoch: the one that there is, or a new one.
    fn current(
        &self,
        epoch: u32,
        sealed: Vec<u8>,
        secret: &[u8],
        place: &str,
    ) -> Result<(u32, Vec<u8>), RandomError> {
        let now = self.epochs().last().map(|now| now.number.0);
        if now == Some(epoch) {
            return Ok((epoch, sealed));
        }
        self.seal(secret, place)
    }
}

/// What the sealing of a person's reference is bound to.
pub(crate) fn person_place(origin: &str) -> String {
    format!("trailkeep/person/v1\n{origin}")
}

/// What the sealing of a data key is bound to.
pub(crate) fn data_key_place(
    origin: &str,
    key_id: KeyId,
    class: ClassNumber,
    period: &str,
) -> String {
    format!(
        "trailkeep/data-key/v1\n{origin}\n{:016x}\n{}\n{period}",
        key_id.get(),
        class.get()
    )
}
