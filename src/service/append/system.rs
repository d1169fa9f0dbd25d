//! Appending what the ledger itself records. A ledger that a recovery closed takes no entry: the one that continues
//! it does.

use std::ops::Range;

use super::{
    AppendError, EVER, PreparedEvent, Refusal, Submission, WriterThread, prepare_statement,
    prepare_system,
};
use crate::ids::{PersonReference, Seq};
use crate::ledger::entry::Entry;
use crate::seal::secret::random_bytes;
use crate::service::keyring::{KeyError, Needs};
use crate::service::ledger::Ledger;
use crate::store::Statement;
use crate::time::UnixMillis;

/// Appends a system event, and waits for it; not to be called on the event loop. Gives its seq.
pub(in crate::service) fn append_system(
    writer: &WriterThread,
    ledger: &Ledger,
    sections: &[(&str, &[u8])],
) -> Result<Seq, AppendError> {
    let ledger = ledger.recorder();
    let system = prepare_system(&ledger.record.origin, &ledger.system_key, sections)?;
    append_prepared(writer, ledger, system)
}

/// Appends a system event that states something for other entries.
pub(in crate::service) fn append_statement(
    writer: &WriterThread,
    ledger: &Ledger,
    sections: &[(&str, &[u8])],
    states: Statement,
) -> Result<Seq, AppendError> {
    let nonce = random_bytes().map_err(KeyError::from)?;
    let statement = prepare_statement(ledger, nonce, sections, states)?;
    append_prepared(writer, ledger.recorder(), statement)
}

/// Appends statements of a tenant's ledgers together, all or none, recorded at a moment or later. Gives the seq of the
/// first.
pub(in crate::service) fn append_statements(
    writer: &WriterThread,
    ledger: &Ledger,
    statements: Vec<PreparedEvent>,
    from: UnixMillis,
) -> Result<Seq, AppendError> {
    append_all(writer, ledger.recorder(), statements, from..EVER.end)
}

/// Appends the system event of a read, with the persons whose events it showed.
pub(in crate::service) fn append_read(
    writer: &WriterThread,
    ledger: &Ledger,
    sections: &[(&str, &[u8])],
    shown_persons: Vec<PersonReference>,
) -> Result<Seq, AppendError> {
    let ledger = ledger.recorder();
    let system = prepare_system(&ledger.record.origin, &ledger.system_key, sections)?;
    let read = PreparedEvent {
        shown_persons,
        ..system
    };
    append_prepared(writer, ledger, read)
}

fn append_prepared(
    writer: &WriterThread,
    ledger: &Ledger,
    event: PreparedEvent,
) -> Result<Seq, AppendError> {
    append_all(writer, ledger, vec![event], EVER)
}

fn append_all(
    writer: &WriterThread,
    ledger: &Ledger,
    events: Vec<PreparedEvent>,
    recorded_within: Range<UnixMillis>,
) -> Result<Seq, AppendError> {
    let submission = Submission {
        ledger: ledger.record.number,
        events,
        needs: Needs::default(),
        looked_up_below: Seq::new(0),
        recorded_within,
    };
    let answer = writer.push(submission)?;
    let accepted = answer
        .blocking_recv()
        .unwrap_or(Err(Refusal::OutcomeUnknown))?;
    let entry = accepted
        .entries
        .first()
        .and_then(|bytes| Entry::decode(bytes).ok());
    entry
        .map(|entry| entry.seq)
        .ok_or(AppendError::OutcomeUnknown)
}
