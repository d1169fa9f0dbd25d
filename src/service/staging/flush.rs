//! From assembled events to the ledger. They are appended as they stand in the file, so that a crash anywhere
//! leaves them to be appended again: the same id with the same text is the same event.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{StagingError, count};
use crate::ids::hex;
use crate::ledger::event::shape::SECTIONS;
use crate::ledger::event::{EventError, parse_event};
use crate::policy::ingest::Refusal;
use crate::seal::staged::open_staged;
use crate::service::Engine;
use crate::service::append::{AppendError, Incoming, Refusing, append_waiting};
use crate::service::failpoint::FailPoint;
use crate::service::ledger::Ledger;
use crate::service::read::open_event;

/// Events that are appended together.
const EVENTS_MAX: usize = 500;

/// Sections by which an event is found and erased: they stay.
const BARE: [&str; 5] = ["id", "action", "actor", "subjects", "regimes"];
/// Forms in which an event is tried: each leaves out at least a section of the one before.
const FORMS_MAX: usize = 40;
/// Where an event says what of it a policy refused.
const REFUSED: &str = "refused_by_policy";

/// What a sealed event is bound to.
pub(super) fn place_of_event(ledger: &Ledger) -> String {
    format!("trailkeep/staged-event/v1\n{}", ledger.record.origin)
}

/// Appends all that is assembled.
pub(super) fn flush(engine: &Engine, ledger: &Ledger) -> Result<(), StagingError> {
    let staging = &engine.staging;
    loop {
        let rows = staging.file.assembled(ledger.record.number, EVENTS_MAX)?;
        if rows.is_empty() {
            return Ok(());
        }
        let (mut events, mut numbers) = (Vec::new(), Vec::new());
        for (number, day, sealed) in rows {
            let key = staging.keys.of_day(engine, &ledger.record, day)?;
            let text = key.and_then(|key| open_staged(&key, &sealed, &place_of_event(ledger)).ok());
            match text.map(|text| incoming(&text)) {
                Some(Ok(event)) => events.push(event),
                Some(Err(error)) => tell_of(&error),
                None => {
                    count(&staging.counters.unreadable, 1);
                    tracing::error!(
                        "an assembled event of staging.db does not open: its key is gone, or it was changed"
                    );
                }
            }
            numbers.push(number);
        }
        append(engine, ledger, events)?;
        FailPoint::AfterAppended.reach();
        staging.file.remove_assembled(&numbers)?;
    }
}

/// Appends events; those that can't be as they are go in a form that can.
fn append(engine: &Engine, ledger: &Ledger, events: Vec<Incoming>) -> Result<(), StagingError> {
    match append_waiting(engine, ledger, &events, Refusing::Forbidden) {
        // One that can't be appended must not hold back the others.
        Err(error) if is_of_one_event(&error) && events.len() > 1 => events
            .into_iter()
            .try_for_each(|event| append(engine, ledger, vec![event])),
        Err(error) if is_of_one_event(&error) => events.first().map_or(Ok(()), |event| {
            append_otherwise(engine, ledger, event, error)
        }),
        outcome => outcome.map(drop).map_err(Into::into),
    }
}

/// Whether it is an event's fault, and would be again.
fn is_of_one_event(error: &AppendError) -> bool {
    matches!(
        error,
        AppendError::Conflict { .. } | AppendError::Class { .. } | AppendError::Refused(_)
    )
}

/// Records an event that can't be as it is, in as much of it as can: it was acknowledged, so it is not lost. What can't be
/// recorded in any form, since even whom it names is forbidden, is counted as `unrecorded`.
fn append_otherwise(
    engine: &Engine,
    ledger: &Ledger,
    event: &Incoming,
    error: AppendError,
) -> Result<(), StagingError> {
    if is_recorded_otherwise(engine, ledger, &error)? {
        return Ok(());
    }
    tracing::error!(%error, "an event that was acknowledged is recorded in another form");
    let mut sections = sections_of(event);
    let mut refusing = Refusing::Forbidden;
    let mut error = error;
    for _ in 0..FORMS_MAX {
        mend(&mut sections, &mut refusing, &error);
        let other = match incoming(Value::Object(sections.clone()).to_string().as_bytes()) {
            Ok(other) => other,
            Err(error) => {
                tell_of(&error);
                count(&engine.staging.counters.unrecorded, 1);
                return Ok(());
            }
        };
        match append_waiting(engine, ledger, &[other], refusing) {
            Err(refused) if is_of_one_event(&refused) => error = refused,
            outcome => return outcome.map(drop).map_err(Into::into),
        }
    }
    // Waiting for ever, it would hold back every later event of the ledger.
    tracing::error!(%error, "an event that was acknowledged can be recorded in no form");
    count(&engine.staging.counters.unrecorded, 1);
    Ok(())
}

/// Whether an event stands under this id because a policy refused a part of it: a crash came before its row was removed.
fn is_recorded_otherwise(
    engine: &Engine,
    ledger: &Ledger,
    error: &AppendError,
) -> Result<bool, StagingError> {
    let AppendError::Conflict {
        recorded: Some(seq),
        ..
    } = error
    else {
        return Ok(false);
    };
    let recorded = open_event(engine, ledger, *seq).map_err(AppendError::from)?;
    let attributes = recorded.section("attributes");
    let attributes = attributes.and_then(|text| serde_json::from_slice::<Value>(text).ok());
    Ok(attributes.is_some_and(|attributes| attributes.get(REFUSED).is_some()))
}

/// Takes away what the error is about.
fn mend(sections: &mut Map<String, Value>, refusing: &mut Refusing, error: &AppendError) {
    match error {
        AppendError::Conflict { .. } => give_another_id(sections),
        AppendError::Class { .. } => set_regimes_aside(sections),
        AppendError::Refused(refusals) => {
            let refusals: Vec<&Refusal> = refusals.iter().map(|(_, refusal)| refusal).collect();
            if !leave_out(sections, &refusals) {
                leave_content_out(sections, &refusals);
                *refusing = Refusing::Nothing;
            }
        }
        _ => {}
    }
}

fn tell_of(error: &EventError) {
    tracing::error!(%error, "an assembled event is not valid; a fault of trailkeep");
}

/// The event as it comes in: all of it is derived.
fn incoming(text: &[u8]) -> Result<Incoming, EventError> {
    let event = parse_event(text)?;
    let has = |name: &str| event.section(name).is_some();
    let added = SECTIONS
        .iter()
        .map(|field| field.name)
        .filter(|name| has(name))
        .collect();
    Ok(Incoming {
        event,
        via: "otlp",
        added,
    })
}

fn sections_of(event: &Incoming) -> Map<String, Value> {
    let sections = event.event.sections().iter();
    sections
        .map(|section| {
            let value = serde_json::from_slice(&section.bytes).unwrap_or_default();
            (section.name.to_string(), value)
        })
        .collect()
}

/// Somebody sent another event with this id: both stay.
fn give_another_id(sections: &mut Map<String, Value>) {
    let text = Value::Object(sections.clone()).to_string();
    let digest = hex(&Sha256::digest(text.as_bytes())[..8]);
    let id = sections
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let other = format!("{id}:other:{digest}");
    sections.insert("id".to_owned(), other.into());
}

/// Its regimes were known when it came, and the policies were changed since: the default one applies.
fn set_regimes_aside(sections: &mut Map<String, Value>) {
    if let Some(regimes) = sections.remove("regimes") {
        let attributes = sections.entry("attributes").or_insert_with(|| json!({}));
        attributes["unknown_regimes"] = regimes;
    }
}

/// Leaves out the sections in which a policy forbids a member; what was refused is said. Gives whether that mends it.
fn leave_out(sections: &mut Map<String, Value>, refusals: &[&Refusal]) -> bool {
    let names: Vec<&str> = refusals
        .iter()
        .filter_map(|refusal| refusal.pointer.split('/').nth(1))
        .filter(|name| !BARE.contains(name) && *name != "occurred_at")
        .collect();
    if names.len() < refusals.len() || !names.iter().any(|name| sections.contains_key(*name)) {
        return false;
    }
    let said = refused_by_policy(sections, refusals);
    sections.retain(|name, _| !names.contains(&name.as_str()));
    say(sections, said);
    true
}

/// Leaves out all but what it is found by: that there was a call, and why no more of it is recorded. Its time too, where
/// a policy says that an event of that day is gone already.
fn leave_content_out(sections: &mut Map<String, Value>, refusals: &[&Refusal]) {
    let said = refused_by_policy(sections, refusals);
    sections.retain(|name, _| BARE.contains(&name.as_str()));
    say(sections, said);
}

/// What was refused until now.
fn refused_by_policy(sections: &Map<String, Value>, refusals: &[&Refusal]) -> Vec<Value> {
    let before = sections
        .get("attributes")
        .and_then(|attributes| attributes.get(REFUSED));
    let mut said = before
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    said.extend(refusals.iter().map(|refusal| {
        json!({"policy": refusal.policy, "pointer": refusal.pointer, "detail": refusal.detail})
    }));
    said
}

fn say(sections: &mut Map<String, Value>, refused: Vec<Value>) {
    let attributes = sections.entry("attributes").or_insert_with(|| json!({}));
    attributes[REFUSED] = refused.into();
}
