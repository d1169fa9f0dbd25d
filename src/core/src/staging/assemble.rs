//! A round: what is due becomes events, which take the place of their parts in one commit.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::Ordering;

use zeroize::Zeroizing;

use super::flush::{flush, place_of_event};
use super::intake::place_of_part;
use super::keys::Sealing;
use super::resolve::resolve;
use super::superseded::take_over;
use super::{KEYS_LOOKED_AT_EVERY_MS, StagingError, count};
use crate::Engine;
use crate::failpoint::FailPoint;
use crate::keyring::KeyError;
use crate::ledger::Ledger;
use crate::tenant::Tenant;
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
pub fn assemble_due(engine: &Engine) -> Result<bool, StagingError> {
    let staging = &engine.staging;
    let now = engine.clock.wall().get();
    let root_by = UnixMillis::new(now.saturating_sub(staging.settings.quiet_ms));
    let first_by = UnixMillis::new(now.saturating_sub(staging.settings.wait_max_ms));
    let mut keys_looked_at = staging.assembling();
    let waiting = staging.file.ledgers()?;
    let since_boot = engine.clock.since_boot_ms();
    let look_at_keys = since_boot.abs_diff(*keys_looked_at) >= KEYS_LOOKED_AT_EVERY_MS;
    let mut more = false;
    for tenant in engine.tenants() {
        let ledger = tenant.active();
        take_over(engine, &tenant, &waiting)?;
        let is_open = ledger.settings().closed_at_ms.is_none() && ledger.rolled_back().is_none();
        if is_open && waiting.contains(&ledger.record.number) {
            more |= round(engine, ledger, root_by, first_by)?;
            drop_used(engine, ledger, first_by)?;
        }
        if look_at_keys {
            staging
                .keys
                .destroy_unused(engine, &ledger.record, Some(engine.clock.wall()))?;
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
pub fn assemble_all(engine: &Engine, tenant: &Tenant) -> Result<(), StagingError> {
    let ledger = tenant.active();
    let _one = engine.staging.assembling();
    take_over(engine, tenant, &engine.staging.file.ledgers()?)?;
    let everything = UnixMillis::MAX;
    while round(engine, ledger, everything, everything)? {}
    drop_used(engine, ledger, everything)?;
    engine
        .staging
        .keys
        .destroy_unused(engine, &ledger.record, None)?;
    Ok(())
}

/// Takes nothing more for a tenant, and assembles all that waits: before its tenant is closed.
pub(crate) fn finish(engine: &Engine, tenant: &Tenant) -> Result<(), StagingError> {
    engine.staging.keys.shut(&tenant.active().record);
    let assembled = assemble_all(engine, tenant);
    if assembled.is_err() {
        go_on(engine, tenant);
    }
    assembled
}

/// Takes telemetry again: the tenant was not closed.
pub(crate) fn go_on(engine: &Engine, tenant: &Tenant) {
    engine.staging.keys.open_again(&tenant.active().record);
}

pub(super) fn drop_used(
    engine: &Engine,
    ledger: &Ledger,
    arrived_by: UnixMillis,
) -> Result<(), StagingError> {
    engine
        .staging
        .file
        .drop_used(ledger.record.number, arrived_by)?;
    Ok(())
}

/// Gives whether there was anything to do.
fn round(
    engine: &Engine,
    ledger: &Ledger,
    root_by: UnixMillis,
    first_by: UnixMillis,
) -> Result<bool, StagingError> {
    flush(engine, &ledger.record, ledger)?;
    let file = &engine.staging.file;
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
        waiting.load(engine, ledger, trace)?;
        due.insert(trace);
    }
    waiting.load_other_reports(engine, ledger, &due)?;
    let due_ids: BTreeSet<String> = waiting
        .parts
        .iter()
        .zip(&waiting.rows)
        .filter(|(_, row)| due.contains(&row.trace))
        .filter_map(|(part, _)| part.trace_id().map(str::to_owned))
        .collect();
    let assembled = assemble(&waiting.parts, &due_ids, engine.staging.settings.keep);
    let events = resolve(engine, ledger, &assembled)?;
    let mut round = waiting.outcome(engine, ledger, &due, &assembled);
    seal_events(engine, ledger, &events, &mut round)?;
    FailPoint::BeforeAssembled.reach();
    file.finish_round(ledger.record.number, &round)?;
    FailPoint::AfterAssembled.reach();
    let gone = [&round.done, &round.used, &round.unreadable].map(Vec::len);
    let gone = i64::try_from(gone.iter().sum::<usize>()).unwrap_or(0);
    engine.staging.waiting.fetch_sub(gone, Ordering::Relaxed);
    let used_before = waiting.rows.iter().filter(|row| row.is_used).count() as u64;
    let counters = &engine.staging.counters;
    count(
        &counters.spans_dropped,
        assembled.dropped_spans.saturating_sub(used_before),
    );
    count(&counters.reports_merged, assembled.merged);
    count(&counters.unreadable, round.unreadable.len() as u64);
    flush(engine, &ledger.record, ledger)?;
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
        engine: &Engine,
        ledger: &Ledger,
        trace: Tag,
    ) -> Result<(), StagingError> {
        let staging = &engine.staging;
        for row in staging
            .file
            .parts_of(ledger.record.number, trace, PARTS_OF_A_TRACE_MAX)?
        {
            let key = staging.keys.of_day(engine, &ledger.record, row.day)?;
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
        engine: &Engine,
        ledger: &Ledger,
        due: &HashSet<Tag>,
    ) -> Result<(), StagingError> {
        let answers: HashSet<Tag> = self.rows.iter().filter_map(|row| row.answer).collect();
        let mut others = HashSet::new();
        for answer in answers {
            let traces = engine
                .staging
                .file
                .traces_of_answer(ledger.record.number, answer)?;
            others.extend(traces.into_iter().filter(|trace| !due.contains(trace)));
        }
        for trace in others {
            self.load(engine, ledger, trace)?;
        }
        Ok(())
    }

    /// What becomes of the rows.
    fn outcome(
        &self,
        engine: &Engine,
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
            if is_due && is_about_a_person(part, engine.staging.settings.keep) {
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
    engine: &Engine,
    ledger: &Ledger,
    events: &[serde_json::Map<String, serde_json::Value>],
    round: &mut Round,
) -> Result<(), StagingError> {
    if events.is_empty() {
        return Ok(());
    }
    let held = engine.staging.keys.of_today(
        engine,
        &ledger.record,
        engine.clock.wall(),
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
