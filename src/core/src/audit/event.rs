//! Payloads and index rows: each payload opened and checked against its commitment, each index row
//! against the payload it was made from.

use std::sync::Arc;

use crate::audit::Findings;
use crate::audit::read::Read;
use crate::audit::tombstones::TombstoneCheck;
use crate::audit::walk::{Stored, Walk};
use crate::journal::append::{lookup_keys, person_tag};
use crate::journal::read::{ReadError, open_payload};
use crate::keys::keyring::KeyError;
use crate::tenant::deletion::{Deletion, DeletionCause};
use trailkeep_crypto::payload::{OpenError, OpenedEvent};
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{LookupKey, ValueNumber};
use trailkeep_proof::ledger::entry::{Entry, EntryKind};
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::ledger::sources::Sighting;

/// How the index rows of events are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookUps {
    /// Their hashes are added up, and the sum is compared with that of the index.
    SummedUp,
    /// Each is looked up, so that an event that lacks one is named.
    OneByOne,
}

/// A range of entries under check.
pub(super) struct Stretch<'w> {
    pub(super) walk: &'w Walk<'w>,
    /// The tombstones, as they were known when the range was read.
    pub(super) cover: Arc<TombstoneCheck>,
    pub(super) look_ups: LookUps,
}

impl Stretch<'_> {
    /// Checks the rows of a range; nothing where a payload was deleted since it was read.
    pub(super) fn check_rows(
        &self,
        rows: &[Stored],
    ) -> Result<Option<(Read, Findings)>, StoreError> {
        let (mut read, mut findings) = (Read::default(), Findings::default());
        for row in rows {
            // An entry that is missing or malformed is a finding of the chain's.
            let Some(entry) = row.entry else { continue };
            read.events += u64::from(entry.kind == EntryKind::Event);
            if let Some(gone) = self.cover.deletion(&entry, row.mark) {
                read.seen.push(Sighting::Gone(row.seq));
                self.check_deleted(row, &entry, gone, &mut read, &mut findings);
                if !self.cover.has_open_job() {
                    self.check_references(row, &[], &mut findings)?;
                }
                continue;
            }
            let opened = match self.open(row, &entry) {
                Ok(opened) => opened,
                Err(ReadError::PayloadMissing(_)) if row.payload.is_some() => return Ok(None),
                Err(error) => {
                    let (rule, detail) = rule_of(&error);
                    findings.add(row.seq.get(), rule, detail);
                    continue;
                }
            };
            self.check_references(row, &opened.refers, &mut findings)?;
            if entry.kind == EntryKind::Event {
                self.check_event(row, &entry, &opened, &mut read, &mut findings)?;
            } else {
                self.check_statement(row, &opened, &mut read, &mut findings);
            }
        }
        Ok(Some((read, findings)))
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

    fn open(&self, row: &Stored, entry: &Entry) -> Result<OpenedEvent, ReadError> {
        let payload = row.payload.as_ref();
        let payload = payload.ok_or(ReadError::PayloadMissing(row.seq))?;
        let files = (self.walk.subject.ledgers, self.walk.subject.keyring);
        open_payload(files, self.walk.record, entry, payload)
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
        self.walk.reads.check_entry(row.seq, None, findings);
        let classes = &self.walk.classes;
        if !classes
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
        let Some(keys) = self.walk.keys else {
            return Ok(());
        };
        let seq = row.seq.get();
        let mut unknown = false;
        let expected = lookup_keys(&keys.index, facts, |label, person| {
            let known = self.walk.person(person_tag(&keys.index, label, person))?;
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
        self.walk
            .check_data_keys(row, entry, facts, keys, findings)?;
        self.check_id_is_here(entry, facts, keys, findings)?;
        read.index_rows += expected.len() as u64;
        self.check_index(row, &expected, read, findings)
    }

    /// The table of references names the values that a payload refers to, and no others.
    fn check_references(
        &self,
        row: &Stored,
        numbers: &[ValueNumber],
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        if row.refers == numbers {
            return Ok(());
        }
        // A deletion or re-encryption may have changed both since they were read.
        let (ledgers, number) = (self.walk.subject.ledgers, self.walk.record.number);
        let seq = row.seq.get();
        let references = || ledgers.references(number, seq..seq + 1);
        let before = references()?;
        let payload = ledgers.event(number, row.seq)?.and_then(|row| row.payload);
        let after = references()?;
        let named = after.first().map(|(_, numbers)| numbers.as_slice());
        let is_steady = before == after && payload == row.payload;
        if is_steady && named.unwrap_or_default() != numbers {
            let detail = format!(
                "ledger.db, table value_reference: it names {} values for this entry, its payload {}",
                named.unwrap_or_default().len(),
                numbers.len()
            );
            findings.add(seq, "value-reference", detail);
        }
        Ok(())
    }

    /// The index holds the rows that an event gives.
    fn check_index(
        &self,
        row: &Stored,
        expected: &[LookupKey],
        read: &mut Read,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let Some(index) = self.walk.subject.index else {
            return Ok(());
        };
        let number = self.walk.record.number;
        for key in expected {
            read.index_sum.add(&self.walk.sum_key, *key, row.seq);
        }
        let fits = match &row.active {
            Some(active) => active.as_slice() == expected,
            None => row.seq < index.merged_end(number),
        };
        let is_held = || match self.look_ups {
            LookUps::SummedUp => Ok(true),
            LookUps::OneByOne => index.holds_all(number, row.seq, expected),
        };
        if !fits || !is_held()? {
            findings.add(
                row.seq.get(),
                "index",
                "the index rows of this event do not match its payload",
            );
        }
        Ok(())
    }
}

/// Which rule does not hold where a payload does not open.
fn rule_of(error: &ReadError) -> (&'static str, String) {
    let detail = match error {
        ReadError::PayloadMissing(_) => {
            let detail = "the payload is missing, and no tombstone covers it";
            return ("payload-missing", detail.to_owned());
        }
        ReadError::Key { error, .. } => error.to_string(),
        ReadError::Payload { error, .. } => error.to_string(),
        error => error.to_string(),
    };
    let rule = match error {
        ReadError::Key {
            error: KeyError::Missing(_),
            ..
        } => "key-missing",
        ReadError::Payload { error, .. } => match error {
            OpenError::ValueMissing(_) => "value-missing",
            OpenError::ValueForeign(_) => "value-foreign",
            OpenError::Value(_) => "value",
            _ => "payload",
        },
        _ => "payload",
    };
    (rule, detail)
}
