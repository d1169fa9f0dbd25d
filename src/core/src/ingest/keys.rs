//! Staging keys: one for each ledger and UTC day, sealed in the vault, destroyed when nothing waits under it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{RwLock, RwLockReadGuard};

use crate::ingest::{Inbox, StagingError};
use crate::journal::Journal;
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
pub(crate) use crate::keys::records::INBOX_KEY as KIND;
use trailkeep_crypto::secret::DataKey;
use trailkeep_ports::{LedgerRecord, SealedRecordRow};
use trailkeep_proof::ids::LedgerNumber;
use trailkeep_proof::time::UnixMillis;
pub(super) const DAY_MS: u64 = 86_400_000;

/// What is known of keys.
#[derive(Default)]
struct Known {
    keys: HashMap<(LedgerNumber, u32), Arc<DataKey>>,
    /// Ledgers that take no parts any more.
    shut: HashSet<LedgerNumber>,
}

/// What a key is to seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealing {
    /// A part that came.
    Part,
    /// An event that was assembled.
    Event,
}

/// The keys that are open.
#[derive(Default)]
pub(super) struct StagingKeys(RwLock<Known>);

/// A day's key, which is not destroyed while this is held.
pub(super) struct HeldKey<'a> {
    /// The day, from 1970-01-01.
    pub(super) day: u32,
    /// The key.
    pub(super) key: Arc<DataKey>,
    _held: RwLockReadGuard<'a, Known>,
}

impl StagingKeys {
    /// Takes no parts of a ledger from here on. What is being taken is on disk when this returns.
    pub(super) fn shut(&self, ledger: &LedgerRecord) {
        let mut known = self.0.write();
        known.shut.insert(ledger.number);
    }

    /// Takes parts of a ledger again.
    pub(super) fn open_again(&self, ledger: &LedgerRecord) {
        let mut known = self.0.write();
        known.shut.remove(&ledger.number);
    }

    /// The key of the day of `now`; it is in the vault when this returns.
    pub(super) fn of_today(
        &self,
        journal: &Journal,
        ledger: &LedgerRecord,
        now: UnixMillis,
        sealing: Sealing,
    ) -> Result<HeldKey<'_>, StagingError> {
        let day = u32::try_from(now.get() / DAY_MS).unwrap_or(u32::MAX);
        loop {
            let held = self.0.read();
            if sealing == Sealing::Part && held.shut.contains(&ledger.number) {
                return Err(StagingError::TenantClosed);
            }
            if let Some(key) = held.keys.get(&(ledger.number, day)) {
                return Ok(HeldKey {
                    day,
                    key: Arc::clone(key),
                    _held: held,
                });
            }
            drop(held);
            let mut known = self.0.write();
            if let Entry::Vacant(place) = known.keys.entry((ledger.number, day)) {
                let key = match stored(journal, ledger, day)? {
                    Some(key) => key,
                    None => make(journal, ledger, day)?,
                };
                place.insert(Arc::new(key));
            }
        }
    }

    /// The key of a day; none where the vault has none.
    pub(super) fn of_day(
        &self,
        journal: &Journal,
        ledger: &LedgerRecord,
        day: u32,
    ) -> Result<Option<Arc<DataKey>>, StagingError> {
        let slot = (ledger.number, day);
        let mut known = self.0.write();
        if let Some(key) = known.keys.get(&slot) {
            return Ok(Some(Arc::clone(key)));
        }
        let Some(key) = stored(journal, ledger, day)? else {
            return Ok(None);
        };
        let key = Arc::new(key);
        known.keys.insert(slot, Arc::clone(&key));
        Ok(Some(key))
    }

    /// Destroys the keys under which nothing waits: of days before `now` alone, where it is given. Gives how many.
    pub(super) fn destroy_unused(
        &self,
        inbox: &Inbox,
        ledger: &LedgerRecord,
        now: Option<UnixMillis>,
    ) -> Result<usize, StagingError> {
        let vault = inbox.journal.keyring.vault();
        let rows = vault.records(KIND, ledger.number)?;
        if rows.is_empty() {
            return Ok(0);
        }
        // Nobody adds a part while this is held.
        let mut known = self.0.write();
        let needed = inbox.file.days(ledger.number)?;
        let unused = |row: &&SealedRecordRow| {
            let day = parse_day(&row.id);
            let is_past = |day| now.is_none_or(|now| u64::from(day) < now.get() / DAY_MS);
            day.is_none_or(|day| is_past(day) && !needed.contains(&day))
        };
        let mut destroyed = 0;
        for row in rows.iter().filter(unused) {
            vault.delete_record(KIND, ledger.number, &row.id)?;
            if let Some(day) = parse_day(&row.id) {
                known.keys.remove(&(ledger.number, day));
            }
            destroyed += 1;
        }
        drop(known);
        if destroyed > 0 {
            vault.purge()?;
            inbox.file.purge()?;
        }
        Ok(destroyed)
    }
}

/// All staging keys of a ledger that open, by their day.
pub(super) fn all_of(
    keyring: &Keyring,
    ledger: &LedgerRecord,
) -> Result<BTreeMap<i64, DataKey>, KeyError> {
    let mut keys = BTreeMap::new();
    for row in keyring.vault().records(KIND, ledger.number)? {
        let opened = keyring.unseal(
            row.epoch,
            &row.sealed,
            &place(ledger, &row.id),
            "a staging key",
        );
        let key = opened.ok().and_then(|key| DataKey::from_slice(&key));
        keys.extend(parse_day(&row.id).map(i64::from).zip(key));
    }
    Ok(keys)
}

fn stored(
    journal: &Journal,
    ledger: &LedgerRecord,
    day: u32,
) -> Result<Option<DataKey>, StagingError> {
    let rows = journal.keyring.vault().records(KIND, ledger.number)?;
    let id = day_name(day);
    let Some(row) = rows.into_iter().find(|row| row.id == id) else {
        return Ok(None);
    };
    let key =
        journal
            .keyring
            .unseal(row.epoch, &row.sealed, &place(ledger, &id), "a staging key")?;
    let key = DataKey::from_slice(&key).ok_or(KeyError::DoesNotOpen("a staging key"))?;
    Ok(Some(key))
}

fn make(journal: &Journal, ledger: &LedgerRecord, day: u32) -> Result<DataKey, StagingError> {
    let key = DataKey::random().map_err(KeyError::from)?;
    let id = day_name(day);
    let sealed = journal.keyring.seal(key.expose(), &place(ledger, &id));
    let (epoch, sealed) = sealed.map_err(KeyError::from)?;
    journal.keyring.vault().put_record(&SealedRecordRow {
        kind: KIND.to_owned(),
        ledger: ledger.number,
        id,
        epoch,
        sealed,
    })?;
    Ok(key)
}

fn place(ledger: &LedgerRecord, id: &str) -> String {
    records::place(KIND, ledger.origin.as_str(), id)
}

fn day_name(day: u32) -> String {
    let moment = UnixMillis::new(u64::from(day) * DAY_MS);
    moment.to_string()[..10].to_owned()
}

fn parse_day(name: &str) -> Option<u32> {
    let moment = UnixMillis::parse_rfc3339(&format!("{name}T00:00:00Z"))?;
    u32::try_from(moment.get() / DAY_MS).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_names() {
        for day in [0, 19_000, 20_782] {
            assert_eq!(parse_day(&day_name(day)), Some(day));
        }
        assert_eq!(day_name(20_782), "2026-11-25");
    }
}
