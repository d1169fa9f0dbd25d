//! Appending: from events to acknowledged entries.
//!
//! [`append`] parses nothing and knows no HTTP: it compares ids, seals on the caller's side, queues, and
//! waits for the writer (writer.rs) to have the events on disk.

mod error;
mod extension;
mod history;
mod incoming;
mod metered;
mod newest;
pub(crate) mod operator;
mod outcome;
mod prepare;
mod prompt;
mod queue;
mod recorded;
mod register;
pub(crate) mod room;
mod seen;
mod system;
mod thread;
mod upkeep;
mod values;
mod writer;

use std::ops::Range;
use std::sync::Arc;

use crate::journal::Journal;
use crate::journal::class::class_for;
use crate::keys::keyring::Needs;
use crate::off_loop::{Effort, computing};
use crate::tenant::Tenant;
use crate::tenant::classes::{Class, default_class};
use crate::tenant::deletion::DeletionCause;
use crate::tenant::ledger::{Ledger, Published};
pub use error::AppendError;
pub(crate) use error::Refusal;
pub(crate) use extension::{Extended, Extension};
pub use incoming::Incoming;
pub(crate) use incoming::{Refusing, gaps_of};
pub(crate) use metered::is_call;
pub(crate) use newest::Newest;
pub(crate) use outcome::Shards;
pub(crate) use prepare::{
    PROMPT_VERSION, lookup_keys, person_tag, prepare_statement, prepare_system,
};
use recorded::{Recorded, find_recorded};
pub(crate) use register::{metering, state_name};
pub(crate) use system::{
    Changing, append_changing, append_read, append_statement, append_statement_changing,
    append_statements, append_system,
};
pub use thread::{StoppedBadly, WriterThread};
use trailkeep_crypto::secret::TagLabel;
use trailkeep_policy::KeyPeriod;
use trailkeep_ports::{GapName, Stated};
use trailkeep_proof::ids::{
    ClassNumber, Commitment, LedgerNumber, LookupKey, PersonReference, Seq, ValueNumber,
};
use trailkeep_proof::ledger::entry::{Entry, EntryBytes, EntryKind};
use trailkeep_proof::ledger::event::Event;
use trailkeep_proof::time::UnixMillis;
use values::Sharing;
pub(crate) use values::{KnownValues, NewValues};
pub(crate) use writer::{LedgerState, NewLedgers, Writer};

/// How often an append looks again after somebody else wrote one of its ids.
const ATTEMPTS_MAX: usize = 8;

/// An event, sealed, on its way to the writer.
#[derive(Debug)]
pub struct PreparedEvent {
    /// What the entry says it is.
    pub kind: EntryKind,
    /// Its retention class.
    pub class: ClassNumber,
    /// The ciphertext.
    pub payload: Vec<u8>,
    /// Values that nothing refers to yet.
    pub values: Vec<(ValueNumber, Vec<u8>)>,
    /// The values that the payload refers to, those above included; ascending, each once.
    pub refers: Vec<ValueNumber>,
    /// What the entry commits to.
    pub commitment: Commitment,
    /// What it is found by, the event id's key first; none for system events.
    pub lookups: Vec<LookupKey>,
    /// The persons whose events the recorded read showed; of reads alone.
    pub shown_persons: Vec<PersonReference>,
    /// What it states for other entries; of system events alone.
    pub states: Option<Stated>,
    /// What its policies found it to lack.
    pub gaps: Vec<GapName>,
    /// Whether it states a change of the vault.
    pub changes_vault: bool,
}

/// Events that stand together: all of them are written, or none.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) ledger: LedgerNumber,
    pub(crate) events: Vec<PreparedEvent>,
    /// What the vault must hold first.
    pub(crate) needs: Needs,
    /// The index's merged end before the ids were looked up.
    pub(crate) looked_up_below: Seq,
    /// When it may be recorded: what it says holds in this time, from inclusive, to exclusive.
    pub(crate) recorded_within: Range<UnixMillis>,
    /// What its events share, with one another and with those of before.
    pub(crate) values: NewValues,
}

/// At any time.
const EVER: Range<UnixMillis> = UnixMillis::new(0)..UnixMillis::new(u64::MAX);

impl Submission {
    fn bytes(&self) -> usize {
        let values = self.events.iter().flat_map(|event| &event.values);
        let values: usize = values.map(|(_, bytes)| bytes.len()).sum();
        let payloads: usize = self.events.iter().map(|event| event.payload.len()).sum();
        payloads + values
    }
}

/// What the writer says of a submission that is on disk.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) entries: Vec<EntryBytes>,
    pub(crate) published: Arc<Published>,
}

/// One event of an answered append.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Its id, given or added.
    pub id: String,
    /// What became of it.
    pub result: AppendedAs,
}

/// What became of one event of an append.
#[derive(Clone, Copy, Debug)]
pub enum AppendedAs {
    /// It was written just now.
    New(EntryBytes),
    /// An event of the same content had been recorded before; its bytes are the evidence.
    Before {
        /// Its entry.
        entry: EntryBytes,
        /// Whether this request's bytes are those that were recorded, and not another spelling of them.
        same_bytes: bool,
    },
    /// It had been recorded, and its text has gone since: nothing was written.
    Deleted(DeletionCause),
}

impl Appended {
    /// Its entry, while it can be told which it is.
    pub const fn entry(&self) -> Option<&EntryBytes> {
        match &self.result {
            AppendedAs::New(entry) | AppendedAs::Before { entry, .. } => Some(entry),
            AppendedAs::Deleted(_) => None,
        }
    }

    /// Whether it had been recorded before this request.
    pub const fn is_duplicate(&self) -> bool {
        !matches!(self.result, AppendedAs::New(_))
    }

    /// Its state.
    pub fn decoded(&self) -> Option<Entry> {
        Entry::decode(self.entry()?).ok()
    }
}

/// An answered append: the events in the request's order, and a head that holds them all.
#[derive(Debug)]
pub struct Outcome {
    /// The events.
    pub events: Vec<Appended>,
    /// The head.
    pub published: Arc<Published>,
}

/// Appends events, all or none. When it returns, they are on disk (invariant 1).
///
/// Every event has an `id` section by now. One that is recorded already with the same sections is
/// answered with its first entry, also where its JSON is spelled otherwise; with others the request is refused.
pub async fn append(
    journal: &Arc<Journal>,
    tenant: &Tenant,
    events: Vec<Incoming>,
    effort: Effort,
) -> Result<Outcome, AppendError> {
    let (events, ledger) = (Arc::new(events), tenant.active());
    for _ in 0..ATTEMPTS_MAX {
        let (answer, recorded) = {
            let (journal, ledger, events) =
                (Arc::clone(journal), Arc::clone(ledger), Arc::clone(&events));
            let refusing = Refusing::AsTheTenantSays;
            computing(effort, move || submit(&journal, &ledger, &events, refusing)).await?
        };
        let accepted = match answer {
            None => None,
            Some(answer) => match answer.await.unwrap_or(Err(Refusal::OutcomeUnknown)) {
                Ok(accepted) => Some(accepted),
                Err(Refusal::LookAgain) => continue,
                Err(refusal) => return Err(refusal.into()),
            },
        };
        return Ok(join(ledger, &events, recorded, accepted));
    }
    Err(AppendError::Busy)
}

/// The same for a thread that may wait, of events that were acknowledged before; not to be called on the event loop.
pub(crate) fn append_waiting(
    journal: &Journal,
    ledger: &Ledger,
    events: &[Incoming],
    refusing: Refusing,
) -> Result<Outcome, AppendError> {
    for _ in 0..ATTEMPTS_MAX {
        let (answer, recorded) = submit(journal, ledger, events, refusing)?;
        let answered = answer.map(tokio::sync::oneshot::Receiver::blocking_recv);
        let accepted = match answered.map(|answer| answer.unwrap_or(Err(Refusal::OutcomeUnknown))) {
            None => None,
            Some(Ok(accepted)) => Some(accepted),
            Some(Err(Refusal::LookAgain)) => continue,
            Some(Err(refusal)) => return Err(refusal.into()),
        };
        return Ok(join(ledger, events, recorded, accepted));
    }
    Err(AppendError::Busy)
}

type Answer = tokio::sync::oneshot::Receiver<Result<Accepted, Refusal>>;

/// Looks the ids up, seals what is new and queues it. Gives where the answer will come, if anything is
/// new, and what is recorded already.
fn submit(
    journal: &Journal,
    ledger: &Ledger,
    events: &[Incoming],
    refusing: Refusing,
) -> Result<(Option<Answer>, Vec<Recorded>), AppendError> {
    let looked_up_below = journal.index.merged_end(ledger.record.number);
    let recorded = find_recorded(journal, ledger, events)?;
    // Recorded time does not step back, whatever the clock does.
    let now = journal
        .clock
        .wall()
        .max(ledger.published().last_recorded_at);
    let mut recorded_within = EVER;
    let mut needs = Needs::default();
    let mut prepared = Vec::with_capacity(events.len());
    let files = (&*journal.values, &*journal.ledgers);
    let mut sharing = Sharing::new(files, &ledger.record, &ledger.index_key);
    let applying = incoming::policies_of_new(journal, ledger, events, &recorded, refusing)?;
    let prompts = ledger.prompts();
    let checked = incoming::check(&applying, events, (refusing, ledger.settings().strict), now)?;
    let metered = metered::sections(journal, ledger, (events, &applying), now)?;
    let all = events.iter().zip(&applying).zip(&checked).zip(&metered);
    for (((event, policies), checked), metered) in all {
        if let Some(policies) = policies {
            let facts = event.event.facts();
            let class = match class_for(journal, ledger, policies, &facts.action, now) {
                Err(error @ AppendError::Class { .. }) if refusing.takes_any_class(event) => {
                    default_class(ledger).ok_or(error)?
                }
                class => class?,
            };
            let period = key_period(ledger, &event.event, &class, now);
            let bounds = period.bounds();
            // A key serves its period alone: so it can go when the period has.
            recorded_within.start = recorded_within.start.max(bounds.start);
            recorded_within.end = recorded_within.end.min(bounds.end);
            if metered.as_ref().is_some_and(|metered| metered.is_of_day) {
                let day = metered::day_of(now);
                recorded_within.start = recorded_within.start.max(day.start);
                recorded_within.end = recorded_within.end.min(day.end);
            }
            let metered = metered.as_ref().map(|metered| metered.text.as_bytes());
            let odd_prompt = prompt::oddity(&prompts, &event.event);
            let received = event.received(checked, odd_prompt);
            let key_slot = (class.number, period);
            let keyring = &journal.keyring;
            let takes = (&mut needs, &mut sharing);
            let sealed = prepare::prepare_event(
                keyring,
                ledger,
                event,
                (&received, metered),
                key_slot,
                takes,
            )?;
            let gaps = incoming::gap_names(checked);
            prepared.push(PreparedEvent { gaps, ..sealed });
        }
    }
    if prepared.is_empty() {
        return Ok((None, recorded));
    }
    let submission = Submission {
        ledger: ledger.record.number,
        events: prepared,
        needs,
        looked_up_below,
        recorded_within,
        values: sharing.into_new(),
    };
    Ok((Some(journal.writer.push(submission)?), recorded))
}

/// The time that the data keys of an event serve: a record's whole life where something that happens to it starts
/// the clock, else a week or a month.
fn key_period(ledger: &Ledger, event: &Event, class: &Class, now: UnixMillis) -> KeyPeriod {
    match &event.facts().record {
        Some(record) if class.after.is_none() => {
            KeyPeriod::Record(ledger.index_key.tag(TagLabel::Record, "", record))
        }
        _ => KeyPeriod::of(now, class.after),
    }
}

/// Brings what was recorded before and what was written now back into the request's order.
fn join(
    ledger: &Ledger,
    events: &[Incoming],
    recorded: Vec<Recorded>,
    accepted: Option<Accepted>,
) -> Outcome {
    let published = accepted.as_ref().map_or_else(
        || ledger.published(),
        |accepted| Arc::clone(&accepted.published),
    );
    let mut written = accepted
        .map(|accepted| accepted.entries)
        .unwrap_or_default()
        .into_iter();
    let mut results: std::collections::HashMap<String, AppendedAs> =
        std::collections::HashMap::new();
    let mut joined = Vec::with_capacity(events.len());
    for (event, recorded) in events.iter().zip(recorded) {
        let id = event.event.facts().id.clone().unwrap_or_default();
        let result = match recorded {
            Recorded::New => written.next().map(AppendedAs::New),
            Recorded::Before { entry, same_bytes } => {
                Some(AppendedAs::Before { entry, same_bytes })
            }
            Recorded::Deleted(deletion_cause) => Some(AppendedAs::Deleted(deletion_cause)),
            Recorded::EarlierInRequest { same_bytes } => {
                results.get(&id).map(|earlier| match *earlier {
                    AppendedAs::New(entry) | AppendedAs::Before { entry, .. } => {
                        AppendedAs::Before { entry, same_bytes }
                    }
                    AppendedAs::Deleted(deletion_cause) => AppendedAs::Deleted(deletion_cause),
                })
            }
        };
        // Every new event of an accepted submission was written.
        let Some(result) = result else { continue };
        results.entry(id.clone()).or_insert(result);
        joined.push(Appended { id, result });
    }
    Outcome {
        events: joined,
        published,
    }
}
