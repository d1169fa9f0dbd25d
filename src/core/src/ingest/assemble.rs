//! A round: what is due becomes events, which take the place of their parts in one commit.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::Ordering;

use zeroize::Zeroizing;

use crate::failpoint::FailPoint;
use crate::ingest::Inbox;
use crate::ingest::flush::{flush, place_of_event};
use crate::ingest::intake::place_of_part;
use crate::ingest::keys::Sealing;
use crate::ingest::resolve::resolve;
use crate::ingest::superseded::take_over;
use crate::ingest::{KEYS_LOOKED_AT_EVERY_MS, StagingError, count};
use crate::keys::keyring::KeyError;
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::staged::{seal_staged, staging_tag};
use trailkeep_otlp::assemble::{Assembled, assemble};
use trailkeep_otlp::classify::is_about_a_person;
use trailkeep_otlp::telemetry::Part;
use trailkeep_ports::{Round, StagedPart};
use trailkeep_proof::ids::Tag;
use trailkeep_proof::time::UnixMillis;

/// Traces of a round.
const TRACES_MAX: usize = 128;
/// Free pages that go back to the file system at once.
const PAGES_RELEASED: u32 = 1_000;
/// Parts of a trace that are put together at once.
const PARTS_OF_A_TRACE_MAX: usize = 20_000;
/// Bytes of sealed parts of a round, after which no further trace joins it.
const ROUND_BYTES_MAX: usize = 16 << 20;

/// Assembles what is due, of all ledgers, and appends it. Gives whether more is due already.
pub fn assemble_due(inbox: &Inbox) -> Result<bool, StagingError> {
    let staging = &inbox;
    let now = inbox.journal.clock.wall().get();
    let root_by = UnixMillis::new(now.saturating_sub(staging.settings.quiet_ms));
    let first_by = UnixMillis::new(now.saturating_sub(staging.settings.wait_max_ms));
    let mut keys_looked_at = staging.assembling();
    let waiting = staging.file.ledgers()?;
    let since_boot = inbox.journal.clock.since_boot_ms();
    let look_at_keys = since_boot.abs_diff(*keys_looked_at) >= KEYS_LOOKED_AT_EVERY_MS;
    let mut more = false;
    for tenant in inbox.journal.tenants() {
        let ledger = tenant.active();
        take_over(inbox, &tenant, &waiting)?;
        let is_open = ledger.settings().closed_at_ms.is_none() && ledger.rolled_back().is_none();
        if is_open && waiting.contains(&ledger.record.number) {
            more |= round(inbox, ledger, root_by, first_by)?;
            drop_used(inbox, ledger, first_by)?;
        }
        if look_at_keys {
            staging
                .keys
                .destroy_unused(inbox, &ledger.record, Some(inbox.journal.clock.wall()))?;
        }
    }
    if look_at_keys {
        *keys_looked_at = since_boot;
        staging.file.release_pages(PAGES_RELEASED)?;
    }
    Ok(more)
}

/// Assembles and appends all that waits for a tenant, due or not: before an erasure, so that nothing of a person
/// stays behind, and before a tenant is closed. Not to be called on the event loop.
pub fn assemble_all(inbox: &Inbox, tenant: &Tenant) -> Result<(), StagingError> {
    let ledger = tenant.active();
    let _one = inbox.assembling();
    take_over(inbox, tenant, &inbox.file.ledgers()?)?;
    let everything = UnixMillis::MAX;
    while round(inbox, ledger, everything, everything)? {}
    drop_used(inbox, ledger, everything)?;
    inbox.keys.destroy_unused(inbox, &ledger.record, None)?;
    Ok(())
}

/// Takes nothing more for a tenant, and assembles all that waits: before its tenant is closed.
pub(crate) fn finish(inbox: &Inbox, tenant: &Tenant) -> Result<(), StagingError> {
    inbox.keys.shut(&tenant.active().record);
    let assembled = assemble_all(inbox, tenant);
    if assembled.is_err() {
        go_on(inbox, tenant);
    }
    assembled
}

/// Takes telemetry again: the tenant was not closed.
pub(crate) fn go_on(inbox: &Inbox, tenant: &Tenant) {
    inbox.keys.open_again(&tenant.active().record);
}

pub(super) fn drop_used(
    inbox: &Inbox,
    ledger: &Ledger,
    arrived_by: UnixMillis,
) -> Result<(), StagingError> {
    inbox.file.drop_used(ledger.record.number, arrived_by)?;
    Ok(())
}

/// Gives whether there was anything to do.
fn round(
    inbox: &Inbox,
    ledger: &Ledger,
    root_by: UnixMillis,
    first_by: UnixMillis,
) -> Result<bool, StagingError> {
    flush(inbox, &ledger.record, ledger)?;
    let file = &inbox.file;
    let traces = file.due_traces(ledger.record.number, root_by, first_by, TRACES_MAX)?;
    if traces.is_empty() {
        return Ok(false);
    }
    let mut waiting = Waiting::default();
    let mut due = HashSet::new();
    for trace in traces {
        if waiting.bytes > ROUND_BYTES_MAX {
            break;
        }
        waiting.load(inbox, ledger, trace)?;
        due.insert(trace);
    }
    waiting.load_other_reports(inbox, ledger, &due)?;
    let due_ids: BTreeSet<String> = waiting
        .parts
        .iter()
        .zip(&waiting.rows)
        .filter(|(_, row)| due.contains(&row.trace))
        .filter_map(|(part, _)| part.trace_id().map(str::to_owned))
        .collect();
    let assembled = assemble(&waiting.parts, &due_ids, inbox.settings.keep);
    let events = resolve(inbox, ledger, &assembled)?;
    let mut round = waiting.outcome(inbox, ledger, &due, &assembled);
    seal_events(inbox, ledger, &events, &mut round)?;
    FailPoint::BeforeAssembled.reach();
    file.finish_round(ledger.record.number, &round)?;
    FailPoint::AfterAssembled.reach();
    let gone = [&round.done, &round.used, &round.unreadable].map(Vec::len);
    let gone = i64::try_from(gone.iter().sum::<usize>()).unwrap_or(0);
    inbox.waiting.fetch_sub(gone, Ordering::Relaxed);
    let used_before = waiting.rows.iter().filter(|row| row.is_used).count() as u64;
    let counters = &inbox.counters;
    count(
        &counters.spans_dropped,
        assembled.dropped_spans.saturating_sub(used_before),
    );
    count(&counters.reports_merged, assembled.merged);
    count(&counters.unreadable, round.unreadable.len() as u64);
    flush(inbox, &ledger.record, ledger)?;
    Ok(true)
}

/// What a round works with: parts, opened, and their rows.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) parts: Vec<Part>,
    pub(super) rows: Vec<StagedPart>,
    pub(super) unreadable: Vec<i64>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn load(
        &mut self,
        inbox: &Inbox,
        ledger: &Ledger,
        trace: Tag,
    ) -> Result<(), StagingError> {
        let staging = &inbox;
        for row in staging
            .file
            .parts_of(ledger.record.number, trace, PARTS_OF_A_TRACE_MAX)?
        {
            let key = staging
                .keys
                .of_day(&inbox.journal, &ledger.record, row.day)?;
            let place = place_of_part(&ledger.record, row.tag);
            let text = key.and_then(|key| {
                trailkeep_crypto::staged::open_staged(&key, &row.sealed, &place).ok()
            });
            let part = text.and_then(|text: Zeroizing<Vec<u8>>| serde_json::from_slice(&text).ok());
            self.bytes += row.sealed.len();
            if let Some(part) = part {
                self.parts.push(part);
                self.rows.push(row);
            } else {
                tracing::error!(
                    "a part of staging.db cannot be decrypted: its key is missing, or it was changed"
                );
                self.unreadable.push(row.id);
            }
        }
        Ok(())
    }

    /// Loads the traces in which another report of the same call waits.
    fn load_other_reports(
        &mut self,
        inbox: &Inbox,
        ledger: &Ledger,
        due: &HashSet<Tag>,
    ) -> Result<(), StagingError> {
        let answers: HashSet<Tag> = self.rows.iter().filter_map(|row| row.answer).collect();
        let mut others = HashSet::new();
        for answer in answers {
            let traces = inbox.file.traces_of_answer(ledger.record.number, answer)?;
            others.extend(traces.into_iter().filter(|trace| !due.contains(trace)));
        }
        for trace in others {
            self.load(inbox, ledger, trace)?;
        }
        Ok(())
    }

    /// What becomes of the rows.
    fn outcome(
        &self,
        inbox: &Inbox,
        ledger: &Ledger,
        due: &HashSet<Tag>,
        assembled: &Assembled,
    ) -> Round {
        let taken_up: HashSet<Tag> = assembled
            .taken_up
            .iter()
            .map(|(trace, span)| {
                staging_tag(
                    &ledger.index_key,
                    "span",
                    format!("{trace}:{span}").as_bytes(),
                )
            })
            .collect();
        let mut round = Round {
            unreadable: self.unreadable.clone(),
            ..Round::default()
        };
        for (part, row) in self.parts.iter().zip(&self.rows) {
            let is_due = due.contains(&row.trace);
            if is_due && is_about_a_person(part, inbox.settings.keep) {
                round.used.extend((!row.is_used).then_some(row.id));
            } else if is_due || taken_up.contains(&row.span) {
                round.done.push(row.id);
            }
        }
        round
    }
}

/// Seals the events, each on its own.
fn seal_events(
    inbox: &Inbox,
    ledger: &Ledger,
    events: &[serde_json::Map<String, serde_json::Value>],
    round: &mut Round,
) -> Result<(), StagingError> {
    if events.is_empty() {
        return Ok(());
    }
    let held = inbox.keys.of_today(
        &inbox.journal,
        &ledger.record,
        inbox.journal.clock.wall(),
        Sealing::Event,
    )?;
    let (day, key) = (held.day, std::sync::Arc::clone(&held.key));
    for event in events {
        let text =
            Zeroizing::new(serde_json::to_vec(event).expect("a map of JSON has a JSON form"));
        let sealed =
            seal_staged(&key, &text, &place_of_event(&ledger.record)).map_err(KeyError::from)?;
        round.events.push((day, sealed));
    }
    Ok(())
}
