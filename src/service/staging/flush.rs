//! From assembled events to the ledger. They are appended as they stand in the file, so that a crash anywhere
//! leaves them to be appended again: the same id with the same text is the same event.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{StagingError, count};
use crate::ids::hex;
use crate::ledger::event::shape::SECTIONS;
use crate::ledger::event::{EventError, parse_event};
use crate::seal::staged::open_staged;
use crate::service::Engine;
use crate::service::append::{AppendError, Incoming, append_waiting};
use crate::service::failpoint::FailPoint;
use crate::service::ledger::Ledger;

/// Events that are appended together.
const EVENTS_MAX: usize = 500;

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
    match append_waiting(engine, ledger, &events) {
        // One that can't be appended must not hold back the others.
        Err(error) if is_of_one_event(&error) && events.len() > 1 => events
            .into_iter()
            .try_for_each(|event| append(engine, ledger, vec![event])),
        Err(error) if is_of_one_event(&error) => events.first().map_or(Ok(()), |event| {
            append_otherwise(engine, ledger, event, &error)
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

fn append_otherwise(
    engine: &Engine,
    ledger: &Ledger,
    event: &Incoming,
    error: &AppendError,
) -> Result<(), StagingError> {
    tracing::error!(%error, "an event that was acknowledged is recorded in another form");
    let mut sections = sections_of(event);
    match error {
        AppendError::Conflict { .. } => give_another_id(&mut sections),
        AppendError::Class { .. } => set_regimes_aside(&mut sections),
        AppendError::Refused(refusals) => {
            let said = refusals.iter().map(|(_, refusal)| {
                json!({"policy": refusal.policy, "pointer": refusal.pointer, "detail": refusal.detail})
            });
            leave_content_out(&mut sections, &said.collect::<Vec<_>>());
        }
        _ => {}
    }
    match incoming(Value::Object(sections).to_string().as_bytes()) {
        Ok(other) => match append_waiting(engine, ledger, &[other]) {
            Err(error) if is_of_one_event(&error) => {
                tracing::error!(%error, "an event that was acknowledged can't be recorded");
                count(&engine.staging.counters.unrecorded, 1);
                Ok(())
            }
            outcome => outcome.map(drop).map_err(Into::into),
        },
        Err(error) => {
            tell_of(&error);
            Ok(())
        }
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

/// A policy forbids what it holds: that the call was made is recorded, and why its content is not.
fn leave_content_out(sections: &mut Map<String, Value>, refusals: &[Value]) {
    sections.retain(|name, _| {
        [
            "id",
            "action",
            "occurred_at",
            "outcome",
            "actor",
            "subjects",
            "context",
            "regimes",
        ]
        .contains(&name.as_str())
    });
    sections.insert(
        "attributes".to_owned(),
        json!({ "refused_by_policy": refusals }),
    );
}
