//! Which persons recorded reads showed (`person_read`): each row names an entry that records a read, and a person whom the
//! vault knows.

use std::collections::{HashMap, HashSet};

use crate::audit::vault::each_person;
use crate::audit::{Findings, Subject};
use crate::tenant::superseded_at;
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ids::{PersonReference, Seq};

/// Rows that are read at once.
const ROWS_PER_READ: u32 = 10_000;

const TABLE: &str = "ledger.db, table person_read, the row of this entry:";

/// What the table says.
#[derive(Default)]
pub(super) struct Reads {
    /// Entries that showed somebody.
    entries: HashSet<Seq>,
    /// Persons who were shown, with one of these entries.
    persons: HashMap<PersonReference, Seq>,
}

impl Reads {
    pub(super) fn load(subject: Subject<'_>, record: &LedgerRecord) -> Result<Self, StoreError> {
        let mut reads = Self::default();
        let mut after = None;
        loop {
            let rows = subject.ledgers.person_reads(after, ROWS_PER_READ)?;
            for row in rows.iter().filter(|row| row.ledger == record.number) {
                reads.entries.insert(row.seq);
                reads.persons.entry(row.person).or_insert(row.seq);
            }
            match rows.last() {
                Some(last) => after = Some(*last),
                None => return Ok(reads),
            }
        }
    }

    /// Checks an entry that a row links to a person: its section `read` must record a read that showed an event or a request.
    pub(super) fn check_entry(&self, seq: Seq, read: Option<&Vec<u8>>, findings: &mut Findings) {
        if !self.entries.contains(&seq) {
            return;
        }
        let Some(read) = read else {
            let detail = format!("{TABLE} it records no read");
            findings.add(seq.get(), "person-read", detail);
            return;
        };
        let read = serde_json::from_slice::<serde_json::Value>(read).unwrap_or_default();
        // Who opens a request is shown whom it is about, and no event.
        let route = read["route"].as_str().unwrap_or_default();
        if read["events"] == 0 && !route.starts_with("/v1/privacy/requests/") {
            let detail = format!("{TABLE} it showed no event");
            findings.add(seq.get(), "person-read", detail);
        }
    }

    /// The persons are those of the ledger's tenant: a read of a closed ledger is recorded in the one that goes on.
    pub(super) fn check(
        &self,
        subject: Subject<'_>,
        record: &LedgerRecord,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        // Persons may have gone since a copy was made, which a ledger that a recovery closed is, too.
        let is_closed = matches!(superseded_at(subject.keyring, record), Ok(Some(_)));
        if self.persons.is_empty() || is_closed || subject.index.is_none() {
            return Ok(());
        }
        let mut unknown = self.persons.clone();
        let mut is_whole = true;
        for ledger in subject.ledgers.ledgers()? {
            if ledger.tenant == record.tenant {
                each_person(subject, &ledger, &mut |person| match person {
                    Ok(person) => _ = person.and_then(|person| unknown.remove(&person)),
                    Err(_) => is_whole = false,
                })?;
            }
        }
        for (person, seq) in unknown {
            // Rows go before their person does: one that is still there is no one's who went since.
            let is_there = || subject.ledgers.reads_of_person(person);
            if is_whole && !is_there()?.is_empty() {
                let detail =
                    format!("{TABLE} it names a data subject that the vault does not know");
                findings.add(seq.get(), "person-read", detail);
            }
        }
        Ok(())
    }
}
