//! From assembled events to the ledger. They are appended as they stand in the file, so that a crash anywhere
//! leaves them to be appended again: the same id with the same text is the same event. Those of a round that was just
//! finished are in memory still; the file is read for what a crash or a failed append left.

use serde_json::Value;

use crate::failpoint::FailPoint;
use crate::ingest::Inbox;
use crate::ingest::forms::{Taken, fix, is_reduced, sections_of, taken};
use crate::ingest::{StagingError, count};
use crate::journal::Journal;
use crate::journal::append::{AppendError, Incoming, Refusing, append_waiting};
use crate::journal::read::open_event;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::staged::open_staged;
use trailkeep_otlp::split::fit;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::ledger::event::MAX_EVENT_BYTES;

/// Events that are appended together.
const EVENTS_MAX: usize = 1_000;

/// Forms in which an event is tried: each leaves out at least a section of the one before.
const FORMS_MAX: usize = 40;

/// What a sealed event is bound to.
pub(super) fn place_of_event(ledger: &LedgerRecord) -> String {
    format!("trailkeep/staged-event/v1\n{}", ledger.origin)
}

/// An event that is assembled and not in the ledger yet.
pub(super) struct AssembledEvent {
    /// The number of its row.
    pub(super) number: i64,
    /// It as it is taken in; none where its row does not open.
    pub(super) form: Option<Taken>,
}

/// Appends all that the file has of a ledger: to that one, or, where it is superseded, to the active one.
pub(super) fn flush(inbox: &Inbox, of: &LedgerRecord, ledger: &Ledger) -> Result<(), StagingError> {
    loop {
        let rows = inbox.file.assembled(of.number, EVENTS_MAX)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut assembled = Vec::with_capacity(rows.len());
        for (number, day, sealed) in rows {
            let key = inbox.keys.of_day(&inbox.journal, of, day)?;
            let text = key.and_then(|key| open_staged(&key, &sealed, &place_of_event(of)).ok());
            let form = text.map(|text| taken(&text));
            assembled.push(AssembledEvent { number, form });
        }
        append_assembled(inbox, ledger, assembled)?;
    }
}

/// Appends events and removes their rows.
pub(super) fn append_assembled(
    inbox: &Inbox,
    ledger: &Ledger,
    mut assembled: Vec<AssembledEvent>,
) -> Result<(), StagingError> {
    while !assembled.is_empty() {
        let more = assembled.split_off(assembled.len().min(EVENTS_MAX));
        let (mut events, mut numbers) = (Vec::new(), Vec::new());
        for AssembledEvent { number, form } in assembled {
            if let Some(form) = form {
                if let Some(fault) = form.fault {
                    tracing::error!(%fault, "an assembled event is not valid and is recorded in part; a fault of trailkeep");
                    count(&inbox.counters.reduced, 1);
                }
                events.push(form.event);
            } else {
                count(&inbox.counters.unreadable, 1);
                tracing::error!(
                    "an assembled event of staging.db cannot be decrypted: its key is missing, or it was changed"
                );
            }
            numbers.push(number);
        }
        append(inbox, ledger, events)?;
        FailPoint::AfterAppended.reach();
        inbox.file.remove_assembled(&numbers)?;
        inbox.changed(0, numbers.len());
        assembled = more;
    }
    Ok(())
}

/// Appends events; those that can't be as they are go in a form that can.
fn append(inbox: &Inbox, ledger: &Ledger, events: Vec<Incoming>) -> Result<(), StagingError> {
    match append_waiting(&inbox.journal, ledger, &events, Refusing::Forbidden) {
        // One that can't be appended must not hold back the others.
        Err(error) if is_of_one_event(&error) && events.len() > 1 => events
            .into_iter()
            .try_for_each(|event| append(inbox, ledger, vec![event])),
        Err(error) if is_of_one_event(&error) => events.first().map_or(Ok(()), |event| {
            append_otherwise(inbox, ledger, event, error)
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

/// Records an event that can't be as it is, in as much of it as can: it was acknowledged, so it is not lost. Each form leaves out
/// at least a section of the one before, and in the last one nothing is refused any more.
fn append_otherwise(
    inbox: &Inbox,
    ledger: &Ledger,
    event: &Incoming,
    error: AppendError,
) -> Result<(), StagingError> {
    if is_recorded_otherwise(&inbox.journal, ledger, event, &error)? {
        return Ok(());
    }
    tracing::error!(%error, "an event that was acknowledged is recorded in another form");
    count(&inbox.counters.reduced, 1);
    let mut sections = sections_of(event);
    let mut refusing = Refusing::Forbidden;
    let mut error = error;
    for _ in 0..FORMS_MAX {
        fix(&inbox.journal, ledger, &mut sections, &mut refusing, &error);
        // What is said of it may need more room than what went. The last of its parts is the event itself: when it is there, so
        // are the others.
        let mut parts = fit(sections, MAX_EVENT_BYTES).into_iter();
        sections = parts.next().unwrap_or_default();
        for part in parts {
            let part = taken(Value::Object(part).to_string().as_bytes());
            append(inbox, ledger, vec![part.event])?;
        }
        let other = taken(Value::Object(sections.clone()).to_string().as_bytes()).event;
        match append_waiting(&inbox.journal, ledger, &[other], refusing) {
            Err(refused) if is_of_one_event(&refused) => error = refused,
            outcome => return outcome.map(drop).map_err(Into::into),
        }
    }
    // It waits, rather than being lost.
    Err(error.into())
}

/// Whether an event stands under this id in another form already: a crash came before its row was removed.
fn is_recorded_otherwise(
    journal: &Journal,
    ledger: &Ledger,
    event: &Incoming,
    error: &AppendError,
) -> Result<bool, StagingError> {
    let AppendError::Conflict {
        recorded: Some(seq),
        ..
    } = error
    else {
        return Ok(false);
    };
    let recorded = open_event(journal, ledger, *seq).map_err(AppendError::from)?;
    let read = |text: Option<&[u8]>| {
        let read = text.and_then(|text| serde_json::from_slice::<Value>(text).ok());
        read.unwrap_or_default()
    };
    let assembled = read(event.event.section("attributes"));
    Ok(is_reduced(
        &read(recorded.section("attributes")),
        &assembled,
    ))
}
