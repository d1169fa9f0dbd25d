//! Reads of one event, which name it: whom it is about follows from its text, so that a row of `person_read` that is missing shows.
//! Other reads say how many events they showed and not which.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};

use crate::audit::walk::Walk;
use crate::audit::{Findings, Subject};
use crate::journal::append::person_tag;
use crate::journal::read::open_payload;
use crate::keys::keyring::KeyError;
use crate::tenant::ledger::LedgerKeys;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{LedgerNumber, PersonReference, Seq};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;

/// An entry that says that one event was shown.
pub(super) struct Shown {
    entry: Seq,
    event: Seq,
    /// What it says, but for how often: the same question asked again soon is counted in an entry of its own, without rows.
    said: String,
}

impl Shown {
    /// Of an entry's section `access`; none where it showed no event, or more than one.
    pub(super) fn of(entry: Seq, access: &[u8]) -> Option<Self> {
        let mut access: serde_json::Value = serde_json::from_slice(access).ok()?;
        let event = Seq::new(access["seq"].as_u64()?);
        // What was read of a closed ledger is recorded in the one that goes on.
        if access["events"] != 1 || !access["ledger"].is_null() {
            return None;
        }
        access.as_object_mut()?.remove("count");
        let said = access.to_string();
        Some(Self { entry, event, said })
    }
}

impl Walk<'_> {
    /// The persons whom a shown event is about have a row with the entry that records the read, or with an earlier one that says
    /// the same.
    pub(super) fn check_shown(
        &self,
        shown: &[Shown],
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let Some(keys) = self.keys else { return Ok(()) };
        let mut persons: HashMap<Seq, Vec<PersonReference>> = HashMap::new();
        let mut rows = Rows::new(self.subject, self.record.number);
        let mut to_repeat: HashMap<&str, u64> = HashMap::new();
        for one in shown {
            if let Slot::Vacant(slot) = persons.entry(one.event) {
                slot.insert(self.persons_of(one.event, keys)?);
            }
            let persons = &persons[&one.event];
            let mut lacking = 0;
            for person in persons {
                lacking += usize::from(!rows.has(*person, one.entry)?);
            }
            let repeats = to_repeat.entry(&one.said).or_default();
            if lacking == 0 {
                *repeats += 1;
            } else if lacking == persons.len() && *repeats > 0 {
                *repeats -= 1;
            } else {
                let detail = format!(
                    "ledger.db, table person_read: this entry showed entry {}, and {lacking} of its data subjects have no row",
                    one.event
                );
                findings.add(one.entry.get(), "person-read", detail);
            }
        }
        Ok(())
    }

    /// Whom an event is about, as far as its text is there and the vault knows them.
    fn persons_of(&self, seq: Seq, keys: &LedgerKeys) -> Result<Vec<PersonReference>, StoreError> {
        let (subject, record) = (self.subject, self.record);
        let found = subject.ledgers.event(record.number, seq)?;
        let Some((entry, payload)) = found.and_then(|row| Some((row.entry, row.payload?))) else {
            return Ok(Vec::new());
        };
        let Ok(entry) = Entry::decode(&entry) else {
            return Ok(Vec::new());
        };
        let files = (subject.ledgers, subject.keyring);
        let Ok(opened) = open_payload(files, record, &entry, &payload) else {
            return Ok(Vec::new());
        };
        let sections = opened.sections.iter();
        let sections = sections.map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let subjects = Facts::from_sections(sections).map(|facts| facts.subjects);
        let mut persons = Vec::new();
        for person in subjects.unwrap_or_default() {
            match self.person(person_tag(&keys.index, TagLabel::Subject, &person)) {
                Ok(known) => persons.extend(known.map(|known| known.reference)),
                Err(KeyError::Store(error)) => return Err(error),
                // A row that does not open is a finding already.
                Err(_) => {}
            }
        }
        persons.sort_unstable_by_key(|person| *person.as_bytes());
        persons.dedup();
        Ok(persons)
    }
}

/// The rows of persons who were asked for.
struct Rows<'a> {
    subject: Subject<'a>,
    ledger: LedgerNumber,
    known: HashMap<PersonReference, HashSet<Seq>>,
}

impl<'a> Rows<'a> {
    fn new(subject: Subject<'a>, ledger: LedgerNumber) -> Self {
        Self {
            subject,
            ledger,
            known: HashMap::new(),
        }
    }

    fn has(&mut self, person: PersonReference, entry: Seq) -> Result<bool, StoreError> {
        if let Slot::Vacant(slot) = self.known.entry(person) {
            let rows = self.subject.ledgers.reads_of_person(person)?.into_iter();
            let here = rows.filter(|(ledger, _)| *ledger == self.ledger);
            slot.insert(here.map(|(_, entry)| entry).collect());
        }
        Ok(self.known[&person].contains(&entry))
    }
}
