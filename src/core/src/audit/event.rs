//! Payloads and index rows: each payload opened and checked against its commitment, each index row
//! against the payload it was made from.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

use crate::audit::owners::KnownPerson;
use crate::audit::read::Read;
use crate::audit::reads::Reads;
use crate::audit::tombstones::TombstoneCheck;
use crate::audit::{Findings, Subject};
use crate::journal::append::{lookup_keys, person_tag};
use crate::journal::read::{ReadError, open_payload};
use crate::keys::keyring::KeyError;
use crate::short_reads::short_reads;
use crate::tenant::deletion::{Deletion, DeletionCause};
use crate::tenant::ledger::LedgerKeys;
use crate::tenant::superseded_at;
use trailkeep_crypto::payload::OpenedEvent;
use trailkeep_ports::{ClassRow, LedgerRecord, Mark, StoreError};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq, Tag};
use trailkeep_proof::ledger::entry::{Entry, EntryKind};
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::ledger::sources::Sighting;

/// Persons remembered while verifying.
const PERSONS_REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");

/// The walk over the payloads.
pub(super) struct Walk<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) record: &'a LedgerRecord,
    pub(super) keys: Option<&'a LedgerKeys>,
    size: u64,
    pub(super) classes: Vec<ClassRow>,
    /// Entries that state something for others, and what.
    pub(super) statements: HashMap<Seq, (String, bool)>,
    pub(super) cover: TombstoneCheck,
    /// Which entries are said to have shown persons.
    pub(super) reads: Reads,
    /// Whether ids of events that went are remembered.
    pub(super) remembers: bool,
    pub(super) persons: Mutex<LruCache<Tag, Option<KnownPerson>>>,
}

/// One row of a range: what stands in each table.
pub(super) struct Stored {
    pub(super) seq: Seq,
    pub(super) entry: Option<Entry>,
    pub(super) payload: Option<Vec<u8>>,
    active: Option<Vec<LookupKey>>,
    mark: Mark,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        subject: Subject<'a>,
        record: &'a LedgerRecord,
        keys: Option<&'a LedgerKeys>,
        size: u64,
        findings: &mut Findings,
    ) -> Result<Self, StoreError> {
        let classes = subject.ledgers.classes(record.number)?;
        let reads = Reads::load(subject, record)?;
        let remembers = subject.ledgers.remembered_ids(record.number)?.rows > 0;
        let mut statements = subject.ledgers.statements(record.number)?;
        // Behind the end of a closed ledger are those that others state of it; of an open one, those that just came.
        let is_closed = matches!(superseded_at(subject.keyring, record), Ok(Some(_)));
        statements.retain(|(seq, ..)| seq.get() < size || is_closed);
        let known = (size, statements.as_slice());
        let cover = TombstoneCheck::new(subject, record, keys, &classes, known, findings)?;
        let statements = statements.into_iter();
        let statements = statements
            .filter(|(seq, ..)| seq.get() < size)
            .map(|(seq, kind, open)| (seq, (kind, open)))
            .collect();
        Ok(Self {
            subject,
            record,
            keys,
            size,
            classes,
            statements,
            cover,
            reads,
            remembers,
            persons: Mutex::new(LruCache::new(PERSONS_REMEMBERED)),
        })
    }

    pub(super) fn run(
        mut self,
        findings: &mut Findings,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Read, StoreError> {
        let mut total = Read::default();
        for range in short_reads(0..self.size) {
            let end = range.end;
            let rows = self.read_range(range.start, end)?;
            if rows.iter().any(|row| self.seems_missing(row)) {
                // A server beside us may have stated it gone since we began.
                self.look_again()?;
            }
            for (read, found) in self.check_side_by_side(&rows)? {
                total.add(read);
                findings.append(found);
            }
            progress(end, self.size);
        }
        self.reads.check(self.subject, self.record, findings)?;
        // Persons may have gone since a copy was made, which a ledger that a recovery closed is, too.
        let is_closed = matches!(
            superseded_at(self.subject.keyring, self.record),
            Ok(Some(_))
        );
        if self.subject.index.is_some() && !is_closed {
            self.check_shown(&total.shown, findings)?;
        }
        // Every row that should be there was found above; one more in the count is one that nothing justifies.
        let index = self.subject.index;
        let stored = index.map(|index| index.count_rows(self.record.number, Seq::new(self.size)));
        let stored = stored.transpose()?;
        if total.statements != self.statements.len() {
            let detail = format!(
                "the table has {} statements, the ledger {}",
                self.statements.len(),
                total.statements
            );
            findings.add(None, "statement", detail);
        }
        if total.classes != self.classes.len() {
            let detail = format!(
                "the table has {} classes, the statements {}",
                self.classes.len(),
                total.classes
            );
            findings.add(None, "class", detail);
        }
        if total.lifts != self.cover.lifts() {
            let detail = format!(
                "{} restrictions are lifted by the table, {} by the ledger",
                self.cover.lifts(),
                total.lifts
            );
            findings.add(None, "restriction", detail);
        }
        let is_quiet =
            !self.cover.has_open_job() && self.cover.is_current(self.subject, self.record)?;
        // Rows of events whose text does not open can't be judged, and those events are findings already.
        let whole = total.is_whole();
        // While a job is under way, rows of events that go are on their way out.
        if let Some(stored) = stored
            && self.keys.is_some()
            && whole
            && is_quiet
            && stored != total.index_rows
        {
            let detail = format!(
                "the index has {stored} rows, the events give {}",
                total.index_rows
            );
            findings.add(None, "index", detail);
        }
        Ok(total)
    }

    /// Whether an event's text is not there, for all that was known at the beginning.
    fn seems_missing(&self, row: &Stored) -> bool {
        let entry = row.entry.filter(|_| row.payload.is_none());
        entry.is_some_and(|entry| {
            entry.kind == EntryKind::Event && self.cover.deletion(&entry, row.mark).is_none()
        })
    }

    fn look_again(&mut self) -> Result<(), StoreError> {
        let statements = self.subject.ledgers.statements(self.record.number)?;
        // What is wrong with them was said at the beginning, or is said of later ones by the next walk.
        let mut unsaid = Findings::default();
        self.cover = TombstoneCheck::new(
            self.subject,
            self.record,
            self.keys,
            &self.classes,
            (self.size, &statements),
            &mut unsaid,
        )?;
        Ok(())
    }

    fn read_range(&self, start: u64, end: u64) -> Result<Vec<Stored>, StoreError> {
        let (ledgers, number): (_, LedgerNumber) = (self.subject.ledgers, self.record.number);
        let mut active: HashMap<Seq, Vec<LookupKey>> = ledgers
            .active_index(number, start..end)?
            .into_iter()
            .collect();
        let mut payloads: HashMap<Seq, Vec<u8>> = ledgers
            .payload_rows(number, start..end)?
            .into_iter()
            .collect();
        let entries: HashMap<Seq, Vec<u8>> = ledgers
            .entry_rows(number, start..end)?
            .into_iter()
            .collect();
        // Read last: a payload that went in between is then known to have gone.
        let marks = ledgers.marks(number, start..end)?;
        let row = |seq| {
            let entry = entries
                .get(&seq)
                .and_then(|bytes| Entry::decode(bytes).ok());
            Stored {
                seq,
                entry,
                payload: payloads.remove(&seq),
                active: active.remove(&seq),
                mark: marks.get(&seq).copied().unwrap_or_default(),
            }
        };
        Ok((start..end).map(Seq::new).map(row).collect())
    }

    /// Opening is what costs: a range is divided among the cores.
    fn check_side_by_side(&self, rows: &[Stored]) -> Result<Vec<(Read, Findings)>, StoreError> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let share = rows.len().div_ceil(cores).max(1);
        std::thread::scope(|scope| {
            let parts: Vec<_> = rows
                .chunks(share)
                .map(|part| scope.spawn(|| self.check_rows(part)))
                .collect();
            let join = |part: std::thread::ScopedJoinHandle<'_, _>| match part.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            parts.into_iter().map(join).collect()
        })
    }

    fn check_rows(&self, rows: &[Stored]) -> Result<(Read, Findings), StoreError> {
        let (mut read, mut findings) = (Read::default(), Findings::default());
        for row in rows {
            // An entry that is missing or malformed is a finding of the chain's.
            let Some(entry) = row.entry else { continue };
            read.events += u64::from(entry.kind == EntryKind::Event);
            if let Some(gone) = self.cover.deletion(&entry, row.mark) {
                read.seen.push(Sighting::Gone(row.seq));
                self.check_deleted(row, &entry, gone, &mut read, &mut findings);
                continue;
            }
            let opened = match self.open(row, &entry) {
                Ok(opened) => opened,
                Err((rule, detail)) => {
                    findings.add(row.seq.get(), rule, detail);
                    continue;
                }
            };
            if entry.kind == EntryKind::Event {
                self.check_event(row, &entry, &opened, &mut read, &mut findings)?;
            } else {
                self.check_statement(row, &opened, &mut read, &mut findings);
            }
        }
        Ok((read, findings))
    }

    /// A text that went is covered, and nothing of it is left.
    fn check_deleted(
        &self,
        row: &Stored,
        entry: &Entry,
        gone: Deletion,
        read: &mut Read,
        findings: &mut Findings,
    ) {
        let before = findings.total;
        let seq = row.seq.get();
        if row.mark.is_overdue {
            let detail = "a statement says that a hold keeps it, but its payload is missing";
            findings.add(seq, "overdue", detail);
        }
        if let Err(detail) = self.cover.check(entry, gone) {
            findings.add(seq, "cover", detail);
        }
        if !self.cover.has_open_job() && (row.payload.is_some() || row.active.is_some()) {
            let detail = format!(
                "entry {} says that its payload is {}, but the payload is still stored",
                gone.by,
                gone.deletion_cause.as_str()
            );
            findings.add(seq, "covered-present", detail);
        }
        if findings.total == before {
            // What went by an item's statement is under its class's expiry later.
            let by = row.mark.tombstone.unwrap_or(gone.by);
            *read.went.entry(by).or_default() += 1;
            match gone.deletion_cause {
                DeletionCause::Expired => read.expired += 1,
                DeletionCause::Erased => read.erased += 1,
            }
        }
    }

    fn open(&self, row: &Stored, entry: &Entry) -> Result<OpenedEvent, (&'static str, String)> {
        let payload = row.payload.as_ref().ok_or((
            "payload-missing",
            "the payload is missing, and no tombstone covers it".to_owned(),
        ))?;
        let files = (self.subject.ledgers, self.subject.keyring);
        open_payload(files, self.record, entry, payload.clone()).map_err(|error| match error {
            ReadError::Key { error, .. } => {
                let is_missing = matches!(error, KeyError::Missing(_));
                let rule = if is_missing { "key-missing" } else { "payload" };
                (rule, error.to_string())
            }
            ReadError::Payload { error, .. } => ("payload", error.to_string()),
            error => ("payload", error.to_string()),
        })
    }

    fn check_event(
        &self,
        row: &Stored,
        entry: &Entry,
        opened: &OpenedEvent,
        read: &mut Read,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let seq = row.seq.get();
        let before = findings.total;
        self.reads.check_entry(row.seq, None, findings);
        if !self
            .classes
            .iter()
            .any(|class| class.number == entry.class && class.statement < row.seq)
        {
            findings.add(
                seq,
                "class",
                format!("no earlier statement defines class {}", entry.class.get()),
            );
        }
        let sections = opened
            .sections
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        match Facts::from_sections(sections) {
            Ok(facts) => {
                let is_held = self.cover.is_held(entry, &facts);
                read.held += u64::from(is_held);
                read.seen.extend(Sighting::of(row.seq, &facts));
                if row.mark.is_overdue && !self.cover.may_be_overdue(entry, &facts) {
                    let detail = "the expiry of its class covers it and no hold keeps it, but it is still stored";
                    findings.add(seq, "overdue", detail);
                }
                read.count_gaps(row.seq, opened);
                self.check_lookups(row, entry, &facts, read, findings)?;
            }
            Err(error) => findings.add(seq, "sections", error.to_string()),
        }
        let restricted = self.cover.check_restriction(entry, row.mark);
        if let Err(detail) = &restricted {
            findings.add(seq, "restriction", detail.as_str());
        }
        if findings.total == before {
            if restricted == Ok(true) {
                read.restricted += 1;
            } else {
                read.intact += 1;
            }
        }
        Ok(())
    }

    fn check_lookups(
        &self,
        row: &Stored,
        entry: &Entry,
        facts: &Facts,
        read: &mut Read,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let Some(keys) = self.keys else { return Ok(()) };
        let seq = row.seq.get();
        let mut unknown = false;
        let expected = lookup_keys(&keys.index, facts, |label, person| {
            let known = self.person(person_tag(&keys.index, label, person))?;
            unknown |= known.is_none();
            Ok(known.map(|known| known.reference))
        });
        let expected = match expected {
            Ok(expected) => expected,
            Err(KeyError::Store(error)) => return Err(error),
            Err(error) => {
                findings.add(seq, "person", error.to_string());
                return Ok(());
            }
        };
        if unknown {
            findings.add(
                seq,
                "person",
                "the vault does not know a data subject of this event",
            );
        }
        self.check_data_keys(row, entry, facts, keys, findings)?;
        self.check_id_is_here(entry, facts, keys, findings)?;
        read.index_rows += expected.len() as u64;
        let Some(index) = self.subject.index else {
            return Ok(());
        };
        let merged = row.seq < index.merged_end(self.record.number);
        let fits = match &row.active {
            Some(active) => *active == expected,
            None => merged,
        };
        if !fits || !index.holds_all(self.record.number, row.seq, &expected)? {
            findings.add(
                seq,
                "index",
                "the index rows of this event do not match its payload",
            );
        }
        Ok(())
    }
}
