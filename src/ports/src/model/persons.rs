//! Persons and data keys.

use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber, Tag};

use super::vault::{Folded, MemoryVault, Person};
use crate::{DataKeyRow, DataKeys, PersonRow, Persons, RETIRED, StoreError, UnfoldedPerson};

impl Persons for MemoryVault {
    fn person(&self, ledger: LedgerNumber, tag: Tag) -> Result<Option<PersonRow>, StoreError> {
        let tables = self.tables.lock();
        let number = tables.person_number(ledger, tag);
        Ok(number.map(|id| PersonRow {
            id,
            epoch: tables.persons[&id].epoch,
            sealed: tables.persons[&id].sealed.clone(),
        }))
    }

    fn person_tags(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let tables = self.tables.lock();
        let persons = tables.persons.iter();
        let persons = persons.filter(|(id, person)| person.ledger == ledger && **id > after);
        Ok(persons
            .map(|(id, person)| (*id, person.tag.as_bytes().to_vec()))
            .take(limit as usize)
            .collect())
    }

    fn person_tag(&self, person: i64) -> Result<Option<Tag>, StoreError> {
        Ok(self
            .tables
            .lock()
            .persons
            .get(&person)
            .map(|person| person.tag))
    }

    fn person_has_keys(&self, ledger: LedgerNumber, person: i64) -> Result<bool, StoreError> {
        let tables = self.tables.lock();
        let mut keys = tables.data_keys.values();
        Ok(keys.any(|key| key.ledger == ledger && key.person == person))
    }

    fn delete_persons(&self, persons: &[i64]) -> Result<(), StoreError> {
        if persons.is_empty() {
            return Ok(());
        }
        self.change(|tables| {
            for person in persons {
                tables.persons.remove(person);
            }
            Ok(())
        })
    }

    fn unfolded_persons(
        &self,
        ledger: LedgerNumber,
        limit: u32,
    ) -> Result<Vec<UnfoldedPerson>, StoreError> {
        let tables = self.tables.lock();
        let is_unfolded =
            |(_, one): &(&i64, &Person)| one.ledger == ledger && one.folded == Folded::Unknown;
        let persons = tables.persons.iter().filter(is_unfolded);
        Ok(persons
            .map(|(id, person)| UnfoldedPerson {
                id: *id,
                tag: person.tag,
            })
            .take(limit as usize)
            .collect())
    }

    fn put_folded(
        &self,
        ledger: LedgerNumber,
        rows: &[(i64, Option<Tag>)],
    ) -> Result<(), StoreError> {
        self.change(|tables| {
            for (id, folded) in rows {
                if let Some(person) = tables.persons.get_mut(id)
                    && person.ledger == ledger
                    && person.folded == Folded::Unknown
                {
                    person.folded = Folded::Known(*folded);
                }
            }
            Ok(())
        })
    }

    fn folded_of_nobody(&self, _ledger: LedgerNumber, _limit: u32) -> Result<Vec<i64>, StoreError> {
        // A folded tag goes with its person's row.
        Ok(Vec::new())
    }

    fn persons_folded_to(
        &self,
        ledger: LedgerNumber,
        folded: Tag,
        limit: u32,
    ) -> Result<Vec<Tag>, StoreError> {
        let tables = self.tables.lock();
        let persons = tables.persons.values();
        let persons = persons.filter(|person| {
            person.ledger == ledger && person.folded == Folded::Known(Some(folded))
        });
        Ok(persons
            .map(|person| person.tag)
            .take(limit as usize)
            .collect())
    }
}

impl DataKeys for MemoryVault {
    fn data_key_for(
        &self,
        ledger: LedgerNumber,
        person: Option<Tag>,
        class: ClassNumber,
        period: &str,
    ) -> Result<Option<DataKeyRow>, StoreError> {
        let tables = self.tables.lock();
        let number = person.map_or(Some(0), |tag| tables.person_number(ledger, tag));
        let mut keys = tables.data_keys.values();
        let key = keys.find(|key| {
            (key.ledger, key.class, &*key.period) == (ledger, class, period)
                && Some(key.person) == number
        });
        Ok(key.cloned())
    }

    fn data_key(&self, key_id: KeyId) -> Result<Option<DataKeyRow>, StoreError> {
        let number = key_id.get().cast_signed();
        Ok(self.tables.lock().data_keys.get(&number).cloned())
    }

    fn data_keys(&self, after: Option<KeyId>, limit: u32) -> Result<Vec<DataKeyRow>, StoreError> {
        let tables = self.tables.lock();
        let after = after.map_or(i64::MIN, |id| id.get().cast_signed());
        let keys = tables
            .data_keys
            .iter()
            .filter(|(number, _)| **number > after);
        Ok(keys
            .map(|(_, key)| key.clone())
            .take(limit as usize)
            .collect())
    }

    fn data_keys_of_period(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        period: &str,
    ) -> Result<Vec<KeyId>, StoreError> {
        let tables = self.tables.lock();
        let keys = tables.data_keys.values();
        let keys =
            keys.filter(|key| (key.ledger, key.class, &*key.period) == (ledger, class, period));
        Ok(keys.map(|key| key.key_id).collect())
    }

    fn retired_data_keys(&self, ledger: LedgerNumber) -> Result<Vec<DataKeyRow>, StoreError> {
        let tables = self.tables.lock();
        let keys = tables.data_keys.values();
        let keys = keys.filter(|key| key.ledger == ledger && key.period.ends_with(RETIRED));
        Ok(keys.cloned().collect())
    }

    fn retire_data_keys(&self, rows: &[DataKeyRow]) -> Result<(), StoreError> {
        self.change(|tables| {
            for row in rows {
                let number = row.key_id.get().cast_signed();
                if tables.data_keys.contains_key(&number) {
                    tables.check(row.epoch)?;
                }
                if let Some(key) = tables.data_keys.get_mut(&number) {
                    key.period.clone_from(&row.period);
                    key.epoch = row.epoch;
                    key.sealed.clone_from(&row.sealed);
                }
            }
            Ok(())
        })
    }

    fn delete_data_keys(&self, keys: &[KeyId]) -> Result<(), StoreError> {
        self.change(|tables| {
            for key in keys {
                tables.data_keys.remove(&key.get().cast_signed());
            }
            Ok(())
        })
    }
}
