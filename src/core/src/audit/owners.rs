//! Whose keys seal an event: those of its subjects and class, and of nobody else.

use crate::audit::Findings;
use crate::audit::walk::{Stored, Walk};
use crate::journal::append::person_tag;
use crate::keys::keyring::KeyError;
use crate::tenant::ledger::LedgerKeys;
use trailkeep_crypto::payload::{is_re_encrypted, key_ids};
use trailkeep_crypto::secret::TagLabel;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{ClassNumber, KeyId, PersonReference, Tag};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;

/// A person of the vault.
#[derive(Clone, Copy)]
pub(super) struct KnownPerson {
    pub(super) row: i64,
    pub(super) reference: PersonReference,
}

/// Whose a data key of the ledger is.
#[derive(Clone, Copy)]
pub(super) struct KeyOwner {
    class: ClassNumber,
    /// The person's row; 0 of nobody.
    person: i64,
}

impl Walk<'_> {
    /// The keys that seal an event are those of its subjects and class, and of nobody else.
    pub(super) fn check_data_keys(
        &self,
        row: &Stored,
        entry: &Entry,
        facts: &Facts,
        keys: &LedgerKeys,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let mut owners = Vec::new();
        for id in row
            .payload
            .as_deref()
            .and_then(|payload| key_ids(payload).ok())
            .unwrap_or_default()
        {
            let owner = self.key_owner(id)?.filter(|key| key.class == entry.class);
            owners.extend(owner.map(|key| key.person));
        }
        let mut subjects = Vec::new();
        for person in &facts.subjects {
            let known = self.person(person_tag(&keys.index, TagLabel::Subject, person));
            subjects.extend(known.ok().flatten().map(|known| known.row));
        }
        if subjects.is_empty() {
            subjects.push(0);
        }
        owners.sort_unstable();
        subjects.sort_unstable();
        // An event that was sealed anew, after an erasure, may need fewer of them.
        let anew = row.payload.as_deref().is_some_and(is_re_encrypted);
        let fits = if anew {
            !owners.is_empty() && owners.iter().all(|owner| subjects.contains(owner))
        } else {
            owners == subjects
        };
        if !fits {
            findings.add(
                row.seq.get(),
                "data-key",
                "the keys of this event do not match its subjects and class",
            );
        }
        Ok(())
    }

    /// Whose a data key is; none of one that the vault has not, or has for another ledger.
    fn key_owner(&self, id: KeyId) -> Result<Option<KeyOwner>, StoreError> {
        if let Some(known) = self.key_owners.lock().get(&id) {
            return Ok(*known);
        }
        let row = self.subject.keyring.vault().data_key(id)?;
        let row = row.filter(|row| row.ledger == self.record.number);
        let owner = row.map(|row| KeyOwner {
            class: row.class,
            person: row.person,
        });
        self.key_owners.lock().put(id, owner);
        Ok(owner)
    }

    pub(super) fn person(&self, tag: Tag) -> Result<Option<KnownPerson>, KeyError> {
        let lock = || self.persons.lock();
        if let Some(known) = lock().get(&tag) {
            return Ok(*known);
        }
        let (keyring, number) = (self.subject.keyring, self.record.number);
        let known = match keyring.vault().person(number, tag)? {
            Some(row) => {
                let reference = keyring.open_person(&self.record.origin, &row)?;
                Some(KnownPerson {
                    row: row.id,
                    reference,
                })
            }
            None => None,
        };
        lock().put(tag, known);
        Ok(known)
    }
}
