//! Tables beside the entries: what waits in staging.db, ids that are remembered, and rows of ledgers that are not there.

use crate::audit::event::Stretch;
use crate::audit::read::Read;
use crate::audit::{Findings, Subject};
use crate::ingest;
use crate::keys::keyring::KeyError;
use crate::tenant::ledger::LedgerKeys;
use crate::tenant::superseded_at;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ids::{Seq, Tag};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::time::UnixMillis;

/// How long ids of events that went are remembered, with two days for a clock that was put right.
const REMEMBERED_MAX_MS: u64 = 32 * 86_400_000;
/// Of events that went in this time all ids are to be remembered. It is half of what is said: a clock that was weeks ahead when they
/// went, and was put right, is no tampering.
const LATE_MS: u64 = 14 * 86_400_000;
/// A server may record while this runs.
const CLOCK_MS: u64 = 3_600_000;

/// Checks the tables that no entry leads to.
pub(super) fn check(
    subject: Subject<'_>,
    record: &LedgerRecord,
    keys: Option<&LedgerKeys>,
    (read, now): (&Read, UnixMillis),
    findings: &mut Findings,
) -> Result<(), StoreError> {
    check_staging(subject, record, keys, findings)?;
    check_remembered(subject, record, (read, now), findings)?;
    check_gaps(subject, record, read, findings)?;
    for (size, target) in subject.ledgers.anchorings_of_no_head(record.number)? {
        let detail = format!(
            "ledger.db, table anchoring: {target} got a checkpoint of {size} entries, but no such checkpoint is stored"
        );
        findings.add(None, "anchored", detail);
    }
    for table in subject.ledgers.tables_of_no_ledger()? {
        let detail = format!("the table {table} has a row that belongs to no ledger");
        findings.add(None, "stray-row", detail);
    }
    Ok(())
}

fn check_staging(
    subject: Subject<'_>,
    record: &LedgerRecord,
    keys: Option<&LedgerKeys>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let Some(file) = subject.staging else {
        return Ok(());
    };
    if let Some(keys) = keys {
        let files = (subject.keyring, file);
        let checked = ingest::check(files, record, &keys.index, &mut |fault| {
            let rule = if fault.is_missing_key {
                "key-missing"
            } else {
                "staging"
            };
            findings.add(None, rule, fault.detail);
        });
        match checked {
            Err(KeyError::Store(error)) => return Err(error),
            Err(error) => findings.add(None, "staging", error.to_string()),
            Ok(()) => {}
        }
    }
    let named = file.named_ledgers()?;
    let known = subject.ledgers.ledgers()?;
    for (table, number) in named {
        let is_known = known
            .iter()
            .any(|known| i64::from(known.number.get()) == number);
        if !is_known {
            let detail =
                format!("staging.db, table {table}: rows of ledger {number}, which does not exist");
            findings.add(None, "stray-row", detail);
        }
    }
    Ok(())
}

/// What the texts say that their events lacked is counted. There may be more: of events whose texts went, and of a backup that
/// was made beside a server, behind its head.
fn check_gaps(
    subject: Subject<'_>,
    record: &LedgerRecord,
    read: &Read,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let counted = subject.ledgers.gaps(record.number)?;
    for (name, (events, last)) in &read.gaps {
        let row = counted.iter().find(|row| row.name == *name);
        if row.is_none_or(|row| row.events < *events || row.last < *last) {
            let (policy, what) = (&name.policy, &name.what);
            let detail = format!(
                "ledger.db, table gap, row `{policy}`, `{what}`: {events} events up to entry {last} have it, but fewer are counted"
            );
            findings.add(None, "gap", detail);
        }
    }
    Ok(())
}

/// When the newest entry of any ledger of a tenant was recorded: what a recovery closed is still erased, by statements of
/// the ledger that goes on.
fn last_recorded(subject: Subject<'_>, record: &LedgerRecord) -> Result<UnixMillis, StoreError> {
    let mut last = UnixMillis::new(0);
    for ledger in subject.ledgers.ledgers()? {
        if ledger.tenant != record.tenant {
            continue;
        }
        let end = subject.ledgers.stored_end(ledger.number)?;
        let newest = end.saturating_sub(1)..end;
        let newest = subject.ledgers.entries(ledger.number, newest)?;
        let newest = newest.first().and_then(|bytes| Entry::decode(bytes).ok());
        last = newest.map_or(last, |entry| last.max(entry.recorded_at));
    }
    Ok(last)
}

/// No more ids are remembered than events went, none for longer than is said, and none in a way in which nothing went.
fn check_remembered(
    subject: Subject<'_>,
    record: &LedgerRecord,
    (read, wall): (&Read, UnixMillis),
    findings: &mut Findings,
) -> Result<(), StoreError> {
    const TABLE: &str = "ledger.db, table gone_id:";
    let is_closed = matches!(superseded_at(subject.keyring, record), Ok(Some(_)));
    // Read before the statements: what is remembered was stated before.
    let remembered = subject.ledgers.remembered_ids(record.number)?;
    let last = last_recorded(subject, record)?;
    let now = last.max(wall).get();
    if remembered.until_ms > now.saturating_add(REMEMBERED_MAX_MS) {
        let detail = format!("{TABLE} an id is to be remembered for longer than 30 days");
        findings.add(None, "gone-id", detail);
    }
    let statements = subject.ledgers.statements(record.number)?;
    for (state, rows) in [
        ("expired", remembered.expired),
        ("erased", remembered.erased),
    ] {
        let is_stated = statements.iter().any(|(_, kind, _)| is_of(state, kind));
        if rows > 0 && !is_stated {
            let detail = format!(
                "{TABLE} {rows} ids are remembered as {state}, but no tombstone states that"
            );
            findings.add(None, "gone-id", detail);
        }
    }
    // A copy may have been made while more went, and a server may have gone on since the walk.
    let is_quiet = subject.index.is_some() && !is_closed && statements.len() == read.statements;
    let gone = read.expired + read.erased;
    if is_quiet && read.is_whole() && remembered.rows > gone {
        let detail = format!(
            "{TABLE} {} ids are remembered, but {gone} events were deleted",
            remembered.rows
        );
        findings.add(None, "gone-id", detail);
    }
    // Where the clock went back behind the ledger, nobody knows which ids were forgotten in time.
    let is_behind = last.get() > wall.get().saturating_add(CLOCK_MS);
    if is_quiet && read.is_whole() && !is_behind {
        check_forgotten(subject, record, (read, wall), &statements, findings)?;
    }
    Ok(())
}

/// The id of each event that went of late is remembered.
fn check_forgotten(
    subject: Subject<'_>,
    record: &LedgerRecord,
    (read, now): (&Read, UnixMillis),
    statements: &[(Seq, String, bool)],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    // What goes under a job that is open may not be written down yet.
    if statements.iter().any(|(_, _, is_open)| *is_open) {
        return Ok(());
    }
    let since = now.get().saturating_sub(LATE_MS);
    for state in ["expired", "erased"] {
        let mut went = 0;
        for (by, _, _) in statements.iter().filter(|(_, kind, _)| is_of(state, kind)) {
            let at = recorded_at(subject, record, *by)?.unwrap_or(UnixMillis::new(0));
            if at.get() >= since {
                went += read.went.get(by).copied().unwrap_or_default();
            }
        }
        let ids = subject
            .ledgers
            .remembered_beyond(record.number, state, now)?;
        if ids < went {
            let detail = format!(
                "ledger.db, table gone_id: {went} events were deleted as {state} in the last two weeks, but {ids} ids are remembered"
            );
            findings.add(None, "gone-id", detail);
        }
    }
    Ok(())
}

/// Whether statements of a kind let events go so.
fn is_of(state: &str, kind: &str) -> bool {
    match state {
        "expired" => matches!(kind, "expiry" | "covers-trigger"),
        _ => kind == "covers-request",
    }
}

fn recorded_at(
    subject: Subject<'_>,
    record: &LedgerRecord,
    seq: Seq,
) -> Result<Option<UnixMillis>, StoreError> {
    let range = seq.get()..seq.get() + 1;
    let found = subject.ledgers.entries(record.number, range)?;
    let entry = found.first().and_then(|bytes| Entry::decode(bytes).ok());
    Ok(entry.map(|entry| entry.recorded_at))
}

impl Stretch<'_> {
    /// The id of an event that is here is not remembered as that of one that went.
    pub(super) fn check_id_is_here(
        &self,
        entry: &Entry,
        facts: &Facts,
        keys: &LedgerKeys,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let Some(id) = facts.id.as_deref().filter(|_| self.walk.remembers) else {
            return Ok(());
        };
        let tag: Tag = keys.index.tag(TagLabel::EventId, "", id);
        let (subject, record) = (self.walk.subject, self.walk.record);
        let until = subject.ledgers.remembered_until(record.number, tag)?;
        // When its time was over the id was free again.
        let contradicts = until.is_some_and(|until| until > entry.recorded_at);
        // The event may have gone since the walk read it: then a statement came.
        if contradicts && !self.cover.has_open_job() && self.cover.is_current(subject, record)? {
            let detail = "ledger.db, table gone_id: this event's id is remembered as deleted, but the event is stored";
            findings.add(entry.seq.get(), "gone-id", detail);
        }
        Ok(())
    }
}
