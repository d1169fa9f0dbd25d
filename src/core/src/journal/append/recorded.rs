//! Which events of a request are recorded already: found by id, compared by their JSON values.

use std::collections::HashMap;

use crate::journal::Journal;
use crate::journal::append::{AppendError, Incoming};
use crate::journal::read::{ReadError, open_event};
use crate::tenant::deletion::DeletionCause;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_proof::ids::{LookupKey, Seq, Tag};
use trailkeep_proof::ledger::entry::EntryBytes;
use trailkeep_proof::ledger::event::shape::RECEIVED;
use trailkeep_proof::ledger::event::{Event, same_value};
use trailkeep_proof::metered::METERED;

/// Whether an event of a request is recorded.
pub(super) enum Recorded {
    New,
    Before { entry: EntryBytes, same_bytes: bool },
    Deleted(DeletionCause),
    EarlierInRequest { same_bytes: bool },
}

/// Which of the events are recorded already; refuses an id that stands for something else.
pub(super) fn find_recorded(
    journal: &Journal,
    ledger: &Ledger,
    events: &[Incoming],
) -> Result<Vec<Recorded>, AppendError> {
    let mut in_request: HashMap<&str, &Event> = HashMap::new();
    let mut recorded = Vec::with_capacity(events.len());
    for (position, Incoming { event, .. }) in events.iter().enumerate() {
        let id = event.facts().id.as_deref().unwrap_or_default();
        if let Some(earlier) = in_request.insert(id, event) {
            let earlier: Vec<_> = sections_of(earlier).collect();
            let Some(same_bytes) = repeats(event, &earlier) else {
                return Err(AppendError::Conflict {
                    position,
                    recorded: None,
                });
            };
            recorded.push(Recorded::EarlierInRequest { same_bytes });
            continue;
        }
        let key = ledger.index_key.tag(TagLabel::EventId, "", id).into();
        recorded.push(if journal.index.lacks(ledger.record.number, key) {
            Recorded::New
        } else {
            compare(journal, ledger, key, (event, position))?
        });
    }
    find_deleted(journal, ledger, events, &mut recorded)?;
    Ok(recorded)
}

/// Compares an event with the one that is recorded under its id, by the id's key, if one is.
fn compare(
    journal: &Journal,
    ledger: &Ledger,
    key: LookupKey,
    (event, position): (&Event, usize),
) -> Result<Recorded, AppendError> {
    let found = journal
        .index
        .find(ledger.record.number, key, Seq::new(0), Seq::MAX, 1)?;
    let Some(seq) = found.first().copied() else {
        return Ok(Recorded::New);
    };
    let stored = match open_event(journal, ledger, seq) {
        Err(ReadError::Deleted { deletion_cause, .. }) => {
            return Ok(Recorded::Deleted(deletion_cause));
        }
        stored => stored?,
    };
    let text = stored
        .sections
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let text: Vec<_> = as_sent(text).collect();
    let Some(same_bytes) = repeats(event, &text) else {
        return Err(AppendError::Conflict {
            position,
            recorded: Some(seq),
        });
    };
    Ok(Recorded::Before {
        entry: stored.entry_bytes,
        same_bytes,
    })
}

/// Which of the events that seem new were recorded once and went.
fn find_deleted(
    journal: &Journal,
    ledger: &Ledger,
    events: &[Incoming],
    recorded: &mut [Recorded],
) -> Result<(), AppendError> {
    if ledger.tombstones.is_empty() {
        return Ok(());
    }
    let tag = |event: &Incoming| {
        let id = event.event.facts().id.as_deref().unwrap_or_default();
        ledger.index_key.tag(TagLabel::EventId, "", id)
    };
    let tags: Vec<Tag> = events.iter().map(tag).collect();
    let (number, now) = (ledger.record.number, journal.clock.wall());
    let gone = journal.ledgers.deleted_ids(number, &tags, now)?;
    for (recorded, gone) in recorded.iter_mut().zip(gone) {
        if let (Recorded::New, Some(deletion_cause)) = (&recorded, gone) {
            *recorded = Recorded::Deleted(deletion_cause);
        }
    }
    Ok(())
}

/// Whether an event has the sections that are recorded under its id, by their JSON values: a retry may come from another
/// JSON library. Gives whether the bytes are the same, too.
fn repeats(event: &Event, recorded: &[(&str, &[u8])]) -> Option<bool> {
    if sections_of(event).eq(recorded.iter().copied()) {
        return Some(true);
    }
    let is_same = event.sections().len() == recorded.len()
        && sections_of(event)
            .zip(recorded)
            .all(|((name, bytes), (known, recorded))| {
                name == *known && same_value(bytes, recorded)
            });
    is_same.then_some(false)
}

fn sections_of(event: &Event) -> impl Iterator<Item = (&str, &[u8])> {
    event
        .sections()
        .iter()
        .map(|section| (section.name, &*section.bytes))
}

/// What the application sent: the other sections are the server's words about it, written when it is recorded.
fn as_sent<'a>(
    sections: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    sections.filter(|(name, _)| ![RECEIVED, METERED].contains(name))
}
