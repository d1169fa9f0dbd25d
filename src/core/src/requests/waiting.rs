//! What of a request waits for the earliest lawful moment: a sealed record of the vault, beside the request's row.

use serde::{Deserialize, Serialize};

use crate::export::still_there;
use crate::journal::Journal;
use crate::journal::append::person_tag;
use crate::keys::keyring::KeyError;
use crate::keys::records;
use crate::keys::records::Record;
use crate::requests::erase::Asked;
use crate::requests::{PrivacyError, conclude};
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::privacy::{Kind, Regime};
use trailkeep_proof::time::UnixMillis;

/// Events that a person asked to have destroyed, and that a law or a hold keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    /// The entry of the request.
    pub(super) request: u64,
    pub(super) asked_at_ms: u64,
    pub(super) regime: Regime,
    pub(super) events: Vec<WaitingEvents>,
}

/// Those that are to be looked at again at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitingEvents {
    /// When; none: with every run, since nobody knows.
    pub(super) due_ms: Option<u64>,
    pub(super) seqs: Vec<u64>,
}

impl Record for Waiting {
    const KIND: &'static str = crate::keys::rows::WAITING;
    const WHAT: &'static str = "what waits of a request for erasure";
}

impl Waiting {
    /// When it was asked for and under which law, to be judged at a moment.
    pub(super) fn asked(&self, now: UnixMillis) -> Asked {
        let at = UnixMillis::new(self.asked_at_ms);
        Asked {
            at,
            regime: self.regime,
            // The ledger's time never goes back; the clock's may.
            now: now.max(at),
        }
    }

    /// All of its events, ascending.
    pub(super) fn seqs(&self) -> Vec<u64> {
        let events = self.events.iter();
        let mut seqs: Vec<u64> = events.flat_map(|events| events.seqs.clone()).collect();
        seqs.sort_unstable();
        seqs
    }

    /// Those that are to be looked at now, ascending.
    pub(super) fn due(&self, now: UnixMillis) -> Vec<u64> {
        let events = self.events.iter();
        let due = events.filter(|events| events.due_ms.is_none_or(|due| due <= now.get()));
        let mut seqs: Vec<u64> = due.flat_map(|events| events.seqs.clone()).collect();
        seqs.sort_unstable();
        seqs
    }

    /// Has an event looked at again at another moment.
    pub(super) fn add(&mut self, seq: Seq, due: Option<UnixMillis>) {
        let due_ms = due.map(UnixMillis::get);
        let known = self
            .events
            .iter_mut()
            .find(|events| events.due_ms == due_ms);
        match known {
            Some(events) => events.seqs.push(seq.get()),
            None => self.events.push(WaitingEvents {
                due_ms,
                seqs: vec![seq.get()],
            }),
        }
    }

    /// Takes out events, all but those that are to stay.
    pub(super) fn retain(&mut self, stays: impl Fn(u64) -> bool) {
        for events in &mut self.events {
            events.seqs.retain(|seq| stays(*seq));
        }
        self.events.retain(|events| !events.seqs.is_empty());
    }

    /// Takes out what went meanwhile, in whatever way.
    pub(super) fn drop_deleted(
        &mut self,
        journal: &Journal,
        ledger: &Ledger,
    ) -> Result<(), PrivacyError> {
        let there = still_there(journal, ledger, &self.seqs(), true)?;
        self.retain(|seq| there.binary_search(&seq).is_ok());
        Ok(())
    }
}

/// What waits of all requests of a ledger, with their ids.
pub(super) fn all(journal: &Journal, ledger: &Ledger) -> Result<Vec<(String, Waiting)>, KeyError> {
    records::all(&journal.keyring, &ledger.record)
}

/// What waits of one request.
pub(super) fn of(
    journal: &Journal,
    ledger: &Ledger,
    id: &str,
) -> Result<Option<Waiting>, KeyError> {
    let found = all(journal, ledger)?;
    let found = found.into_iter().find(|(known, _)| known == id);
    Ok(found.map(|(_, waiting)| waiting))
}

/// Whether something of a request waits in another ledger of its tenant.
pub(super) fn waits_elsewhere(
    journal: &Journal,
    tenant: &Tenant,
    ledger: &Ledger,
    id: &str,
) -> Result<bool, KeyError> {
    for other in tenant.all() {
        if other.record.number != ledger.record.number && of(journal, other, id)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps what waits of a request; nothing where none does. On disk when it returns.
pub(super) fn keep(
    journal: &Journal,
    ledger: &Ledger,
    id: &str,
    waiting: &Waiting,
) -> Result<(), KeyError> {
    if waiting.events.is_empty() {
        records::remove::<Waiting>(&journal.keyring, &ledger.record, id)
    } else {
        records::put(&journal.keyring, &ledger.record, id, waiting)
    }
}

/// Events of a statement's requests that stay and that others are in, too, each with the row of the person who asked:
/// they are to need no key of that person any more (COMPLIANCE T12).
pub(crate) fn leaving(
    journal: &Journal,
    tenant: &Tenant,
    ledger: &Ledger,
    statement: Seq,
) -> Result<Vec<(Seq, i64)>, PrivacyError> {
    let mut leaving = Vec::new();
    for filed in conclude::of_statement(journal, tenant, ledger, statement)? {
        let (Ok(about), true) = (filed.about(tenant), filed.request.kind == Kind::Erasure) else {
            continue;
        };
        let person = about.person();
        let tag = person_tag(&ledger.index_key, TagLabel::Subject, &person);
        let row = journal
            .keyring
            .vault()
            .person(ledger.record.number, tag)
            .map_err(KeyError::from)?;
        let waits = of(journal, ledger, &filed.request.id)?;
        if let (Some(row), Some(waits)) = (row, waits) {
            let seqs = waits.seqs().into_iter();
            leaving.extend(seqs.map(|seq| (Seq::new(seq), row.id)));
        }
    }
    Ok(leaving)
}
