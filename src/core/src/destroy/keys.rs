//! Data keys of which nothing is left, and persons whom nobody needs any more.

use std::collections::{BTreeSet, HashSet};

use crate::destroy::DeletionError;
use crate::destroy::job::JobDone;
use crate::journal::Journal;
use crate::journal::read::entry_at;
use crate::keys::keyring::KeyError;
use crate::keys::{rotation_due, unneeded};
use crate::short_reads::short_reads;
use crate::tenant::classes::Class;
use crate::tenant::ledger::Ledger;
use crate::tenant::{Tenant, trigger};
use trailkeep_crypto::payload::key_ids;
use trailkeep_policy::KeyPeriod;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{ClassNumber, KeyId, LookupKey, Seq, Tag};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::time::UnixMillis;

/// Data keys that one commit destroys.
pub(crate) const KEYS_PER_STEP: usize = 500;
/// Persons read at once.
const PERSONS_PER_READ: u32 = 1_000;
/// Persons that one step forgets: the writer waits meanwhile.
const PERSONS_PER_STEP: usize = 32;

/// What the events that go had to do with.
#[derive(Default)]
pub(crate) struct Touched {
    pub(crate) periods: HashSet<(ClassNumber, KeyPeriod)>,
    pub(crate) persons: HashSet<Tag>,
    pub(crate) done: JobDone,
}

/// The key periods of all records that something happened to.
pub(crate) fn periods_of_records(
    journal: &Journal,
    ledger: &Ledger,
) -> Result<HashSet<(ClassNumber, KeyPeriod)>, DeletionError> {
    let tag = |record: &str| trigger::record_tag(ledger, record);
    let records = trigger::by_record(&journal.keyring, ledger.active_record(), tag)?;
    let classes = ledger.classes.all();
    let waiting = classes.iter().filter(|class| class.after.is_none());
    Ok(waiting
        .flat_map(|class| {
            let of_class = |record: &Tag| (class.number, KeyPeriod::Record(*record));
            records.keys().map(of_class)
        })
        .collect())
}

/// The key periods of events that name no record, by their times of receipt.
pub(crate) fn periods_of(
    journal: &Journal,
    ledger: &Ledger,
    items: &[Seq],
) -> Result<HashSet<(ClassNumber, KeyPeriod)>, DeletionError> {
    let mut periods = HashSet::new();
    for seq in items {
        let entry = entry_at(journal, ledger, *seq)?;
        let class = ledger.classes.class(entry.class);
        let after = class.and_then(|class| class.after);
        periods.insert((entry.class, KeyPeriod::of(entry.recorded_at, after)));
    }
    Ok(periods)
}

pub(crate) fn all_persons(
    journal: &Journal,
    ledger: &Ledger,
) -> Result<HashSet<Tag>, DeletionError> {
    let mut persons = HashSet::new();
    let mut after = 0;
    loop {
        let vault = journal.keyring.vault();
        let some = vault.person_tags(ledger.record.number, after, PERSONS_PER_READ)?;
        let Some((last, _)) = some.last() else {
            return Ok(persons);
        };
        after = *last;
        persons.extend(some.iter().filter_map(|(_, tag)| Tag::from_slice(tag)));
    }
}

/// Destroys the keys of periods of a class that ended in a time and of which nothing is left; whether there were any.
pub(crate) fn destroy_idle_keys(
    journal: &Journal,
    ledger: &Ledger,
    class: &Class,
    (from, before): (UnixMillis, UnixMillis),
) -> Result<bool, DeletionError> {
    let mut any = false;
    for (number, period) in periods_between(class, from, before) {
        any |= destroy_keys(journal, ledger, number, period)?;
    }
    Ok(any)
}

/// Destroys again what statements say was destroyed: data keys that no text needs, and persons whom no event names. A vault from
/// before those statements brought them back.
pub(crate) fn destroy_again(journal: &Journal, tenant: &Tenant) -> Result<(), DeletionError> {
    for ledger in tenant.all() {
        let unneeded = unneeded::data_keys(&journal.ledgers, &journal.keyring, &ledger.record)?;
        let ids: Vec<KeyId> = unneeded.iter().map(|row| row.key_id).collect();
        for step in ids.chunks(KEYS_PER_STEP) {
            journal.keyring.destroy_keys(step)?;
        }
        let persons = all_persons(journal, ledger)?;
        forget_persons(journal, ledger, &persons, &mut JobDone::default())?;
    }
    Ok(rotation_due::set_due(
        &journal.keyring,
        journal.clock.wall(),
    )?)
}

/// The periods of a class's keys that ended in a time.
pub(crate) fn periods_between(
    class: &Class,
    from: UnixMillis,
    before: UnixMillis,
) -> Vec<(ClassNumber, KeyPeriod)> {
    let mut periods = Vec::new();
    let mut period = KeyPeriod::of(from, class.after);
    while period.bounds().end <= before {
        periods.push((class.number, period));
        period = KeyPeriod::of(period.bounds().end, class.after);
    }
    periods
}

/// Destroys the data keys of a class and period that no text needs any more; whether there were any.
pub(crate) fn destroy_keys(
    journal: &Journal,
    ledger: &Ledger,
    class: ClassNumber,
    period: KeyPeriod,
) -> Result<bool, DeletionError> {
    let number = ledger.record.number;
    let keys = journal
        .keyring
        .vault()
        .data_keys_of_period(number, class, &period.to_string())?;
    if keys.is_empty() {
        return Ok(false);
    }
    let needed = keys_needed(journal, ledger, class, period)?;
    let going: Vec<KeyId> = keys
        .into_iter()
        .filter(|key| !needed.contains(key))
        .collect();
    for step in going.chunks(KEYS_PER_STEP) {
        journal.keyring.destroy_keys(step)?;
    }
    Ok(!going.is_empty())
}

/// The keys that texts of a class and period are sealed under.
fn keys_needed(
    journal: &Journal,
    ledger: &Ledger,
    class: ClassNumber,
    period: KeyPeriod,
) -> Result<BTreeSet<KeyId>, DeletionError> {
    let mut needed = BTreeSet::new();
    for seq in events_of_period(journal, ledger, class, period)? {
        needed.extend(keys_of_text(journal, ledger, seq)?);
    }
    Ok(needed)
}

/// The keys that an event's text needs; none where the text is gone.
pub(crate) fn keys_of_text(
    journal: &Journal,
    ledger: &Ledger,
    seq: Seq,
) -> Result<Vec<KeyId>, StoreError> {
    let found = journal.ledgers.event(ledger.record.number, seq)?;
    let payload = found.and_then(|row| row.payload).unwrap_or_default();
    Ok(key_ids(&payload).unwrap_or_default())
}

/// The events of a class and period whose texts are there; of a record, of whatever class.
pub(crate) fn events_of_period(
    journal: &Journal,
    ledger: &Ledger,
    class: ClassNumber,
    period: KeyPeriod,
) -> Result<Vec<Seq>, DeletionError> {
    let number = ledger.record.number;
    if let KeyPeriod::Record(record) = period {
        return Ok(events_under(journal, ledger, LookupKey::from(record))?);
    }
    let size = ledger.published().head.size;
    let bounds = period.bounds();
    let edge = |moment: UnixMillis| {
        journal
            .ledgers
            .first_recorded_at(number, size, moment.get())
    };
    let (first, end) = (edge(bounds.start)?.get(), edge(bounds.end)?.get());
    let mut events = Vec::new();
    for range in short_reads(first..end) {
        let there = journal.ledgers.seqs_with_payload(number, range.clone())?;
        for (seq, bytes) in journal.ledgers.entry_rows(number, range)? {
            let is_of_class = Entry::decode(&bytes).is_ok_and(|entry| entry.class == class);
            if is_of_class && there.binary_search(&seq).is_ok() {
                events.push(seq);
            }
        }
    }
    Ok(events)
}

/// All events that the index has under a key.
pub(crate) fn events_under(
    journal: &Journal,
    ledger: &Ledger,
    key: LookupKey,
) -> Result<Vec<Seq>, StoreError> {
    let number = ledger.record.number;
    journal
        .index
        .find(number, key, Seq::new(0), Seq::MAX, usize::MAX)
}

/// Destroys the tags and references of persons whom no event has any more, and which reads showed them.
pub(crate) fn forget_persons(
    journal: &Journal,
    ledger: &Ledger,
    persons: &HashSet<Tag>,
    done: &mut JobDone,
) -> Result<(), DeletionError> {
    let number = ledger.record.number;
    let is_found = |reference| {
        let key = LookupKey::from(reference);
        let found = journal.index.find(number, key, Seq::new(0), Seq::MAX, 1);
        found.map(|found| !found.is_empty()).map_err(KeyError::from)
    };
    let persons: Vec<Tag> = persons.iter().copied().collect();
    for some in persons.chunks(PERSONS_PER_STEP) {
        let forget = || {
            let origin = &ledger.record.origin;
            // After a crash in between nobody would know whose the rows of reads were.
            let reads_first = |gone: &[_]| journal.ledgers.delete_reads_of_persons(gone);
            let keyring = &journal.keyring;
            Ok::<_, DeletionError>(keyring.forget_persons(
                origin,
                number,
                some,
                is_found,
                reads_first,
            )?)
        };
        done.step(forget)?;
    }
    Ok(())
}
