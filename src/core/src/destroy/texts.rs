//! The index rows and texts of events that go.

use std::collections::HashSet;

use crate::destroy::DeletionError;
use crate::destroy::keys::Touched;
use crate::failpoint::FailPoint;
use crate::journal::Journal;
use crate::journal::append::{lookup_keys, person_tag};
use crate::journal::read::{ReadError, StoredEvent, open_stored};
use crate::keys::keyring::KeyError;
use crate::short_reads::short_reads;
use crate::tenant::classes::Class;
use crate::tenant::deletion::{DeletionCause, Tombstones};
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_policy::KeyPeriod;
use trailkeep_proof::ids::{LookupKey, Seq, Tag};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::time::UnixMillis;

/// How long the id of an event that went is known, so that a repetition is told so.
const IDS_REMEMBERED_MS: u64 = 30 * 86_400_000;
/// Texts that are destroyed together.
const TEXTS_PER_CHUNK: usize = 512;
/// Texts that one commit deletes: it holds the writer for a few milliseconds.
const TEXTS_PER_STEP: usize = 128;

/// Walks over the entries of a class, from what went before to the end of what goes.
pub(crate) fn destroy_class(
    journal: &Journal,
    ledger: &Ledger,
    class: &Class,
    (from, before): (Option<UnixMillis>, UnixMillis),
    touched: &mut Touched,
) -> Result<(), DeletionError> {
    let number = ledger.record.number;
    let size = ledger.published().head.size;
    let first = match from {
        Some(from) => journal
            .ledgers
            .first_recorded_at(number, size, from.get())?,
        None => class.statement,
    };
    let end = journal
        .ledgers
        .first_recorded_at(number, size, before.get())?;
    for range in short_reads(first.get()..end.get()) {
        let seqs = going(journal, ledger, class, range)?;
        destroy_all(journal, ledger, &seqs, touched)?;
    }
    Ok(())
}

/// The events of a class in a range whose texts are still there, and that no hold keeps.
fn going(
    journal: &Journal,
    ledger: &Ledger,
    class: &Class,
    range: std::ops::Range<u64>,
) -> Result<Vec<Seq>, DeletionError> {
    let number = ledger.record.number;
    let there = journal.ledgers.seqs_with_payload(number, range.clone())?;
    let marks = journal.ledgers.marks(number, range.clone())?;
    let mut seqs = Vec::new();
    for (seq, bytes) in journal.ledgers.entry_rows(number, range)? {
        let entry = Entry::decode(&bytes).map_err(|error| ReadError::Entry { seq, error })?;
        let is_overdue = marks.get(&seq).is_some_and(|mark| mark.is_overdue);
        if entry.class == class.number && !is_overdue && there.binary_search(&seq).is_ok() {
            seqs.push(seq);
        }
    }
    Ok(seqs)
}

/// Destroys the index rows and texts of these events.
pub(crate) fn destroy_all(
    journal: &Journal,
    ledger: &Ledger,
    seqs: &[Seq],
    touched: &mut Touched,
) -> Result<(), DeletionError> {
    for seqs in seqs.chunks(TEXTS_PER_CHUNK) {
        let going = destroy_index_rows(journal, ledger, seqs, DeletionCause::Expired, touched)?;
        destroy_texts(journal, ledger, &going, touched)?;
    }
    Ok(())
}

/// Destroys the index rows of events, and remembers their ids. Gives those whose texts are still there.
pub(crate) fn destroy_index_rows(
    journal: &Journal,
    ledger: &Ledger,
    seqs: &[Seq],
    deletion_cause: DeletionCause,
    touched: &mut Touched,
) -> Result<Vec<Seq>, DeletionError> {
    let number = ledger.record.number;
    let mut going = Vec::with_capacity(seqs.len());
    for seqs in seqs.chunks(TEXTS_PER_CHUNK) {
        let mut rows: Vec<(Seq, Vec<LookupKey>)> = Vec::with_capacity(seqs.len());
        let mut unreadable = HashSet::new();
        for seq in seqs {
            // What is stated gone is opened once more here, to know what is to go with it.
            let nothing_gone = Tombstones::default();
            match open_stored(
                &journal.ledgers,
                &journal.keyring,
                &ledger.record,
                &nothing_gone,
                *seq,
            ) {
                Ok(stored) => match lookups_of(journal, ledger, &stored, touched)? {
                    Some(keys) => rows.push((*seq, keys)),
                    None => drop(unreadable.insert(*seq)),
                },
                Err(ReadError::Store(error)) => return Err(error.into()),
                // It went before a crash; its index rows went first.
                Err(ReadError::PayloadMissing(_)) => {}
                // An erasure destroyed its key before a crash; its index rows went before that.
                Err(ReadError::Key {
                    error: KeyError::Missing(_),
                    ..
                }) if deletion_cause == DeletionCause::Erased => going.push(*seq),
                Err(error) => {
                    tracing::warn!(%error, "a payload to be deleted cannot be decrypted; its index rows are searched");
                    unreadable.insert(*seq);
                }
            }
        }
        let ids: Vec<Tag> = rows
            .iter()
            .filter_map(|(_, keys)| Some(Tag::new(*keys.first()?.as_bytes())))
            .collect();
        let until = UnixMillis::new(journal.clock.wall().get().saturating_add(IDS_REMEMBERED_MS));
        let ledgers = &journal.ledgers;
        let leaving: Vec<Seq> = rows
            .iter()
            .map(|(seq, _)| *seq)
            .chain(unreadable.iter().copied())
            .collect();
        // On disk before a key goes: who opens the files after a crash finds no row of what opens no more.
        touched
            .done
            .step(|| ledgers.leave_active(number, &leaving, (&ids, deletion_cause), until))?;
        journal.index.remove(number, &rows)?;
        if !unreadable.is_empty() {
            journal.index.remove_by_scan(number, &unreadable)?;
        }
        FailPoint::IndexRowsDestroyed.reach();
        going.extend(leaving);
    }
    Ok(going)
}

/// Destroys the texts of events.
pub(crate) fn destroy_texts(
    journal: &Journal,
    ledger: &Ledger,
    going: &[Seq],
    touched: &mut Touched,
) -> Result<(), DeletionError> {
    for step in going.chunks(TEXTS_PER_STEP) {
        let number = ledger.record.number;
        let delete = || journal.ledgers.delete_payloads(number, step);
        touched
            .done
            .step(|| journal.values.deleting(number, delete))?;
        FailPoint::SomeTextsDestroyed.reach();
    }
    touched.done.destroyed += going.len() as u64;
    Ok(())
}

/// The index keys of an event, and what it had to do with; none where its text says nothing.
fn lookups_of(
    journal: &Journal,
    ledger: &Ledger,
    stored: &StoredEvent,
    touched: &mut Touched,
) -> Result<Option<Vec<LookupKey>>, DeletionError> {
    let sections = stored.sections.iter();
    let sections = sections.map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let Ok(facts) = Facts::from_sections(sections) else {
        return Ok(None);
    };
    let entry = &stored.entry;
    let (origin, number) = (&ledger.record.origin, ledger.record.number);
    let after = ledger
        .classes
        .class(entry.class)
        .and_then(|class| class.after);
    let period = match &facts.record {
        Some(record) if after.is_none() => {
            KeyPeriod::Record(ledger.index_key.tag(TagLabel::Record, "", record))
        }
        _ => KeyPeriod::of(entry.recorded_at, after),
    };
    touched.periods.insert((entry.class, period));
    let keys = lookup_keys(&ledger.index_key, &facts, |label, person| {
        let tag = person_tag(&ledger.index_key, label, person);
        touched.persons.insert(tag);
        journal.keyring.stored_person(origin, number, tag)
    })?;
    Ok(Some(keys))
}
