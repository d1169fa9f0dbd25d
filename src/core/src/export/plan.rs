//! What an export holds, decided before anything is read; and its record in the ledger.

use serde_json::{Value, json};

use crate::export::person::withheld::Tally;
use crate::export::person::{PersonsEvents, all_seqs};
use crate::export::rows::neighbours;
use crate::export::{ExportError, ExportRequest, OlderHead, Scope};
use crate::journal::Journal;
use crate::journal::append::append_read;
use crate::journal::read::{ReadError, entry_at};
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_proof::bundle::line::ALWAYS_DISCLOSED;
use trailkeep_proof::bundle::manifest::{Proof, Recorded, SeqRange};
use trailkeep_proof::ids::{LookupKey, PersonReference, Seq};
use trailkeep_proof::ledger::checkpoint::Checkpoint;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::shape::{OWN, SECTIONS};
use trailkeep_proof::privacy::Withheld;
use trailkeep_proof::system::{ExportSection, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// What an export will hold.
pub struct Plan {
    pub(super) request: ExportRequest,
    pub(super) recipients: Vec<age::x25519::Recipient>,
    pub(super) older: Vec<OlderHead>,
    pub(super) seqs: Seqs,
    pub(super) recorded: Recorded,
    pub(super) export_seq: Seq,
    /// The export's own entry, in the ledger that records it: of a closed one, that which goes on.
    pub(super) recorded_by: Seq,
    pub(super) exported_at: UnixMillis,
    /// The reference of the person whose own events these are.
    pub(super) reference: Option<PersonReference>,
    /// Events in which that person only acted, and that are left out.
    pub(super) only_acted: u64,
}

/// The entries of a bundle.
#[derive(Clone, Debug)]
pub(super) enum Seqs {
    /// All between two, both in it.
    Range(Seq, Seq),
    /// The events of a selection, ascending.
    Selection(Vec<u64>),
}

impl Seqs {
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Range(first, last) => last.get() - first.get() + 1,
            Self::Selection(seqs) => seqs.len() as u64,
        }
    }

    pub(super) fn proof(&self) -> Proof {
        match self {
            Self::Range(..) => Proof::Range,
            Self::Selection(_) => Proof::Selection,
        }
    }

    pub(super) fn range(&self) -> Option<SeqRange> {
        match self {
            Self::Range(first, last) => Some(SeqRange {
                first: first.get(),
                last: last.get(),
            }),
            Self::Selection(_) => None,
        }
    }

    /// The first and the last entry, of a selection too.
    pub(super) fn ends(&self) -> Option<SeqRange> {
        match self {
            Self::Range(..) => self.range(),
            Self::Selection(seqs) => Some(SeqRange {
                first: *seqs.first()?,
                last: *seqs.last()?,
            }),
        }
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        match self {
            Self::Range(first, last) => (*first..=*last).contains(&seq),
            Self::Selection(_) => false,
        }
    }
}

impl Plan {
    /// Entries that the bundle will hold.
    pub fn entries(&self) -> u64 {
        self.seqs.count()
    }

    /// Takes out of a selection what went since it was made.
    pub fn drop_deleted(&mut self, journal: &Journal, ledger: &Ledger) -> Result<(), ExportError> {
        if let Seqs::Selection(seqs) = &self.seqs {
            self.seqs = Seqs::Selection(still_there(journal, ledger, seqs, self.is_own())?);
        }
        Ok(())
    }

    /// Whether it is a person's own copy.
    fn is_own(&self) -> bool {
        self.request.person.is_some()
    }

    /// What a person's copy leaves out, from what its events leave out.
    pub(super) fn withheld(&self, events: &Tally) -> Vec<Withheld> {
        let person = self.request.person.as_ref();
        person.map_or_else(Vec::new, |person| events.rows(person, self.only_acted))
    }

    /// The entry that records the export.
    pub fn export_seq(&self) -> Seq {
        self.export_seq
    }
}

/// Decides what a bundle holds, and records the export: from here on it is seen (invariant 7).
pub fn plan(
    journal: &Journal,
    ledger: &Ledger,
    request: ExportRequest,
) -> Result<Plan, ExportError> {
    let recipients = request
        .recipients
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| ExportError::Recipient(text.clone()))
        })
        .collect::<Result<_, _>>()?;
    check_redaction(&request.redact)?;
    let size = ledger.published().head.size;
    let older = request
        .against
        .iter()
        .map(|note| older_head(ledger, note, size))
        .collect::<Result<_, _>>()?;
    let (first, end) = ends(journal, ledger, &request.scope, size)?;
    let (mut reference, mut only_acted) = (None, 0);
    let seqs = match (&request.person, &request.action) {
        (Some(person), _) => {
            let found = PersonsEvents::find(journal, ledger, &person.subject, end.get())?;
            reference = found.reference;
            if !person.include_acted {
                only_acted = found.as_actor.len() as u64;
            }
            Seqs::Selection(found.asked_for(person.include_acted))
        }
        (None, None) => Seqs::Range(first, Seq::new(end.get() - 1)),
        (None, Some(action)) => {
            let key = LookupKey::from(ledger.index_key.tag(TagLabel::Action, "", action));
            let found = all_seqs(journal, ledger, key, first, end)?;
            Seqs::Selection(still_there(journal, ledger, &found, false)?)
        }
    };
    let recorded_by = record(journal, ledger, &request, &seqs, reference)?;
    let recorded = covered_time(journal, ledger, &request.scope, end)?;
    // A closed ledger takes no entry: the one that continues it has the export's, and the genesis stands in.
    let (export_seq, exported_at) = if ledger.is_superseded() {
        (Seq::new(0), journal.clock.wall())
    } else {
        (
            recorded_by,
            entry_at(journal, ledger, recorded_by)?.recorded_at,
        )
    };
    Ok(Plan {
        request,
        recipients,
        older,
        seqs,
        recorded,
        export_seq,
        recorded_by,
        exported_at,
        reference,
        only_acted,
    })
}

fn check_redaction(names: &[String]) -> Result<(), ExportError> {
    let known = |name: &str| OWN.contains(&name) || SECTIONS.iter().any(|field| field.name == name);
    for name in names {
        if ALWAYS_DISCLOSED.contains(&name.as_str()) {
            let why = "without action, id, occurred_at and outcome an event counts as withheld";
            return Err(ExportError::NotRedactable(name.clone(), why));
        }
        if !known(name) {
            let why = "unknown section; schema/event.schema.json lists the sections";
            return Err(ExportError::NotRedactable(name.clone(), why));
        }
    }
    Ok(())
}

fn older_head(ledger: &Ledger, note: &str, size: u64) -> Result<OlderHead, ExportError> {
    let older = Checkpoint::open(note, &ledger.verifier).map_err(ExportError::Against)?;
    if older.size > size {
        return Err(ExportError::LargerThanLedger {
            older: older.size,
            size,
        });
    }
    Ok(older)
}

/// The first seq of a scope and the one after its last, which is larger.
fn ends(
    journal: &Journal,
    ledger: &Ledger,
    scope: &Scope,
    size: u64,
) -> Result<(Seq, Seq), ExportError> {
    let number = ledger.record.number;
    match *scope {
        Scope::Seqs { first, last } => {
            if first <= last && last.get() < size {
                Ok((first, last.next()))
            } else {
                Err(ExportError::NoSuchRange { last: size - 1 })
            }
        }
        Scope::Time { from, to } => {
            let edge = |moment: Option<UnixMillis>, open| match moment {
                Some(moment) => journal
                    .ledgers
                    .first_recorded_at(number, size, moment.get()),
                None => Ok(Seq::new(open)),
            };
            let (first, end) = (edge(from, 0)?, edge(to, size)?);
            if first < end {
                return Ok((first, end));
            }
            Err(ExportError::NothingRecorded {
                first: entry_at(journal, ledger, Seq::new(0))?.recorded_at,
                last: entry_at(journal, ledger, Seq::new(size - 1))?.recorded_at,
            })
        }
    }
}

/// Those whose texts have not gone. What is restricted is in a person's own copy alone.
pub(crate) fn still_there(
    journal: &Journal,
    ledger: &Ledger,
    seqs: &[u64],
    is_own: bool,
) -> Result<Vec<u64>, ExportError> {
    let number = ledger.record.number;
    let mut there = Vec::with_capacity(seqs.len());
    for near in neighbours(seqs) {
        let range = near[0]..near[near.len() - 1] + 1;
        let marks = journal.ledgers.marks(number, range.clone())?;
        for (seq, bytes) in journal.ledgers.entry_rows(number, range)? {
            let entry = Entry::decode(&bytes).map_err(|error| ReadError::Entry { seq, error })?;
            let mark = marks.get(&seq).copied().unwrap_or_default();
            let hidden = ledger.tombstones.hidden(&entry, mark, is_own);
            if near.binary_search(&seq.get()).is_ok() && hidden.is_none() {
                there.push(seq.get());
            }
        }
    }
    Ok(there)
}

/// The export's own entry: who, what kind, names of the filters, no value of any.
fn record(
    journal: &Journal,
    ledger: &Ledger,
    request: &ExportRequest,
    seqs: &Seqs,
    reference: Option<PersonReference>,
) -> Result<Seq, ExportError> {
    let strings = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let person = request.person.as_ref();
    let export = ExportSection {
        by: request.asked_by.clone(),
        proof: seqs.proof(),
        filters: strings(names_of_filters(request)),
        entries: seqs.count(),
        redacted_sections: request.redact.clone(),
        recipients: request.recipients.len() as u64,
        ledger: ledger
            .is_superseded()
            .then(|| ledger.record.origin.to_string()),
        request: person.map(|person| person.request.clone()),
        withholds: person.map(|person| strings(person.withholds())),
    };
    let persons = reference.into_iter().collect();
    let event = SystemEvent::Export { export };
    append_read(&journal.writer, ledger, &event, persons)
        .map_err(|error| ExportError::Append(Box::new(error)))
}

fn names_of_filters(request: &ExportRequest) -> Vec<&'static str> {
    let scope = match request.scope {
        Scope::Time { from, to } => [from.map(|_| "from"), to.map(|_| "to")],
        Scope::Seqs { .. } => [Some("seq"), None],
    };
    scope
        .into_iter()
        .chain([
            request.action.as_ref().map(|_| "action"),
            request.person.as_ref().map(|_| "subject"),
        ])
        .flatten()
        .collect()
}

/// The time that a range provably covers: up to `to` only if the entry after it was recorded by then,
/// which a `to` in the future is not.
fn covered_time(
    journal: &Journal,
    ledger: &Ledger,
    scope: &Scope,
    end: Seq,
) -> Result<Recorded, ExportError> {
    let Scope::Time { from, to } = *scope else {
        return Ok(Recorded::default());
    };
    let is_end = ledger.is_superseded() && end.get() == ledger.published().head.size;
    // Nothing comes after the last entry of a closed ledger, and so nothing proves when that was over.
    let after = if is_end {
        UnixMillis::new(0)
    } else {
        entry_at(journal, ledger, end)?.recorded_at
    };
    Ok(Recorded {
        from: from.map(|moment| moment.to_string()),
        to: to
            .filter(|to| after >= *to)
            .map(|moment| moment.to_string()),
    })
}

/// The question in its own words, for the manifest and for people.
pub(super) fn question(request: &ExportRequest) -> Value {
    let mut question = serde_json::Map::new();
    match request.scope {
        Scope::Time { from, to } => {
            for (name, moment) in [("from", from), ("to", to)] {
                if let Some(moment) = moment {
                    question.insert(name.to_owned(), json!(moment.to_string()));
                }
            }
        }
        Scope::Seqs { first, last } => {
            question.insert("seq".to_owned(), json!(format!("{first}..{last}")));
        }
    }
    if let Some(action) = &request.action {
        question.insert("action".to_owned(), json!(action));
    }
    if let Some(person) = &request.person {
        let mut subject = json!({"id": person.subject.id});
        if !person.subject.namespace.is_empty() {
            subject["namespace"] = json!(person.subject.namespace);
        }
        question.insert("subject".to_owned(), subject);
        question.insert("request".to_owned(), json!(person.request));
        question.insert("include_acted".to_owned(), json!(person.include_acted));
        question.insert("withholds".to_owned(), json!(person.withholds()));
    }
    if !request.redact.is_empty() {
        question.insert("redact".to_owned(), json!(request.redact));
    }
    Value::Object(question)
}
