//! Destroying the keys of events that an erasure takes, at once: what else they open is sealed anew first.
//!
//! Of each event one key goes, which closes it for ever, in every copy. Its keys retire first, so that nothing new is
//! sealed under them and the list of what they open is final; then the survivors are sealed under the keys that stay,
//! or under a new one in the same place; then the keys go. Every step may be done twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::destroy::DeletionError;
use crate::destroy::keys::{KEYS_PER_STEP, Touched, events_of_period, events_under, keys_of_text};
use crate::failpoint::FailPoint;
use crate::journal::Journal;
use crate::journal::read::{ReadError, open_payload};
use crate::keys::keyring::Needs;
use crate::keys::keyring::{KeyError, KeySlot};
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::payload::{EVENT_NONCE_BYTES, KeySet, re_encrypt};
use trailkeep_crypto::secret::random_bytes;
use trailkeep_policy::KeyPeriod;
use trailkeep_ports::{DataKeyRow, RETIRED, StoreError};
use trailkeep_proof::ids::{KeyId, LookupKey, Seq};
use trailkeep_proof::ledger::entry::Entry;

/// Payloads that are sealed anew in one commit.
const SEALED_PER_STEP: usize = 64;

/// An event that stays, and the row of the person whose key it is to need no more.
pub(crate) type Leaving = (Seq, i64);

/// Destroys keys of events whose index rows have gone.
pub(crate) fn destroy_keys_of(
    journal: &Journal,
    ledger: &Ledger,
    (going, leaving): (&[Seq], &[Leaving]),
    touched: &mut Touched,
) -> Result<(), DeletionError> {
    let mut users = Users {
        journal,
        ledger,
        going: going.iter().copied().collect(),
        of_key: HashMap::new(),
    };
    let chosen = users.choose(going, leaving)?;
    let rows: Vec<DataKeyRow> = chosen.into_values().collect();
    if rows.is_empty() {
        return Ok(());
    }
    journal.keyring.retire_keys(&ledger.record.origin, &rows)?;
    // What came until then is in the index now.
    users.of_key.clear();
    let ids: BTreeSet<KeyId> = rows.iter().map(|row| row.key_id).collect();
    for row in &rows {
        let survivors = users.of(row)?;
        for some in survivors.chunks(SEALED_PER_STEP) {
            seal_some(journal, ledger, (row, &ids), some, touched)?;
        }
    }
    users.of_key.clear();
    for row in &rows {
        // The last word is the engine's: a key that a text still needs is never destroyed (COMPLIANCE T19).
        if let Some(seq) = users.of(row)?.first() {
            return Err(DeletionError::KeyNeeded(*seq));
        }
    }
    let ids: Vec<KeyId> = ids.into_iter().collect();
    for step in ids.chunks(KEYS_PER_STEP) {
        journal.keyring.destroy_keys(step)?;
    }
    FailPoint::KeysDestroyed.reach();
    Ok(())
}

/// Which events need a key, but for those that go.
struct Users<'a> {
    journal: &'a Journal,
    ledger: &'a Ledger,
    going: BTreeSet<Seq>,
    of_key: HashMap<KeyId, Vec<Seq>>,
}

impl Users<'_> {
    /// One key of each event that goes, those that retired before a crash, those that nothing else needs, and those
    /// that events which stay are to need no more.
    fn choose(
        &mut self,
        going: &[Seq],
        leaving: &[Leaving],
    ) -> Result<BTreeMap<KeyId, DataKeyRow>, DeletionError> {
        let (journal, number) = (self.journal, self.ledger.record.number);
        let vault = journal.keyring.vault();
        let mut known: HashMap<KeyId, Option<DataKeyRow>> = HashMap::new();
        let mut chosen: BTreeMap<KeyId, DataKeyRow> = vault
            .retired_data_keys(number)?
            .into_iter()
            .map(|row| (row.key_id, row))
            .collect();
        let mut shared: Vec<Vec<DataKeyRow>> = Vec::new();
        for (seq, person) in leaving {
            let ids = self.key_ids(*seq)?;
            for id in ids.iter().filter(|_| ids.len() > 1) {
                let row = vault.data_key(*id)?;
                chosen.extend(
                    row.filter(|row| row.person == *person)
                        .map(|row| (*id, row)),
                );
            }
        }
        for seq in going {
            let mut rows = Vec::new();
            for id in self.key_ids(*seq)? {
                let row = match known.get(&id) {
                    Some(row) => row.clone(),
                    None => known.entry(id).or_insert(vault.data_key(id)?).clone(),
                };
                rows.push(row);
            }
            // One that lacks a key opens for nobody.
            let Some(rows) = rows.into_iter().collect::<Option<Vec<DataKeyRow>>>() else {
                continue;
            };
            match rows.as_slice() {
                [only] => drop(chosen.insert(only.key_id, only.clone())),
                _ => shared.push(rows),
            }
        }
        for row in known.into_values().flatten() {
            if !chosen.contains_key(&row.key_id) && self.of(&row)?.is_empty() {
                chosen.insert(row.key_id, row);
            }
        }
        for rows in shared {
            if rows.iter().any(|row| chosen.contains_key(&row.key_id)) {
                continue;
            }
            let mut fewest: Option<(usize, DataKeyRow)> = None;
            for row in rows {
                let users = self.of(&row)?.len();
                if fewest.as_ref().is_none_or(|(least, _)| users < *least) {
                    fewest = Some((users, row));
                }
            }
            chosen.extend(fewest.map(|(_, row)| (row.key_id, row)));
        }
        Ok(chosen)
    }

    /// The events that need a key and do not go.
    fn of(&mut self, row: &DataKeyRow) -> Result<Vec<Seq>, DeletionError> {
        if let Some(known) = self.of_key.get(&row.key_id) {
            return Ok(known.clone());
        }
        let mut users = Vec::new();
        for seq in self.under(row)? {
            if !self.going.contains(&seq) && self.key_ids(seq)?.contains(&row.key_id) {
                users.push(seq);
            }
        }
        self.of_key.insert(row.key_id, users.clone());
        Ok(users)
    }

    /// The events that may need a key: those of its person, else those of its class and period.
    fn under(&self, row: &DataKeyRow) -> Result<Vec<Seq>, DeletionError> {
        let (keyring, record) = (&self.journal.keyring, &self.ledger.record);
        if row.person == 0 {
            return period_of(row).map_or(Ok(Vec::new()), |period| {
                events_of_period(self.journal, self.ledger, row.class, period)
            });
        }
        let Some(tag) = keyring.vault().person_tag(row.person)? else {
            return Ok(Vec::new());
        };
        let reference = keyring.stored_person(&record.origin, record.number, tag)?;
        reference.map_or(Ok(Vec::new()), |reference| {
            let key = LookupKey::from(reference);
            Ok(events_under(self.journal, self.ledger, key)?)
        })
    }

    fn key_ids(&self, seq: Seq) -> Result<Vec<KeyId>, StoreError> {
        keys_of_text(self.journal, self.ledger, seq)
    }
}

fn period_of(row: &DataKeyRow) -> Option<KeyPeriod> {
    KeyPeriod::parse(row.period.trim_end_matches(RETIRED))
}

/// Seals some of a key's survivors under the keys that stay, or under a new one in the place of this.
fn seal_some(
    journal: &Journal,
    ledger: &Ledger,
    (row, going): (&DataKeyRow, &BTreeSet<KeyId>),
    seqs: &[Seq],
    touched: &mut Touched,
) -> Result<(), DeletionError> {
    let (keyring, record) = (&journal.keyring, &ledger.record);
    let mut needs = Needs::default();
    let mut sealed = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let found = journal.ledgers.event(record.number, *seq)?;
        let Some((entry, payload)) = found.and_then(|row| Some((row.entry, row.payload?))) else {
            continue;
        };
        let entry = Entry::decode(&entry).map_err(|error| ReadError::Entry { seq: *seq, error })?;
        let mut keys = keyring
            .keys_of(&record.origin, &payload)?
            .without(|id| going.contains(&id));
        let opened = open_payload((&journal.ledgers, keyring), record, &entry, &payload)?;
        if keys.is_empty() {
            let slot = KeySlot {
                ledger: record.number,
                person: keyring.vault().person_tag(row.person)?,
                class: row.class,
                period: period_of(row).ok_or(KeyError::DoesNotOpen("a data key"))?,
            };
            keys.push(keyring.data_key(&record.origin, slot, &mut needs)?);
        }
        let keys = KeySet::new(keys).ok_or(KeyError::DoesNotOpen("a data key"))?;
        let nonce: [u8; EVENT_NONCE_BYTES] = random_bytes()?;
        let payload = re_encrypt(&record.origin, &keys, nonce, &opened)
            .ok_or(KeyError::DoesNotOpen("a text that is sealed anew"))?;
        sealed.push((*seq, payload));
    }
    // The vault's commit comes before the ledger's that uses the key.
    keyring.make_durable_alone(&needs)?;
    let replace = || journal.ledgers.replace_payloads(record.number, &sealed);
    touched
        .done
        .step(|| journal.values.deleting(record.number, replace))?;
    Ok(())
}
