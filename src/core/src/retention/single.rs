//! What is due of classes whose events do not go together: each has a date of its own.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::destroy::DeletionError;
use crate::destroy::present::present_marked;
use crate::journal::Journal;
use crate::retention::due::{Due, DueEvent, is_held};
use crate::short_reads::short_reads;
use crate::tenant::hold::Holds;
use crate::tenant::ledger::Ledger;
use crate::tenant::rules::{Rules, StoredFacts};
use crate::tenant::trigger;
use trailkeep_policy::{Date, verdict};
use trailkeep_proof::ids::{ClassNumber, LookupKey, Seq, Tag};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::time::UnixMillis;

/// Seqs of one look-up.
const SEQS_PER_LOOKUP: usize = 10_000;

/// Looks at the events of classes that do not go together: by what happened to their records, and by their receipt
/// where nothing did.
pub(super) fn find_single(
    journal: &Journal,
    ledger: &Ledger,
    holds: &Holds,
    now: UnixMillis,
    single: &[Rules],
    due: &mut Due,
) -> Result<(), DeletionError> {
    if single.is_empty() {
        return Ok(());
    }
    let mut found = Vec::new();
    let fired = find_triggered(journal, ledger, now, single, &mut found)?;
    find_untriggered(journal, ledger, now, single, &fired, &mut found)?;
    found.sort_unstable_by_key(|due: &DueEvent| due.entry.seq);
    found.dedup_by_key(|due| due.entry.seq);
    for event in found {
        let of_class = |rules: &&Rules| rules.class.number == event.entry.class;
        let Some(rules) = single.iter().find(of_class) else {
            continue;
        };
        if is_held(journal, ledger, holds, &event.entry, &rules.class)? {
            due.single_held.push(event);
        } else {
            due.single.push(event);
        }
    }
    Ok(())
}

/// The events of the records that something happened to: those that are due are added, and all are given.
fn find_triggered(
    journal: &Journal,
    ledger: &Ledger,
    now: UnixMillis,
    single: &[Rules],
    found: &mut Vec<DueEvent>,
) -> Result<HashSet<Seq>, DeletionError> {
    let mut fired = HashSet::new();
    let tag = |record: &str| trigger::record_tag(ledger, record);
    let records = trigger::by_record(&journal.keyring, ledger.active_record(), tag)?;
    for (record, triggers) in records {
        for entry in of_record(journal, ledger, record)? {
            let rules = single
                .iter()
                .find(|rules| rules.class.number == entry.class);
            let Some(rules) = rules else { continue };
            fired.insert(entry.seq);
            if let Some(since) = due_since(rules, &entry, Some(&triggers), now) {
                found.push(DueEvent { entry, since });
            }
        }
    }
    Ok(fired)
}

/// The events to whose records nothing happened: those recorded before a cut-off, where their clocks start without.
fn find_untriggered(
    journal: &Journal,
    ledger: &Ledger,
    now: UnixMillis,
    single: &[Rules],
    fired: &HashSet<Seq>,
    found: &mut Vec<DueEvent>,
) -> Result<(), DeletionError> {
    let (number, size) = (ledger.record.number, ledger.published().head.size);
    let by_receipt: HashMap<ClassNumber, (&Rules, UnixMillis)> = single
        .iter()
        .filter_map(|rules| Some((rules.class.number, (rules, rules.recorded_before(now)?))))
        .collect();
    let Some(last) = by_receipt.values().map(|(_, before)| *before).max() else {
        return Ok(());
    };
    let starts = by_receipt.values().map(|(rules, _)| rules.class.statement);
    let first = starts.min().unwrap_or(Seq::new(size)).get();
    let end = journal
        .ledgers
        .first_recorded_at(number, size, last.get())?
        .get();
    for range in short_reads(first..end) {
        for (entry, _) in present_marked(journal, ledger, range)? {
            let Some((rules, before)) = by_receipt.get(&entry.class) else {
                continue;
            };
            if entry.recorded_at < *before
                && !fired.contains(&entry.seq)
                && let Some(since) = due_since(rules, &entry, None, now)
            {
                found.push(DueEvent { entry, since });
            }
        }
    }
    Ok(())
}

/// Since when a single event is due; none where it is not. Holds are looked at apart.
pub(super) fn due_since(
    rules: &Rules,
    entry: &Entry,
    triggers: Option<&BTreeMap<String, UnixMillis>>,
    now: UnixMillis,
) -> Option<UnixMillis> {
    let facts = StoredFacts {
        recorded_at: entry.recorded_at,
        triggers,
        erasure_requested_at: None,
        holds: &[],
    };
    let destroy_at = rules.judge(&facts, |case| verdict(case, now).destroy_at);
    destroy_at.moment().filter(|_| destroy_at <= Date::At(now))
}

/// The entries of a record's events whose texts are there.
fn of_record(journal: &Journal, ledger: &Ledger, record: Tag) -> Result<Vec<Entry>, DeletionError> {
    let number = ledger.record.number;
    let mut entries = Vec::new();
    let mut from = Seq::new(0);
    loop {
        let key = LookupKey::from(record);
        let found = journal
            .index
            .find(number, key, from, Seq::MAX, SEQS_PER_LOOKUP)?;
        let Some(last) = found.last() else {
            return Ok(entries);
        };
        from = last.next();
        for seq in found {
            let marked = present_marked(journal, ledger, seq.get()..seq.get() + 1)?;
            entries.extend(marked.into_iter().map(|(entry, _)| entry));
        }
    }
}
