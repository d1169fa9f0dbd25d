//! Who looks is seen (invariant 7): a read of payloads is an entry of the ledger, on disk before the answer
//! is sent. A read that can't be recorded is not answered.
//!
//! The entry names the API key by its random id, the route, the names of the filters and how many events were
//! shown; no filter's value, and a seq only where one event was asked for. The same question asked again by
//! the same key within ten seconds is counted, and the count recorded when the ten seconds are over.

use std::collections::HashMap;

use parking_lot::{Mutex, MutexGuard};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_read, person_tag};
use crate::journal::read::{ReadError, StoredEvent, open_event};
use crate::keys::keyring::KeyError;
use crate::short_reads::short_reads;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_proof::ids::{LedgerNumber, PersonReference, Seq};
use trailkeep_proof::ledger::entry::{Entry, EntryKind};
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::system::{AccessSection, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// How long repetitions of one question share an entry.
const SHARED_MS: u64 = 10_000;
/// Questions that are remembered for their repetitions.
const REMEMBERED_MAX: usize = 10_000;

/// A read of payloads.
pub struct AccessRecord<'a> {
    /// Id of the API key, or `local`.
    pub by: &'a str,
    /// The method.
    pub verb: &'static str,
    /// The route, with its parameters' names.
    pub route: &'static str,
    /// The question with its values: never kept, only compared.
    pub question: &'a str,
    /// Names of the filters that were set.
    pub filters: Vec<&'static str>,
    /// Why, in the caller's words.
    pub purpose: Option<&'a str>,
    /// Events shown.
    pub events: u64,
    /// Events that were asked for and not shown: they are restricted, and no purpose was stated.
    pub restricted: u64,
    /// The one entry that was asked for.
    pub seq: Option<Seq>,
    /// The persons whom the shown events are about.
    pub persons: Vec<PersonReference>,
}

/// The persons whom events are about, each once.
pub fn persons_of(
    journal: &Journal,
    ledger: &Ledger,
    events: &[StoredEvent],
) -> Result<Vec<PersonReference>, KeyError> {
    let mut tags = std::collections::HashSet::new();
    for event in events {
        // The data subjects alone, with what every event has: the other sections need not be read.
        let sections = ["action", "actor", "subjects"]
            .into_iter()
            .filter_map(|name| Some((name, event.section(name)?)));
        let facts = Facts::from_sections(sections);
        let subjects = facts.map(|facts| facts.subjects).unwrap_or_default();
        tags.extend(
            subjects
                .iter()
                .map(|person| person_tag(&ledger.index_key, TagLabel::Subject, person)),
        );
    }
    let (origin, number) = (&ledger.record.origin, ledger.record.number);
    let found = tags
        .into_iter()
        .map(|tag| journal.keyring.known_person(origin, number, tag));
    found.filter_map(Result::transpose).collect()
}

/// The questions of the last ten seconds.
#[derive(Default)]
pub struct AccessLog {
    recent: Mutex<HashMap<(LedgerNumber, [u8; 32]), Recent>>,
}

/// A question that was recorded, and how often it was asked again.
struct Recent {
    at_boot_ms: u64,
    repeats: u64,
    access: AccessSection,
}

impl AccessLog {
    fn recent(&self) -> MutexGuard<'_, HashMap<(LedgerNumber, [u8; 32]), Recent>> {
        self.recent.lock()
    }

    /// Takes the questions whose time is over and that were asked again, or all of these.
    fn take_repeated(&self, now: u64, all: bool) -> Vec<(LedgerNumber, Recent)> {
        let mut recent = self.recent();
        let is_over =
            |_: &_, asked: &mut Recent| all || now.saturating_sub(asked.at_boot_ms) >= SHARED_MS;
        let over = recent.extract_if(is_over);
        over.filter(|(_, asked)| asked.repeats > 0)
            .map(|((ledger, _), asked)| (ledger, asked))
            .collect()
    }
}

/// Records a read; on disk when it returns, unless it repeats one that is.
pub fn record_read(
    journal: &Journal,
    ledger: &Ledger,
    read: &AccessRecord<'_>,
) -> Result<(), AppendError> {
    let now = journal.clock.since_boot_ms();
    flush_repeats(journal, false)?;
    if !ledger.settings().read_audit {
        return Ok(());
    }
    let asked = json!([read.by, read.route, read.question, read.purpose]).to_string();
    let key = (ledger.record.number, Sha256::digest(asked).into());
    if let Some(asked) = journal.access_log.recent().get_mut(&key) {
        asked.repeats += 1;
        return Ok(());
    }
    let access = AccessSection {
        by: read.by.to_owned(),
        verb: read.verb.to_owned(),
        route: read.route.to_owned(),
        filters: read.filters.iter().map(ToString::to_string).collect(),
        purpose: read.purpose.map(str::to_owned),
        events: read.events,
        restricted: read.restricted,
        seq: read.seq.map(Seq::get),
        count: 1,
        ledger: ledger
            .is_superseded()
            .then(|| ledger.record.origin.to_string()),
    };
    append(journal, ledger, access.clone(), &read.persons)?;
    let mut recent = journal.access_log.recent();
    if recent.len() < REMEMBERED_MAX {
        let asked = Recent {
            at_boot_ms: now,
            repeats: 0,
            access,
        };
        recent.insert(key, asked);
    }
    Ok(())
}

/// Records how often questions were repeated, once their ten seconds are over; `all` at the end.
pub fn flush_repeats(journal: &Journal, all: bool) -> Result<(), AppendError> {
    let now = journal.clock.since_boot_ms();
    for (number, asked) in journal.access_log.take_repeated(now, all) {
        let ledgers = journal.all_ledgers();
        if let Some(ledger) = ledgers.iter().find(|ledger| ledger.record.number == number) {
            let access = AccessSection {
                count: asked.repeats,
                ..asked.access
            };
            append(journal, ledger, access, &[])?;
        }
    }
    Ok(())
}

fn append(
    journal: &Journal,
    ledger: &Ledger,
    access: AccessSection,
    persons: &[PersonReference],
) -> Result<(), AppendError> {
    let event = SystemEvent::Access { access };
    append_read(&journal.writer, ledger, &event, persons.to_vec()).map(drop)
}

/// An access as it is listed.
#[derive(Clone, Debug)]
pub struct ListedAccess {
    /// The entry that records it.
    pub seq: u64,
    /// When.
    pub recorded_at: String,
    /// What was done: `trailkeep.access`, `trailkeep.export`, `trailkeep.key.create` and so on.
    pub action: String,
    /// Details from the entry.
    pub detail: serde_json::Value,
}

/// How much one page may cost.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// Accesses in it.
    pub accesses: usize,
    /// Entries that are looked at for it, of events too.
    pub entries: u64,
}

impl PageLimits {
    /// A page of so many accesses, that looks at 100,000 entries at most.
    pub const fn of(accesses: usize) -> Self {
        Self {
            accesses,
            entries: 100_000,
        }
    }
}

/// A page of accesses, and where to go on.
pub struct AccessPage {
    /// The accesses, oldest first.
    pub accesses: Vec<ListedAccess>,
    /// The next entry to look at, if there may be more.
    pub next: Option<Seq>,
}

/// Who read, exported, or managed keys and tenants: from an entry on, within a time. A page may be empty and yet not the
/// last.
pub fn list(
    journal: &Journal,
    ledger: &Ledger,
    (from, to): (Option<UnixMillis>, Option<UnixMillis>),
    start: Option<Seq>,
    limits: PageLimits,
) -> Result<AccessPage, ReadError> {
    let number = ledger.record.number;
    let size = ledger.published().head.size;
    let edge = |moment: Option<UnixMillis>, open| match moment {
        Some(moment) => journal
            .ledgers
            .first_recorded_at(number, size, moment.get()),
        None => Ok(Seq::new(open)),
    };
    let first = edge(from, 0)?.max(start.unwrap_or(Seq::new(0))).get();
    let end = edge(to, size)?.get();
    let last = end.min(first.saturating_add(limits.entries));
    let mut accesses = Vec::new();
    for range in short_reads(first..last) {
        for (seq, bytes) in journal.ledgers.entry_rows(number, range)? {
            let entry = Entry::decode(&bytes).map_err(|error| ReadError::Entry { seq, error })?;
            if entry.kind != EntryKind::System {
                continue;
            }
            if accesses.len() == limits.accesses {
                let next = Some(seq);
                return Ok(AccessPage { accesses, next });
            }
            let sections = open_event(journal, ledger, seq)?.sections;
            accesses.extend(listed(ledger, &entry, &sections));
        }
    }
    let next = (last < end).then(|| Seq::new(last));
    Ok(AccessPage { accesses, next })
}

fn listed(ledger: &Ledger, entry: &Entry, sections: &[(String, Vec<u8>)]) -> Option<ListedAccess> {
    let section = |wanted: &str| {
        let (_, bytes) = sections.iter().find(|(name, _)| name == wanted)?;
        serde_json::from_slice::<serde_json::Value>(bytes).ok()
    };
    let action = section("action")?.as_str()?.to_owned();
    // A price table may have hundreds of prices: the entry shows them.
    let prices = || {
        let mut prices = section("prices")?;
        prices.as_object_mut()?.remove("table");
        Some(prices)
    };
    // Who changed a prompt stands in the vault alone.
    let prompt = || {
        let mut prompt = section("prompt")?;
        let id = prompt.get("id")?.as_str()?.to_owned();
        let name = prompt.get("name")?.as_str()?.to_owned();
        let by = ledger.prompts().by(&name, &id, entry.seq);
        prompt.as_object_mut()?.insert("by".to_owned(), by.into());
        Some(prompt)
    };
    let detail = ["access", "export", "key", "tenant", "request", "answer"]
        .into_iter()
        .find_map(section)
        .or_else(prices)
        .or_else(prompt)?;
    Some(ListedAccess {
        seq: entry.seq.get(),
        recorded_at: entry.recorded_at.to_string(),
        action,
        detail,
    })
}
