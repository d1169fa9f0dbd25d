//! Why a stored event is kept, until when, and by which citation; or what became of it.

use crate::destroy::DeletionError;
use crate::journal::Journal;
use crate::journal::read::ReadError;
use crate::retention::due::facts_of;
use crate::tenant::explain::{Explained, explain};
use crate::tenant::hold::Holds;
use crate::tenant::rules::{Rules, StoredFacts};
use crate::tenant::{ReadScope, trigger};
use trailkeep_policy::{Date, HoldSpan};
use trailkeep_proof::ids::{ClassNumber, Seq};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::time::UnixMillis;

/// Why an entry is kept, or what became of it.
#[derive(Clone, Debug)]
pub struct ExplainedEvent {
    /// Its place.
    pub seq: Seq,
    /// When it was recorded.
    pub recorded_at: UnixMillis,
    /// Its class.
    pub class: ClassNumber,
    /// `kept`, `intact`, `restricted`, `expired` or `erased`.
    pub state: &'static str,
    /// The entry that states why it is restricted or deleted.
    pub by: Option<Seq>,
    /// Its record, which triggers name.
    pub record: Option<String>,
    /// What its dates depend on.
    pub note: Option<String>,
    /// What the policies say; none of what was deleted and of the ledger's own entries.
    pub verdict: Option<Explained>,
    /// Holds that cover it, where there is a verdict.
    pub holds: Option<Vec<String>>,
}

/// Explains the entry at a seq, judged at a moment. It shows no text: of a text that went it says which statement
/// covers it.
pub(crate) fn explain_event(
    journal: &Journal,
    scope: &ReadScope,
    (seq, erasure_requested_at): (Seq, Option<UnixMillis>),
    at: UnixMillis,
) -> Result<ExplainedEvent, DeletionError> {
    let ledger = scope.ledger();
    let found = journal.ledgers.event(ledger.record.number, seq)?;
    let row = found.ok_or(ReadError::NotFound)?;
    let entry = Entry::decode(&row.entry).map_err(|error| ReadError::Entry { seq, error })?;
    let mut said = ExplainedEvent {
        seq,
        recorded_at: entry.recorded_at,
        class: entry.class,
        state: "kept",
        by: None,
        record: None,
        note: None,
        verdict: None,
        holds: None,
    };
    let Some(class) = ledger.classes.class(entry.class) else {
        said.note = Some("an entry of the ledger itself: it is never deleted".to_owned());
        return Ok(said);
    };
    if let Some(gone) = ledger.tombstones.deletion(&entry, row.mark) {
        said.state = gone.deletion_cause.as_str();
        said.by = Some(ledger.place_of(gone.by).1);
        return Ok(said);
    }
    let rules = Rules::of(ledger, &class)?;
    let facts = facts_of(journal, ledger, seq)?;
    let mut triggers = None;
    if let Some(record) = &facts.record {
        let tag = |record: &str| trigger::record_tag(ledger, record);
        let mut records = trigger::by_record(&journal.keyring, ledger.active_record(), tag)?;
        triggers = records.remove(&tag(record));
        said.record = Some(record.clone());
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
    said.note = note(&verdict, facts.record.is_some());
    said.state = if row.mark.restricted_by.is_some() {
        "restricted"
    } else {
        "intact"
    };
    said.by = row.mark.restricted_by.map(|by| ledger.place_of(by).1);
    said.verdict = Some(verdict);
    let active = covering
        .iter()
        .filter(|(_, hold)| hold.span().is_active(at));
    said.holds = Some(active.map(|(id, _)| (*id).clone()).collect());
    Ok(said)
}

/// Says what an event waits for that has no date, and how it gets one.
fn note(explained: &Explained, names_a_record: bool) -> Option<String> {
    if explained.verdict.resolved.expires_at != Date::Open {
        return None;
    }
    let names: Vec<&str> = explained.waits_for.iter().map(String::as_str).collect();
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
