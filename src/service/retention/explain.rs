//! Why a stored event is kept, until when, and by which citation; or what became of it.

use serde_json::{Value, json};

use super::RetentionError;
use super::due::facts_of;
use super::rules::Rules;
use crate::ids::Seq;
use crate::ledger::entry::Entry;
use crate::policy::{EventTimes, HoldSpan};
use crate::service::Engine;
use crate::service::explain::{Question, explain};
use crate::service::hold::Holds;
use crate::service::ledger::Ledger;
use crate::service::read::{ReadError, open_statement};
use crate::service::trigger;
use crate::time::UnixMillis;

/// Explains the entry at a seq, judged at a moment. It shows no text: of a text that went it says which statement
/// covers it.
pub fn explain_event(
    engine: &Engine,
    ledger: &Ledger,
    seq: Seq,
    at: UnixMillis,
) -> Result<Value, RetentionError> {
    let found = engine.ledgers.event(ledger.record.number, seq)?;
    let row = found.ok_or(ReadError::NotFound)?;
    let entry = Entry::decode(&row.entry).map_err(|error| ReadError::Entry { seq, error })?;
    let mut said = json!({
        "seq": seq.get(),
        "recorded_at": entry.recorded_at.to_string(),
        "class": entry.class.get(),
    });
    let Some(class) = ledger.classes.class(entry.class) else {
        said["state"] = json!("kept");
        said["note"] = json!("an entry of the ledger itself: it is never destroyed");
        return Ok(said);
    };
    if let Some(gone) = ledger.covers.gone(&entry, row.mark) {
        said["state"] = json!(gone.departure.as_str());
        said["by"] = json!(ledger.place_of(gone.by).1.get());
        return Ok(said);
    }
    let rules = Rules::of(ledger, &class)?;
    let facts = facts_of(engine, ledger, seq)?;
    let mut times = EventTimes::received(entry.recorded_at);
    if let Some(record) = &facts.record {
        let tag = |record: &str| trigger::record_tag(ledger, record);
        let mut records = trigger::by_record(&engine.keyring, ledger.desk(), tag)?;
        times.triggers = records.remove(&tag(record)).unwrap_or_default();
        said["record"] = json!(record);
    }
    let asked_at = match row.mark.restricted_by {
        Some(by) => erasure_stated_at(engine, ledger, by)?,
        None => None,
    };
    let holds = Holds::load(&engine.keyring, ledger.desk())?;
    let facts_again = || Ok::<_, ReadError>(facts.clone());
    let covering = holds.covering(&entry, &class, facts_again)?;
    let spans: Vec<HoldSpan> = covering.iter().map(|(_, hold)| hold.span()).collect();
    let applied = rules.applied_to(Some(&facts.action), &times);
    let verdict = explain(&Question {
        applied: &applied,
        times: &times,
        erasure_requested_at: asked_at,
        holds: &spans,
        at,
    });
    said["state"] = json!(if row.mark.restricted_by.is_some() {
        "restricted"
    } else {
        "intact"
    });
    if let Some(by) = row.mark.restricted_by {
        said["by"] = json!(ledger.place_of(by).1.get());
    }
    if let (Some(said), Value::Object(verdict)) = (said.as_object_mut(), verdict) {
        said.extend(verdict);
    }
    let active = covering
        .iter()
        .filter(|(_, hold)| hold.span().is_active(at));
    said["holds"] = active.map(|(id, _)| json!(id)).collect();
    Ok(said)
}

/// When a statement was recorded by which a person's erasure restricts an event; none of a restriction, which asks for no
/// erasure.
fn erasure_stated_at(
    engine: &Engine,
    ledger: &Ledger,
    statement: Seq,
) -> Result<Option<UnixMillis>, ReadError> {
    let stated = open_statement(engine, ledger, statement)?;
    let is_erasure = stated.section("action") == Some(b"\"trailkeep.privacy.erase\"");
    Ok(is_erasure.then_some(stated.entry.recorded_at))
}
