//! Entries with their texts: read in short transactions, opened side by side, given in order.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::cores::in_order;
use crate::export::person::withheld::OfEvent;
use crate::export::person::{card_of, purpose_of};
use crate::export::plan::Seqs;
use crate::export::summary::Brief;
use crate::export::{ExportError, ExportRequest};
use crate::journal::Journal;
use crate::journal::read::{ReadError, open_payload};
use crate::short_reads::ENTRIES_PER_READ;
use crate::tenant::deletion::Hidden;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::payload::OpenedEvent;
use trailkeep_ports::Mark;
use trailkeep_proof::bundle::line::{Line, Section};
use trailkeep_proof::bundle::table;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::commitment::{SectionSalts, section_digest};
use trailkeep_proof::ledger::entry::{Entry, EntryBytes, EntryKind};

/// Payloads that are opened together are to have about so many bytes.
const BYTES_PER_READ: u64 = 1 << 20;

/// An entry with what the bundle says of it.
pub(super) struct Row {
    pub(super) entry: Entry,
    pub(super) bytes: EntryBytes,
    pub(super) content: Content,
}

/// What the bundle says of an entry.
pub(super) enum Content {
    /// The ledger's own: its line for statements.jsonl.
    Statement(Vec<u8>),
    /// An event that is disclosed.
    Event(Box<Disclosed>),
    /// An event whose text is not shown.
    Hidden(Hidden),
}

/// What the bundle says of an event.
pub(super) struct Disclosed {
    /// Its line for events.jsonl.
    pub(super) line: Vec<u8>,
    /// Its line for events.csv.
    pub(super) cells: Vec<u8>,
    /// For the summary.
    pub(super) brief: Brief,
    /// Names of its sections that stand as digests.
    pub(super) redacted: Vec<String>,
    /// What a person's copy leaves out of it, and why.
    pub(super) withheld: OfEvent,
    /// What the person wrote in an input that is left out.
    pub(super) own_words: Vec<String>,
    /// For the person whom the bundle is for: what it was for, and its card.
    pub(super) purpose: Option<String>,
    pub(super) card: Option<String>,
}

/// What readers get to see one by one.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Excerpts for the summary's table.
    pub(super) excerpts: bool,
    /// Cards for the person's page.
    pub(super) cards: bool,
}

/// What is still wanted of the next rows. Who takes the rows sets it. The threads that render ahead read it.
pub(super) struct Wanting {
    excerpts: AtomicBool,
    cards: AtomicBool,
}

impl Wanting {
    pub(super) const fn new(wanted: Wanted) -> Self {
        Self {
            excerpts: AtomicBool::new(wanted.excerpts),
            cards: AtomicBool::new(wanted.cards),
        }
    }

    pub(super) fn set(&self, wanted: Wanted) {
        self.excerpts.store(wanted.excerpts, Ordering::Relaxed);
        self.cards.store(wanted.cards, Ordering::Relaxed);
    }

    fn get(&self) -> Wanted {
        Wanted {
            excerpts: self.excerpts.load(Ordering::Relaxed),
            cards: self.cards.load(Ordering::Relaxed),
        }
    }
}

/// Reads the entries of a bundle, in order, some at a time.
pub(super) struct Rows<'a> {
    journal: &'a Journal,
    ledger: &'a Ledger,
    request: &'a ExportRequest,
    seqs: &'a Seqs,
}

impl Content {
    /// The line of a statement; nothing of anything else.
    pub(super) fn statement(&self) -> &[u8] {
        match self {
            Self::Statement(line) => line,
            Self::Event(_) | Self::Hidden(_) => &[],
        }
    }
}

/// An entry and its payload, as stored.
struct Stored {
    seq: Seq,
    bytes: EntryBytes,
    text: Text,
}

enum Text {
    Payload(Vec<u8>),
    Hidden(Hidden),
}

impl Text {
    fn len(&self) -> u64 {
        match self {
            Self::Payload(payload) => payload.len() as u64,
            Self::Hidden(_) => 0,
        }
    }
}

impl<'a> Rows<'a> {
    pub(super) const fn new(
        journal: &'a Journal,
        ledger: &'a Ledger,
        request: &'a ExportRequest,
        seqs: &'a Seqs,
    ) -> Self {
        Self {
            journal,
            ledger,
            request,
            seqs,
        }
    }

    /// Gives all rows to `take`, in order, some at a time. Other cores open and write out the next ones meanwhile, which is
    /// most of the work. They may make more excerpts and cards than are wanted in the end.
    pub(super) fn each(
        &self,
        wanting: &Wanting,
        take: impl FnMut(Vec<Row>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let (count, per_read) = (self.seqs.count(), AtomicU64::new(64));
        let mut next = 0;
        let parts = std::iter::from_fn(|| {
            let part = next..count.min(next + per_read.load(Ordering::Relaxed));
            next = part.end;
            (!part.is_empty()).then_some(part)
        });
        let render = |part: Range<u64>| {
            let stored = self.read(part.clone())?;
            let bytes: u64 = stored.iter().map(|row| row.text.len()).sum();
            let each = (bytes / (part.end - part.start).max(1)).max(1);
            let fitting = (BYTES_PER_READ / each).clamp(16, ENTRIES_PER_READ);
            per_read.store(fitting, Ordering::Relaxed);
            let asked = Some((self.request, wanting.get()));
            let rows = stored.iter();
            rows.map(|row| render(self.journal, self.ledger, row, asked))
                .collect::<Result<Vec<Row>, ExportError>>()
        };
        in_order(parts, render, take)
    }

    fn read(&self, part: Range<u64>) -> Result<Vec<Stored>, ExportError> {
        match self.seqs {
            Seqs::Range(first, _) => {
                self.read_range(first.get() + part.start, first.get() + part.end)
            }
            Seqs::Selection(seqs) => {
                let mut stored = Vec::new();
                for near in neighbours(&seqs[part.start as usize..part.end as usize]) {
                    stored.extend(self.read_some(near)?);
                }
                Ok(stored)
            }
        }
    }

    fn read_range(&self, start: u64, end: u64) -> Result<Vec<Stored>, ExportError> {
        self.read_some(&(start..end).collect::<Vec<_>>())
    }

    /// Reads seqs that lie close together, ascending, in one transaction for each table.
    fn read_some(&self, seqs: &[u64]) -> Result<Vec<Stored>, ExportError> {
        let (Some(first), Some(last)) = (seqs.first(), seqs.last()) else {
            return Ok(Vec::new());
        };
        let (ledgers, number) = (&self.journal.ledgers, self.ledger.record.number);
        let entries = ledgers.entry_rows(number, *first..last + 1)?;
        let mut entries: HashMap<Seq, Vec<u8>> = entries.into_iter().collect();
        let payloads = ledgers.payload_rows(number, *first..last + 1)?;
        let mut payloads: HashMap<Seq, Vec<u8>> = payloads.into_iter().collect();
        // Asked after the payloads were read: what is stated gone meanwhile is not disclosed.
        let marks = ledgers.marks(number, *first..last + 1)?;
        let is_own = self.request.person.is_some();
        seqs.iter()
            .map(|seq| {
                let seq = Seq::new(*seq);
                let bytes = entries.remove(&seq).ok_or(ReadError::NotFound)?;
                let mark = marks.get(&seq).copied().unwrap_or_default();
                let payload = payloads.remove(&seq);
                stored(self.ledger, seq, bytes, payload, (mark, is_own))
            })
            .collect()
    }
}

/// Seqs in stretches whose gaps are small, and which one read takes: rows in between are read and dropped.
pub(super) fn neighbours(seqs: &[u64]) -> impl Iterator<Item = &[u64]> {
    const GAP_MAX: u64 = 8;
    seqs.chunk_by(|one, next| next - one <= GAP_MAX)
        .flat_map(|near| near.chunks(ENTRIES_PER_READ as usize / GAP_MAX as usize))
}

/// One of the ledger's own entries, or an event, in full.
pub(super) fn read_statement(
    journal: &Journal,
    ledger: &Ledger,
    seq: Seq,
) -> Result<Row, ExportError> {
    let stored = read_one(journal, ledger, seq, false)?;
    render(journal, ledger, &stored, None)
}

fn read_one(
    journal: &Journal,
    ledger: &Ledger,
    seq: Seq,
    is_own: bool,
) -> Result<Stored, ExportError> {
    let found = journal.ledgers.event(ledger.record.number, seq)?;
    let row = found.ok_or(ReadError::NotFound)?;
    stored(
        ledger,
        seq,
        row.entry.to_vec(),
        row.payload,
        (row.mark, is_own),
    )
}

fn stored(
    ledger: &Ledger,
    seq: Seq,
    bytes: Vec<u8>,
    payload: Option<Vec<u8>>,
    (mark, is_own): (Mark, bool),
) -> Result<Stored, ExportError> {
    let bytes = EntryBytes::try_from(bytes).map_err(|_| ReadError::NotFound)?;
    let entry = Entry::decode(&bytes).map_err(|error| ReadError::Entry { seq, error })?;
    let text = match (ledger.tombstones.hidden(&entry, mark, is_own), payload) {
        (Some(hidden), _) => Text::Hidden(hidden),
        (None, Some(payload)) => Text::Payload(payload),
        (None, None) => return Err(ReadError::PayloadMissing(seq).into()),
    };
    Ok(Stored { seq, bytes, text })
}

fn render(
    journal: &Journal,
    ledger: &Ledger,
    stored: &Stored,
    asked: Option<(&ExportRequest, Wanted)>,
) -> Result<Row, ExportError> {
    let seq = stored.seq;
    let entry = Entry::decode(&stored.bytes).map_err(|error| ReadError::Entry { seq, error })?;
    let payload = match &stored.text {
        Text::Payload(payload) => payload,
        Text::Hidden(hidden) => return Ok(hidden_row(entry, stored, *hidden)),
    };
    let files = (&*journal.ledgers, &*journal.keyring);
    let opened = match open_payload(files, &ledger.record, &entry, payload) {
        Err(error @ ReadError::PayloadMissing(_)) => {
            // It was deleted since it was read: then a statement says so.
            let is_own = asked.is_some_and(|(request, _)| request.person.is_some());
            let now = read_one(journal, ledger, seq, is_own)?;
            return match now.text {
                Text::Hidden(hidden) => Ok(hidden_row(entry, stored, hidden)),
                Text::Payload(_) => Err(error.into()),
            };
        }
        opened => opened?,
    };
    // The ledger's own entries are never redacted.
    let asked = asked.filter(|_| entry.kind == EntryKind::Event);
    let (mut redact, mut withheld) = (Vec::new(), OfEvent::new());
    if let Some((request, _)) = asked {
        redact.extend(request.redact.iter().cloned());
        let person = request.person.as_ref();
        withheld.extend(
            person
                .into_iter()
                .flat_map(|one| one.withheld_of(&opened.sections)),
        );
        redact.extend(withheld.iter().map(|(_, name)| name.clone()));
    }
    let line = disclose(seq, &opened, &redact)?;
    let mut written = Vec::new();
    line.write(&mut written)?;
    let Some((request, wanted)) = asked else {
        return Ok(Row {
            entry,
            bytes: stored.bytes,
            content: Content::Statement(written),
        });
    };
    let person = request.person.as_ref();
    let redacted: Vec<&str> = line.redacted().collect();
    let disclosed = Disclosed {
        cells: table::row(&line, entry.recorded_at),
        brief: Brief::of(&line, &entry, wanted.excerpts),
        own_words: person
            .map(|person| person.own_words(&opened.sections))
            .unwrap_or_default(),
        purpose: person.map(|_| purpose_of(&opened.sections)),
        card: person
            .filter(|_| wanted.cards)
            .map(|person| card_of(person, &entry, &opened.sections, &withheld)),
        redacted: redacted.into_iter().map(str::to_owned).collect(),
        withheld,
        line: written,
    };
    Ok(Row {
        entry,
        bytes: stored.bytes,
        content: Content::Event(Box::new(disclosed)),
    })
}

fn hidden_row(entry: Entry, stored: &Stored, hidden: Hidden) -> Row {
    Row {
        entry,
        bytes: stored.bytes,
        content: Content::Hidden(hidden),
    }
}

fn disclose<'a>(
    seq: Seq,
    opened: &'a OpenedEvent,
    redact: &[String],
) -> Result<Line<'a>, ExportError> {
    let salts = SectionSalts::new(&opened.event_salt);
    let sections = opened.sections.iter().map(|(name, bytes)| {
        let salt = salts.of(name);
        let section = if redact.contains(name) {
            Section::Redacted(section_digest(&salt, bytes))
        } else {
            // Every section was checked to be UTF-8 when it came in.
            let json = std::str::from_utf8(bytes).map_err(std::io::Error::other)?;
            Section::Disclosed {
                salt,
                json: Cow::Borrowed(json),
            }
        };
        Ok((Cow::Borrowed(name.as_str()), section))
    });
    Ok(Line {
        seq,
        sections: sections.collect::<Result<_, std::io::Error>>()?,
    })
}
