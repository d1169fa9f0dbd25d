//! What is due at a moment: nothing changes here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::destroy::DeletionError;
use crate::destroy::job::Job;
use crate::destroy::present::{present, present_marked};
use crate::journal::Journal;
use crate::journal::read::{ReadError, entry_at, open_event};
use crate::retention::single::find_single;
use crate::short_reads::short_reads;
use crate::tenant::classes::Class;
use crate::tenant::hold::Holds;
use crate::tenant::ledger::Ledger;
use crate::tenant::rules::Rules;
use trailkeep_proof::ids::{ClassNumber, Seq};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::time::UnixMillis;

/// Seqs of one look-up.
const SEQS_PER_LOOKUP: usize = 10_000;

/// What is due in a ledger.
#[derive(Default)]
pub struct Due {
    /// By class, up to a time of receipt.
    pub classes: Vec<DueClass>,
    /// Events of classes that do not go together, each with a date of its own that has come, ascending.
    pub single: Vec<DueEvent>,
    /// Such events that a hold keeps, ascending.
    pub single_held: Vec<DueEvent>,
}

/// A single event that is due.
#[derive(Clone, Copy)]
pub struct DueEvent {
    /// Its entry.
    pub entry: Entry,
    /// Since when it is due.
    pub since: UnixMillis,
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
    /// The oldest of those.
    pub oldest: Option<Seq>,
    /// Events whose time has come now and that a hold keeps, ascending.
    pub held: Vec<Seq>,
    /// Events that a hold kept until now, and that go, ascending.
    pub released: Vec<Seq>,
    /// Events that a hold keeps still.
    pub still_held: u64,
}

impl DueClass {
    /// The job that destroys what is due.
    pub(crate) fn job(&self) -> Job {
        let time = (self.expired_before, self.recorded_before);
        Job::of_class(&self.class, time, &self.released)
    }

    /// How many events go.
    pub fn goes(&self) -> u64 {
        self.months.values().sum::<u64>() + self.released.len() as u64
    }
}

impl Due {
    /// How many events go.
    pub fn goes(&self) -> u64 {
        self.classes.iter().map(DueClass::goes).sum::<u64>() + self.single.len() as u64
    }

    /// Whether an event goes, as far as its class and time of receipt say: no hold may cover it.
    pub fn takes(&self, entry: &Entry) -> bool {
        let of_class = |class: &DueClass| {
            class.class.number == entry.class && entry.recorded_at < class.recorded_before
        };
        let place = |due: &DueEvent| due.entry.seq.cmp(&entry.seq);
        self.classes.iter().any(of_class) || self.single.binary_search_by(place).is_ok()
    }

    /// Events that are due and that a hold keeps.
    pub fn held(&self) -> u64 {
        let of_class = |class: &DueClass| class.held.len() as u64 + class.still_held;
        self.classes.iter().map(of_class).sum::<u64>() + self.single_held.len() as u64
    }

    /// Those of them that no hold had kept before.
    pub fn newly_held(&self) -> u64 {
        let of_class = |class: &DueClass| class.held.len() as u64;
        self.classes.iter().map(of_class).sum::<u64>() + self.single_held.len() as u64
    }
}

/// What is due at a moment, and what of it the holds keep. Its cost follows what has become due since the last run,
/// and what holds keep.
pub(crate) fn due(
    journal: &Journal,
    ledger: &Ledger,
    holds: &Holds,
    now: UnixMillis,
) -> Result<Due, DeletionError> {
    let mut due = Due::default();
    let mut single = Vec::new();
    for class in ledger.classes.all() {
        let rules = Rules::of(ledger, &class)?;
        if !rules.goes_by_class() {
            single.push(rules);
        } else if let Some(recorded_before) = rules.recorded_before(now) {
            let expired_before = ledger.tombstones.expired_before(class.number);
            due.classes.push(DueClass {
                class,
                // A law that became longer never takes back what is stated.
                recorded_before: recorded_before.max(expired_before.unwrap_or(recorded_before)),
                expired_before,
                months: BTreeMap::new(),
                oldest: None,
                held: Vec::new(),
                released: Vec::new(),
                still_held: 0,
            });
        }
    }
    find_expired(journal, ledger, holds, &mut due)?;
    find_released(journal, ledger, holds, now, &mut due)?;
    find_single(journal, ledger, holds, now, &single, &mut due)?;
    Ok(due)
}

/// Walks over the entries that became due since the last run.
fn find_expired(
    journal: &Journal,
    ledger: &Ledger,
    holds: &Holds,
    due: &mut Due,
) -> Result<(), DeletionError> {
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
            Some(before) => journal
                .ledgers
                .first_recorded_at(number, size, before.get())?,
            None => class.class.statement,
        };
        start = start.min(first.get());
    }
    let end = journal
        .ledgers
        .first_recorded_at(number, size, end.get())?
        .get();
    let places: HashMap<ClassNumber, usize> = due
        .classes
        .iter()
        .enumerate()
        .map(|(place, class)| (class.class.number, place))
        .collect();
    for range in short_reads(start..end) {
        for entry in present(journal, ledger, range)? {
            let Some(class) = places
                .get(&entry.class)
                .map(|place| &mut due.classes[*place])
            else {
                continue;
            };
            if entry.recorded_at >= class.recorded_before {
                continue;
            }
            if is_held(journal, ledger, holds, &entry, &class.class)? {
                class.held.push(entry.seq);
            } else {
                let month = entry.recorded_at.to_string()[..7].to_owned();
                *class.months.entry(month).or_default() += 1;
                class.oldest.get_or_insert(entry.seq);
            }
        }
    }
    Ok(())
}

/// Looks again at what holds kept from earlier runs.
fn find_released(
    journal: &Journal,
    ledger: &Ledger,
    holds: &Holds,
    now: UnixMillis,
    due: &mut Due,
) -> Result<(), DeletionError> {
    let number = ledger.record.number;
    let mut from = Seq::new(0);
    loop {
        let overdue = journal.ledgers.overdue(number, from, SEQS_PER_LOOKUP)?;
        let Some(last) = overdue.last() else {
            return Ok(());
        };
        from = last.next();
        for seq in overdue {
            let entry = entry_at(journal, ledger, seq)?;
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
            if !is_due || is_held(journal, ledger, holds, &entry, &class.class)? {
                class.still_held += 1;
            } else {
                class.released.push(seq);
            }
        }
    }
}

/// Looks at the entries of events whose texts are there, of a range.
pub(super) fn for_present(
    journal: &Journal,
    ledger: &Ledger,
    range: std::ops::Range<u64>,
    mut each: impl FnMut(&Entry) -> Result<(), DeletionError>,
) -> Result<(), DeletionError> {
    for range in short_reads(range) {
        for (entry, _) in present_marked(journal, ledger, range)? {
            each(&entry)?;
        }
    }
    Ok(())
}

/// Whether a hold covers an event. One whose text does not open is held: nobody can say that it is not.
pub(super) fn is_held(
    journal: &Journal,
    ledger: &Ledger,
    holds: &Holds,
    entry: &Entry,
    class: &Class,
) -> Result<bool, DeletionError> {
    let facts = || facts_of(journal, ledger, entry.seq);
    match holds.covering(entry, class, facts) {
        Ok(covering) => Ok(!covering.is_empty()),
        Err(ReadError::Store(error)) => Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "an event could not be matched against holds; it is kept");
            Ok(true)
        }
    }
}

/// The facts of a stored event.
pub(super) fn facts_of(journal: &Journal, ledger: &Ledger, seq: Seq) -> Result<Facts, ReadError> {
    let stored = open_event(journal, ledger, seq)?;
    let sections = stored.sections.iter();
    let sections = sections.map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    Facts::from_sections(sections).map_err(|_| ReadError::PayloadMissing(seq))
}
