//! What is due at a moment: nothing changes here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::RetentionError;
use super::rules::Rules;
use crate::ids::{ClassNumber, LookupKey, Seq, Tag};
use crate::ledger::entry::{Entry, EntryKind};
use crate::ledger::event::Facts;
use crate::policy::{EventTimes, resolve};
use crate::service::Engine;
use crate::service::classes::Class;
use crate::service::hold::Holds;
use crate::service::ledger::Ledger;
use crate::service::read::{ReadError, entry_at, open_event};
use crate::service::trigger;
use crate::time::UnixMillis;

/// Entries of one read.
const ENTRIES_PER_READ: u64 = 1_000;
/// Seqs of one look-up.
const SEQS_PER_LOOKUP: usize = 10_000;

/// What is due in a ledger.
#[derive(Default)]
pub struct Due {
    /// By class, up to a time of receipt.
    pub classes: Vec<DueClass>,
    /// Single events whose record's clock has run out, ascending.
    pub by_trigger: Vec<Seq>,
    /// Events of such records that a hold keeps.
    pub held_by_trigger: u64,
}

/// What is due of one class.
pub struct DueClass {
    /// The class.
    pub class: Arc<Class>,
    /// Up to this time of receipt, exclusive.
    pub recorded_before: UnixMillis,
    /// Up to when it had expired before.
    pub expired_before: Option<UnixMillis>,
    /// Events that expire now, by month of receipt (`2026-08`).
    pub months: BTreeMap<String, u64>,
    /// Events whose time has come now and that a hold keeps, ascending.
    pub held: Vec<Seq>,
    /// Events that a hold kept until now, and that go, ascending.
    pub released: Vec<Seq>,
    /// Events that a hold keeps still.
    pub still_held: u64,
}

impl DueClass {
    /// How many events go.
    pub fn goes(&self) -> u64 {
        self.months.values().sum::<u64>() + self.released.len() as u64
    }
}

impl Due {
    /// Events whose time has come and that a hold keeps.
    pub fn held(&self) -> u64 {
        let of_class = |class: &DueClass| class.held.len() as u64 + class.still_held;
        self.classes.iter().map(of_class).sum::<u64>() + self.held_by_trigger
    }

    /// Those of them that no hold had kept before.
    pub fn newly_held(&self) -> u64 {
        let of_class = |class: &DueClass| class.held.len() as u64;
        self.classes.iter().map(of_class).sum::<u64>() + self.held_by_trigger
    }
}

/// What is due at a moment, and what of it the holds keep. Its cost follows what has become due since the last run,
/// and what holds keep.
pub(super) fn due(
    engine: &Engine,
    ledger: &Ledger,
    holds: &Holds,
    now: UnixMillis,
) -> Result<Due, RetentionError> {
    let mut due = Due::default();
    let mut waiting = Vec::new();
    for class in ledger.classes.all() {
        let rules = Rules::of(ledger, &class)?;
        if rules.waits_for_a_trigger() {
            waiting.push(rules);
        } else if let Some(recorded_before) = rules.recorded_before(now) {
            let expired_before = ledger.covers.expired_before(class.number);
            due.classes.push(DueClass {
                class,
                // A law that became longer never takes back what is stated.
                recorded_before: recorded_before.max(expired_before.unwrap_or(recorded_before)),
                expired_before,
                months: BTreeMap::new(),
                held: Vec::new(),
                released: Vec::new(),
                still_held: 0,
            });
        }
    }
    find_expired(engine, ledger, holds, &mut due)?;
    find_released(engine, ledger, holds, now, &mut due)?;
    find_triggered(engine, ledger, holds, now, &waiting, &mut due)?;
    Ok(due)
}

/// Walks over the entries that became due since the last run.
fn find_expired(
    engine: &Engine,
    ledger: &Ledger,
    holds: &Holds,
    due: &mut Due,
) -> Result<(), RetentionError> {
    let number = ledger.record.number;
    let size = ledger.published().head.size;
    let fresh: Vec<&DueClass> = due
        .classes
        .iter()
        .filter(|class| {
            class
                .expired_before
                .is_none_or(|before| before < class.recorded_before)
        })
        .collect();
    let Some(end) = fresh.iter().map(|class| class.recorded_before).max() else {
        return Ok(());
    };
    let mut start = size;
    for class in &fresh {
        let first = match class.expired_before {
            Some(before) => engine
                .ledgers
                .first_recorded_at(number, size, before.get())?,
            None => class.class.statement,
        };
        start = start.min(first.get());
    }
    let end = engine
        .ledgers
        .first_recorded_at(number, size, end.get())?
        .get();
    let places: HashMap<ClassNumber, usize> = due
        .classes
        .iter()
        .enumerate()
        .map(|(place, class)| (class.class.number, place))
        .collect();
    let mut first = start;
    while first < end {
        let last = end.min(first + ENTRIES_PER_READ);
        for entry in present(engine, ledger, first, last)? {
            let Some(class) = places
                .get(&entry.class)
                .map(|place| &mut due.classes[*place])
            else {
                continue;
            };
            if entry.recorded_at >= class.recorded_before {
                continue;
            }
            if is_held(engine, ledger, holds, &entry, &class.class)? {
                class.held.push(entry.seq);
            } else {
                let month = entry.recorded_at.to_string()[..7].to_owned();
                *class.months.entry(month).or_default() += 1;
            }
        }
        first = last;
    }
    Ok(())
}

/// Entries of events whose text is there and that no statement covers, of a range.
pub(super) fn present(
    engine: &Engine,
    ledger: &Ledger,
    first: u64,
    end: u64,
) -> Result<Vec<Entry>, RetentionError> {
    let number = ledger.record.number;
    let there = engine.ledgers.seqs_with_payload(number, first..end)?;
    let marks = engine.ledgers.marks(number, first..end)?;
    let mut entries = Vec::with_capacity(there.len());
    for (seq, bytes) in engine.ledgers.entry_rows(number, first..end)? {
        if there.binary_search(&seq).is_err() {
            continue;
        }
        let entry = Entry::decode(&bytes).map_err(|error| ReadError::Entry { seq, error })?;
        let mark = marks.get(&seq).copied().unwrap_or_default();
        // What a hold kept from an earlier expiry is looked at apart.
        if entry.kind == EntryKind::Event
            && !mark.is_overdue
            && ledger.covers.gone(&entry, mark).is_none()
        {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Looks again at what holds kept from earlier runs.
fn find_released(
    engine: &Engine,
    ledger: &Ledger,
    holds: &Holds,
    now: UnixMillis,
    due: &mut Due,
) -> Result<(), RetentionError> {
    let number = ledger.record.number;
    let mut from = Seq::new(0);
    loop {
        let overdue = engine.ledgers.overdue(number, from, SEQS_PER_LOOKUP)?;
        let Some(last) = overdue.last() else {
            return Ok(());
        };
        from = last.next();
        for seq in overdue {
            let entry = entry_at(engine, ledger, seq)?;
            let place = due
                .classes
                .iter_mut()
                .find(|class| class.class.number == entry.class);
            let Some(class) = place else { continue };
            let rules = Rules::of(ledger, &class.class)?;
            // A law that became longer since then keeps it, too.
            let is_due = rules
                .recorded_before(now)
                .is_some_and(|before| entry.recorded_at < before);
            if !is_due || is_held(engine, ledger, holds, &entry, &class.class)? {
                class.still_held += 1;
            } else {
                class.released.push(seq);
            }
        }
    }
}

/// Looks at the events of the records that something happened to.
fn find_triggered(
    engine: &Engine,
    ledger: &Ledger,
    holds: &Holds,
    now: UnixMillis,
    waiting: &[Rules],
    due: &mut Due,
) -> Result<(), RetentionError> {
    if waiting.is_empty() {
        return Ok(());
    }
    let tag = |record: &str| trigger::record_tag(ledger, record);
    let records = trigger::by_record(&engine.keyring, ledger.desk(), tag)?;
    for (record, triggers) in records {
        for entry in of_record(engine, ledger, record)? {
            let rules = waiting
                .iter()
                .find(|rules| rules.class.number == entry.class);
            let Some(rules) = rules else { continue };
            let mut times = EventTimes::received(entry.recorded_at);
            times.triggers.clone_from(&triggers);
            let applied = rules.applied_to(None, &times);
            if !resolve(&applied, &times).expires_at.is_reached(now) {
                continue;
            }
            if is_held(engine, ledger, holds, &entry, &rules.class)? {
                due.held_by_trigger += 1;
            } else {
                due.by_trigger.push(entry.seq);
            }
        }
    }
    due.by_trigger.sort_unstable();
    due.by_trigger.dedup();
    Ok(())
}

/// The entries of a record's events whose texts are there.
fn of_record(engine: &Engine, ledger: &Ledger, record: Tag) -> Result<Vec<Entry>, RetentionError> {
    let number = ledger.record.number;
    let mut entries = Vec::new();
    let mut from = Seq::new(0);
    loop {
        let key = LookupKey::from(record);
        let found = engine
            .index
            .find(number, key, from, Seq::MAX, SEQS_PER_LOOKUP)?;
        let Some(last) = found.last() else {
            return Ok(entries);
        };
        from = last.next();
        for seq in found {
            entries.extend(present(engine, ledger, seq.get(), seq.get() + 1)?);
        }
    }
}

/// Whether a hold covers an event. One whose text does not open is held: nobody can say that it is not.
fn is_held(
    engine: &Engine,
    ledger: &Ledger,
    holds: &Holds,
    entry: &Entry,
    class: &Class,
) -> Result<bool, RetentionError> {
    let facts = || facts_of(engine, ledger, entry.seq);
    match holds.covering(entry, class, facts) {
        Ok(covering) => Ok(!covering.is_empty()),
        Err(ReadError::Store(error)) => Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "an event could not be tested against holds; it is kept");
            Ok(true)
        }
    }
}

/// The facts of a stored event.
pub(super) fn facts_of(engine: &Engine, ledger: &Ledger, seq: Seq) -> Result<Facts, ReadError> {
    let stored = open_event(engine, ledger, seq)?;
    let sections = stored.sections.iter();
    let sections = sections.map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    Facts::from_sections(sections).map_err(|_| ReadError::PayloadMissing(seq))
}
