//! Why a stored event is kept, until when, and by which citation; or what became of it.

use serde_json::{Value, json};

use crate::destroy::DeletionError;
use crate::journal::Journal;
use crate::journal::read::ReadError;
use crate::retention::due::facts_of;
use crate::tenant::explain::explain;
use crate::tenant::hold::Holds;
use crate::tenant::rules::{Rules, StoredFacts};
use crate::tenant::{ReadScope, trigger};
use trailkeep_policy::HoldSpan;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::time::UnixMillis;

/// Explains the entry at a seq, judged at a moment. It shows no text: of a text that went it says which statement
/// covers it.
pub(crate) fn explain_event(
    journal: &Journal,
    scope: &ReadScope,
    (seq, erasure_requested_at): (Seq, Option<UnixMillis>),
    at: UnixMillis,
) -> Result<Value, DeletionError> {
    let ledger = scope.ledger();
    let found = journal.ledgers.event(ledger.record.number, seq)?;
    let row = found.ok_or(ReadError::NotFound)?;
    let entry = Entry::decode(&row.entry).map_err(|error| ReadError::Entry { seq, error })?;
    let mut said = json!({
        "seq": seq.get(),
        "recorded_at": entry.recorded_at.to_string(),
        "class": entry.class.get(),
    });
    let Some(class) = ledger.classes.class(entry.class) else {
        said["state"] = json!("kept");
        said["note"] = json!("an entry of the ledger itself: it is never deleted");
        return Ok(said);
    };
    if let Some(gone) = ledger.covers.gone(&entry, row.mark) {
        said["state"] = json!(gone.deletion_cause.as_str());
        said["by"] = json!(ledger.place_of(gone.by).1.get());
        return Ok(said);
    }
    let rules = Rules::of(ledger, &class)?;
    let facts = facts_of(journal, ledger, seq)?;
    let mut triggers = None;
    if let Some(record) = &facts.record {
        let tag = |record: &str| trigger::record_tag(ledger, record);
        let mut records = trigger::by_record(&journal.keyring, ledger.active_record(), tag)?;
        triggers = records.remove(&tag(record));
        said["record"] = json!(record);
    }
    let holds = Holds::load(&journal.keyring, ledger.active_record())?;
    let facts_again = || Ok::<_, ReadError>(facts.clone());
    let covering = holds.covering(&entry, &class, facts_again)?;
    let spans: Vec<HoldSpan> = covering.iter().map(|(_, hold)| hold.span()).collect();
    let stored = StoredFacts {
        recorded_at: entry.recorded_at,
        triggers: triggers.as_ref(),
        erasure_requested_at,
        holds: &spans,
    };
    let verdict = rules.judge(&stored, |case| explain(case, at));
    if let Some(note) = note(&verdict, facts.record.is_some()) {
        said["note"] = json!(note);
    }
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

/// Says what an event waits for that has no date, and how it gets one.
fn note(verdict: &Value, names_a_record: bool) -> Option<String> {
    if !verdict["expires_at"].is_null() {
        return None;
    }
    let waits_for = verdict["waits_for"].as_array();
    let names: Vec<&str> = waits_for
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    Some(if names.is_empty() {
        "never expires: its policies set no maximum".to_owned()
    } else if names_a_record {
        format!(
            "does not expire before its record's trigger fires: `trailkeep retention trigger {} --record RECORD --at T`",
            names.join("|")
        )
    } else {
        format!(
            "never expires: its clock starts with the trigger {} of a record, and the event has no `retention.record`",
            names.join(" or ")
        )
    })
}
