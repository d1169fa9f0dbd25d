//! Appending what the ledger itself records. A ledger that a recovery closed takes no entry: the one that continues
//! it does.

use std::ops::Range;

use crate::failpoint::FailPoint;
use crate::journal::Journal;
use crate::journal::append::{
    AppendError, EVER, NewValues, PreparedEvent, Refusal, Submission, WriterThread,
    prepare_statement, prepare_system,
};
use crate::keys::keyring::{KeyError, Needs};
use crate::keys::rows::{Changes, Noted, SECTION};
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_ports::{LedgerRecord, Statement};
use trailkeep_proof::ids::{PersonReference, Seq};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::system::{Sections, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// Appends a system event, and waits for it; not to be called on the event loop. Gives its seq.
pub(crate) fn append_system(
    writer: &WriterThread,
    ledger: &Ledger,
    event: &SystemEvent,
) -> Result<Seq, AppendError> {
    append_sections(writer, ledger, &event.sections())
}

fn append_sections(
    writer: &WriterThread,
    ledger: &Ledger,
    sections: &Sections,
) -> Result<Seq, AppendError> {
    let ledger = ledger.recorder();
    let system = prepare_system(&ledger.record.origin, &ledger.system_key, sections)?;
    append_prepared(writer, ledger, system)
}

/// Appends a system event that changes rows of the vault: both are there when this returns, and after a crash both or
/// neither. Gives its seq.
pub(crate) fn append_changing(
    journal: &Journal,
    ledger: &Ledger,
    event: &SystemEvent,
    changes: Changes,
) -> Result<Seq, AppendError> {
    let changing = Changing::begin(journal, ledger, changes)?;
    let sections = changing.with_section(event.sections());
    let appended = append_sections(&journal.writer, ledger, &sections);
    changing.end(appended)
}

/// The same of one that states something for other entries.
pub(crate) fn append_statement_changing(
    journal: &Journal,
    ledger: &Ledger,
    event: SystemEvent,
    states: Statement,
    changes: Changes,
) -> Result<Seq, AppendError> {
    let changing = Changing::begin(journal, ledger, changes)?;
    let nonce = random_bytes().map_err(KeyError::from)?;
    let appended = prepare_statement(ledger, nonce, event, Some(&changing), states)
        .and_then(|statement| append_prepared(&journal.writer, ledger.recorder(), statement));
    changing.end(appended)
}

/// A change of the vault from its note to its end, around the appending of its statement.
pub(crate) struct Changing<'a> {
    journal: &'a Journal,
    recorder: &'a LedgerRecord,
    noted: Noted,
}

impl<'a> Changing<'a> {
    /// Notes what is about to change.
    pub(crate) fn begin(
        journal: &'a Journal,
        ledger: &'a Ledger,
        changes: Changes,
    ) -> Result<Self, AppendError> {
        let recorder = ledger.recorder();
        let head = recorder.published().head.size;
        let noted = Noted::begin(&journal.keyring, &recorder.record, head, changes)?;
        FailPoint::ChangeNoted.reach();
        Ok(Self {
            journal,
            recorder: &recorder.record,
            noted,
        })
    }

    /// The statement's sections, that of the rows among them.
    pub(super) fn with_section(&self, mut sections: Sections) -> Sections {
        let rows = self.noted.section().as_bytes().to_vec();
        sections.push((SECTION.to_owned(), rows));
        sections.sort_unstable_by(|(one, _), (next, _)| one.cmp(next));
        sections
    }

    /// Takes the rows, where the statement stands. Where nobody knows, the next start finds out.
    pub(crate) fn end(self, appended: Result<Seq, AppendError>) -> Result<Seq, AppendError> {
        self.end_of(appended, 1)
    }

    /// The same of several statements that stand together and carry the same section. Gives the seq of the first.
    pub(crate) fn end_of(
        self,
        appended: Result<Seq, AppendError>,
        count: u64,
    ) -> Result<Seq, AppendError> {
        let keyring = &self.journal.keyring;
        match appended {
            Ok(seq) => {
                FailPoint::ChangeStated.reach();
                let last = Seq::new(seq.get() + count.saturating_sub(1));
                self.noted.finish(keyring, self.recorder, last)?;
                FailPoint::ChangeTaken.reach();
                Ok(seq)
            }
            Err(error @ (AppendError::OutcomeUnknown | AppendError::Stopped)) => Err(error),
            Err(error) => {
                self.noted.drop(keyring, self.recorder)?;
                Err(error)
            }
        }
    }
}

/// Appends a system event that states something for other entries.
pub(crate) fn append_statement(
    writer: &WriterThread,
    ledger: &Ledger,
    event: SystemEvent,
    states: Statement,
) -> Result<Seq, AppendError> {
    let nonce = random_bytes().map_err(KeyError::from)?;
    let statement = prepare_statement(ledger, nonce, event, None, states)?;
    append_prepared(writer, ledger.recorder(), statement)
}

/// Appends statements of a tenant's ledgers together, all or none, recorded at a moment or later. Gives the seq of the
/// first.
pub(crate) fn append_statements(
    writer: &WriterThread,
    ledger: &Ledger,
    statements: Vec<PreparedEvent>,
    from: UnixMillis,
) -> Result<Seq, AppendError> {
    append_all(writer, ledger.recorder(), statements, from..EVER.end)
}

/// Appends the system event of a read, with the persons whose events it showed.
pub(crate) fn append_read(
    writer: &WriterThread,
    ledger: &Ledger,
    event: &SystemEvent,
    shown_persons: Vec<PersonReference>,
) -> Result<Seq, AppendError> {
    let ledger = ledger.recorder();
    let sections = event.sections();
    let system = prepare_system(&ledger.record.origin, &ledger.system_key, &sections)?;
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
        values: NewValues::default(),
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
