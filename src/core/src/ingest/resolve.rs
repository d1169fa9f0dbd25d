//! What was assembled against what the ledger holds already: facts that come late, a call that is recorded by
//! another report, a request that came again after its events were recorded.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::ingest::Inbox;
use crate::ingest::{StagingError, count, regimes};
use crate::journal::Journal;
use crate::journal::read::{ReadError, open_event};
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_crypto::staged::staging_tag;
use trailkeep_otlp::agree::contradicts;
use trailkeep_otlp::assemble::{KnownPerson, Mapped, RESPONSE_TARGET, event_id};
use trailkeep_otlp::classify::Kind;
use trailkeep_otlp::late::{self, Recorded};
use trailkeep_otlp::split::fit;
use trailkeep_proof::ids::{LookupKey, Seq, hex};
use trailkeep_proof::ledger::event::MAX_EVENT_BYTES;

/// Events of a trace that are looked at when its user becomes known late.
const EVENTS_OF_A_TRACE_MAX: usize = 1_000;
/// Events with one id of the answer that are looked at: some servers give the same ids again.
const REPORTS_MAX: usize = 16;

/// The events of calls to be appended, ids and all.
pub(super) fn resolve(
    inbox: &Inbox,
    ledger: &Ledger,
    calls: Vec<Mapped>,
) -> Result<Vec<Map<String, Value>>, StagingError> {
    let counters = &inbox.counters;
    let mut events = Vec::new();
    let settled = |mut sections: Map<String, Value>| {
        if regimes::settle(&inbox.journal, ledger, &mut sections) {
            count(&counters.unknown_regimes, 1);
        }
        sections
    };
    for mapped in calls {
        let lacks_content = mapped.kind.should_have_content() && !mapped.has_content();
        let is_call = matches!(mapped.kind, Kind::Call(_));
        match place(inbox, ledger, mapped)? {
            Place::New(sections) => {
                count(&counters.events, 1);
                if lacks_content {
                    count(&counters.calls_without_content, 1);
                }
                if is_call && !sections.contains_key("subjects") {
                    count(&counters.calls_without_subject, 1);
                }
                events.extend(fit(settled(sections), MAX_EVENT_BYTES));
            }
            Place::Duplicate(sections) => {
                count(&counters.duplicate_events, 1);
                events.extend(fit(settled(sections), MAX_EVENT_BYTES));
            }
            Place::Late(sections) => {
                count(&counters.late_events, 1);
                events.extend(fit(settled(sections), MAX_EVENT_BYTES));
            }
            Place::Known => count(&counters.repeated, 1),
        }
    }
    Ok(events)
}

/// The events that say of recorded calls who they were for.
pub(super) fn resolve_persons(
    inbox: &Inbox,
    ledger: &Ledger,
    persons: &[KnownPerson],
) -> Result<Vec<Map<String, Value>>, StagingError> {
    let mut events = Vec::new();
    for person in persons {
        events.extend(late_person(&inbox.journal, ledger, person)?);
    }
    count(&inbox.counters.late_events, events.len() as u64);
    Ok(events)
}

/// What an assembled call is to the ledger.
enum Place {
    New(Map<String, Value>),
    Duplicate(Map<String, Value>),
    Late(Map<String, Value>),
    Known,
}

fn place(inbox: &Inbox, ledger: &Ledger, mapped: Mapped) -> Result<Place, StagingError> {
    match by_id(&inbox.journal, ledger, &mapped.id)? {
        Found::Gone => return Ok(Place::Known),
        Found::Event(recorded) if !contradicts(&recorded, &mapped) => {
            return late_facts(&inbox.journal, ledger, &mapped.id, &recorded, &mapped);
        }
        Found::Event(_) => return beside(inbox, ledger, mapped),
        Found::Nothing if mapped.is_other => return beside(inbox, ledger, mapped),
        Found::Nothing => {}
    }
    let parent = mapped.parent_span_id.as_deref();
    let outer = parent.map(|parent| event_id(&mapped.trace_id, parent));
    let mut first = by_answer(&inbox.journal, ledger, &mapped)?;
    if let Found::Nothing = first
        && let Some(outer) = outer
        && let Found::Event(recorded) = by_id(&inbox.journal, ledger, &outer)?
        && late::has_taken_up(&recorded, &mapped)
    {
        first = Found::Event(recorded);
    }
    Ok(match first {
        Found::Event(recorded) if late::has_taken_up(&recorded, &mapped) => {
            if late::has_taken_up_otherwise(&recorded, &mapped) {
                return beside(inbox, ledger, mapped);
            }
            Place::Known
        }
        Found::Event(recorded) => {
            let first = recorded
                .get("id")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let mut sections = mapped.sections;
            late::mark_duplicate(&mut sections, first);
            Place::Duplicate(sections)
        }
        Found::Nothing | Found::Gone => Place::New(mapped.sections),
    })
}

/// What a report says beyond the recorded event of its span.
fn late_facts(
    journal: &Journal,
    ledger: &Ledger,
    id: &str,
    recorded: &Recorded,
    mapped: &Mapped,
) -> Result<Place, StagingError> {
    let Some(facts) = late::facts(recorded, mapped) else {
        return Ok(Place::Known);
    };
    // What the event had no room for stands in events that follow it.
    let is_large = ["input", "output", "downstream"]
        .iter()
        .any(|name| facts.contains_key(*name) && !recorded.contains_key(*name));
    if is_large
        && !matches!(
            by_id(journal, ledger, &format!("{id}:part:1"))?,
            Found::Nothing
        )
    {
        return Ok(Place::Known);
    }
    Ok(Place::Late(with_id(id, facts)))
}

/// A report that contradicts what is known of its span is a fact by itself, beside that. Its id is of what it says: it is recorded
/// once, in whatever order and however often it comes.
fn beside(inbox: &Inbox, ledger: &Ledger, mapped: Mapped) -> Result<Place, StagingError> {
    let Some(report) = mapped.report else {
        return Ok(Place::New(mapped.sections));
    };
    let tag = staging_tag(&ledger.index_key, "report", &report);
    let id = format!("{}:report:{}", mapped.id, hex(tag.as_bytes()));
    match by_id(&inbox.journal, ledger, &id)? {
        Found::Gone => Ok(Place::Known),
        Found::Event(recorded) => late_facts(&inbox.journal, ledger, &id, &recorded, &mapped),
        Found::Nothing => {
            count(&inbox.counters.contradicting_reports, 1);
            let mut sections = mapped.sections;
            late::mark_contradicting(&mut sections, &mapped.id);
            sections.insert("id".to_owned(), id.into());
            Ok(Place::New(sections))
        }
    }
}

/// The id of an event of late facts: of the first event, and of what it says, so that it is said once.
fn with_id(first: &str, mut facts: Map<String, Value>) -> Map<String, Value> {
    let text = Value::Object(facts.clone()).to_string();
    let digest = hex(&Sha256::digest(text.as_bytes())[..8]);
    facts.insert("id".to_owned(), format!("{first}:late:{digest}").into());
    facts
}

/// A person whom a span named that is no event: the recorded calls under it that are about nobody were for them.
fn late_person(
    journal: &Journal,
    ledger: &Ledger,
    person: &KnownPerson,
) -> Result<Vec<Map<String, Value>>, StagingError> {
    let (trace_id, span_id) = &person.span;
    let key = ledger.index_key.tag(TagLabel::Trace, "", trace_id).into();
    let mut late = Vec::new();
    for seq in find(journal, ledger, key, EVENTS_OF_A_TRACE_MAX)? {
        let Found::Event(recorded) = read(journal, ledger, seq)? else {
            continue;
        };
        let id = recorded
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let is_ours =
            id.starts_with("otlp:") && (person.is_root || late::is_under(&recorded, span_id));
        if is_ours && let Some(facts) = late::person(&recorded, &person.identity) {
            late.push(with_id(&id, facts));
        }
    }
    Ok(late)
}

enum Found {
    Nothing,
    /// It was recorded, and its text is gone by now.
    Gone,
    Event(Recorded),
}

fn by_id(journal: &Journal, ledger: &Ledger, id: &str) -> Result<Found, StagingError> {
    let key = ledger.index_key.tag(TagLabel::EventId, "", id).into();
    first(journal, ledger, key)
}

/// The event that reports the same call first.
fn by_answer(journal: &Journal, ledger: &Ledger, mapped: &Mapped) -> Result<Found, StagingError> {
    let Some(id) = mapped.response_id.as_deref() else {
        return Ok(Found::Nothing);
    };
    let key = ledger
        .index_key
        .tag(TagLabel::Target, RESPONSE_TARGET, id)
        .into();
    for seq in find(journal, ledger, key, REPORTS_MAX)? {
        if let Found::Event(recorded) = read(journal, ledger, seq)?
            && (late::has_taken_up(&recorded, mapped) || late::is_same_call(&recorded, mapped))
        {
            return Ok(Found::Event(recorded));
        }
    }
    Ok(Found::Nothing)
}

fn first(journal: &Journal, ledger: &Ledger, key: LookupKey) -> Result<Found, StagingError> {
    let found = find(journal, ledger, key, 1)?;
    found
        .first()
        .map_or(Ok(Found::Nothing), |seq| read(journal, ledger, *seq))
}

fn find(
    journal: &Journal,
    ledger: &Ledger,
    key: LookupKey,
    limit: usize,
) -> Result<Vec<Seq>, StagingError> {
    Ok(journal
        .index
        .find(ledger.record.number, key, Seq::new(0), Seq::MAX, limit)?)
}

fn read(journal: &Journal, ledger: &Ledger, seq: Seq) -> Result<Found, StagingError> {
    match open_event(journal, ledger, seq) {
        Ok(event) => {
            let sections = serde_json::from_str(&event.to_json());
            Ok(sections.map_or(Found::Gone, Found::Event))
        }
        // Expired or erased: nothing is to be said of it any more. What is missing without a statement is for
        // `verify` to find; it must not hold up what waits.
        Err(
            ReadError::Deleted { .. }
            | ReadError::PayloadMissing(_)
            | ReadError::Key { .. }
            | ReadError::NotFound,
        ) => Ok(Found::Gone),
        Err(error) => Err(error.into()),
    }
}
