//! Data keys of which nothing is left, and persons whom nobody needs any more.

use std::collections::{BTreeSet, HashSet};

use super::RetentionError;
use super::carry_out::JobDone;
use super::due::Due;
use crate::Engine;
use crate::classes::Class;
use crate::keyring::KeyError;
use crate::ledger::Ledger;
use crate::read::entry_at;
use crate::tenant::Tenant;
use crate::{rotation, trigger, unneeded};
use trailkeep_crypto::payload::key_ids;
use trailkeep_policy::KeyPeriod;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{ClassNumber, KeyId, LookupKey, Seq, Tag};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::time::UnixMillis;

/// Entries of one read.
const ENTRIES_PER_READ: u64 = 1_000;
/// Data keys that one commit destroys.
pub(super) const KEYS_PER_STEP: usize = 500;
/// Persons read at once.
const PERSONS_PER_READ: u32 = 1_000;
/// Persons that one step forgets: the writer waits meanwhile.
const PERSONS_PER_STEP: usize = 32;

/// What the events that go had to do with.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) periods: HashSet<(ClassNumber, KeyPeriod)>,
    pub(super) persons: HashSet<Tag>,
    pub(super) done: JobDone,
}

/// The key periods of all records that something happened to.
pub(super) fn periods_of_records(
    engine: &Engine,
    ledger: &Ledger,
) -> Result<HashSet<(ClassNumber, KeyPeriod)>, RetentionError> {
    let tag = |record: &str| trigger::record_tag(ledger, record);
    let records = trigger::by_record(&engine.keyring, ledger.active_record(), tag)?;
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
pub(super) fn periods_of(
    engine: &Engine,
    ledger: &Ledger,
    items: &[Seq],
) -> Result<HashSet<(ClassNumber, KeyPeriod)>, RetentionError> {
    let mut periods = HashSet::new();
    for seq in items {
        let entry = entry_at(engine, ledger, *seq)?;
        let class = ledger.classes.class(entry.class);
        let after = class.and_then(|class| class.after);
        periods.insert((entry.class, KeyPeriod::of(entry.recorded_at, after)));
    }
    Ok(periods)
}

pub(super) fn all_persons(
    engine: &Engine,
    ledger: &Ledger,
) -> Result<HashSet<Tag>, RetentionError> {
    let mut persons = HashSet::new();
    let mut after = 0;
    loop {
        let vault = engine.keyring.vault();
        let some = vault.person_tags(ledger.record.number, after, PERSONS_PER_READ)?;
        let Some((last, _)) = some.last() else {
            return Ok(persons);
        };
        after = *last;
        persons.extend(some.iter().filter_map(|(_, tag)| Tag::from_slice(tag)));
    }
}

/// Destroys the keys of periods that ended and of which nothing is left, of classes of which nothing goes now; whether
/// there were any.
pub(super) fn destroy_idle_keys(
    engine: &Engine,
    ledger: &Ledger,
    due: &Due,
) -> Result<bool, RetentionError> {
    let mut any = false;
    for class in due.classes.iter().filter(|class| class.goes() == 0) {
        let Some(from) = class.expired_before else {
            continue;
        };
        for (number, period) in periods_between(&class.class, from, class.recorded_before) {
            any |= destroy_keys(engine, ledger, number, period)?;
        }
    }
    Ok(any)
}

/// Destroys again what statements say was destroyed: data keys that no text needs, and persons whom no event names. A vault from
/// before those statements brought them back.
pub(crate) fn destroy_again(engine: &Engine, tenant: &Tenant) -> Result<(), RetentionError> {
    for ledger in tenant.all() {
        let unneeded = unneeded::data_keys(&engine.ledgers, &engine.keyring, &ledger.record)?;
        let ids: Vec<KeyId> = unneeded.iter().map(|row| row.key_id).collect();
        for step in ids.chunks(KEYS_PER_STEP) {
            engine.keyring.destroy_keys(step)?;
        }
        let persons = all_persons(engine, ledger)?;
        forget_persons(engine, ledger, &persons, &mut JobDone::default())?;
    }
    Ok(rotation::set_due(engine)?)
}

/// The periods of a class's keys that ended in a time.
pub(super) fn periods_between(
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
pub(super) fn destroy_keys(
    engine: &Engine,
    ledger: &Ledger,
    class: ClassNumber,
    period: KeyPeriod,
) -> Result<bool, RetentionError> {
    let number = ledger.record.number;
    let keys = engine
        .keyring
        .vault()
        .data_keys_of_period(number, class, &period.to_string())?;
    if keys.is_empty() {
        return Ok(false);
    }
    let needed = keys_needed(engine, ledger, class, period)?;
    let going: Vec<KeyId> = keys
        .into_iter()
        .filter(|key| !needed.contains(key))
        .collect();
    for step in going.chunks(KEYS_PER_STEP) {
        engine.keyring.destroy_keys(step)?;
    }
    Ok(!going.is_empty())
}

/// The keys that texts of a class and period are sealed under.
fn keys_needed(
    engine: &Engine,
    ledger: &Ledger,
    class: ClassNumber,
    period: KeyPeriod,
) -> Result<BTreeSet<KeyId>, RetentionError> {
    let mut needed = BTreeSet::new();
    for seq in events_of_period(engine, ledger, class, period)? {
        needed.extend(keys_of_text(engine, ledger, seq)?);
    }
    Ok(needed)
}

/// The keys that an event's text needs; none where the text is gone.
pub(super) fn keys_of_text(
    engine: &Engine,
    ledger: &Ledger,
    seq: Seq,
) -> Result<Vec<KeyId>, StoreError> {
    let found = engine.ledgers.event(ledger.record.number, seq)?;
    let payload = found.and_then(|row| row.payload).unwrap_or_default();
    Ok(key_ids(&payload).unwrap_or_default())
}

/// The events of a class and period whose texts are there; of a record, of whatever class.
pub(super) fn events_of_period(
    engine: &Engine,
    ledger: &Ledger,
    class: ClassNumber,
    period: KeyPeriod,
) -> Result<Vec<Seq>, RetentionError> {
    let number = ledger.record.number;
    if let KeyPeriod::Record(record) = period {
        return Ok(events_under(engine, ledger, LookupKey::from(record))?);
    }
    let size = ledger.published().head.size;
    let bounds = period.bounds();
    let edge = |moment: UnixMillis| engine.ledgers.first_recorded_at(number, size, moment.get());
    let (mut first, end) = (edge(bounds.start)?.get(), edge(bounds.end)?.get());
    let mut events = Vec::new();
    while first < end {
        let last = end.min(first + ENTRIES_PER_READ);
        let there = engine.ledgers.seqs_with_payload(number, first..last)?;
        for (seq, bytes) in engine.ledgers.entry_rows(number, first..last)? {
            let is_of_class = Entry::decode(&bytes).is_ok_and(|entry| entry.class == class);
            if is_of_class && there.binary_search(&seq).is_ok() {
                events.push(seq);
            }
        }
        first = last;
    }
    Ok(events)
}

/// All events that the index has under a key.
pub(super) fn events_under(
    engine: &Engine,
    ledger: &Ledger,
    key: LookupKey,
) -> Result<Vec<Seq>, StoreError> {
    let number = ledger.record.number;
    engine
        .index
        .find(number, key, Seq::new(0), Seq::MAX, usize::MAX)
}

/// Destroys the tags and references of persons whom no event has any more, and which reads showed them.
pub(super) fn forget_persons(
    engine: &Engine,
    ledger: &Ledger,
    persons: &HashSet<Tag>,
    done: &mut JobDone,
) -> Result<(), RetentionError> {
    let number = ledger.record.number;
    let is_found = |reference| {
        let key = LookupKey::from(reference);
        let found = engine.index.find(number, key, Seq::new(0), Seq::MAX, 1);
        found.map(|found| !found.is_empty()).map_err(KeyError::from)
    };
    let persons: Vec<Tag> = persons.iter().copied().collect();
    for some in persons.chunks(PERSONS_PER_STEP) {
        let forget = || {
            let origin = &ledger.record.origin;
            // After a crash in between nobody would know whose the rows of reads were.
            let reads_first = |gone: &[_]| engine.ledgers.delete_reads_of_persons(gone);
            let keyring = &engine.keyring;
            Ok::<_, RetentionError>(keyring.forget_persons(
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
