//! A round: traces that are due become events, which take the place of their parts in one commit.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::cores::on_all_cores;
use crate::failpoint::FailPoint;
use crate::ingest::flush::{AssembledEvent, place_of_event};
use crate::ingest::forms::{Taken, taken};
use crate::ingest::intake::place_of_part;
use crate::ingest::keys::Sealing;
use crate::ingest::resolve::{resolve, resolve_persons};
use crate::ingest::{Inbox, StagingError, count};
use crate::keys::keyring::KeyError;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::DataKey;
use trailkeep_crypto::staged::{open_staged, seal_staged, staging_tag};
use trailkeep_otlp::assemble::{Assembled, Calls, assemble};
use trailkeep_otlp::classify::{Keep, is_about_a_person};
use trailkeep_otlp::telemetry::Part;
use trailkeep_ports::{LedgerRecord, Round, StagedPart};
use trailkeep_proof::ids::Tag;
use trailkeep_proof::time::UnixMillis;

/// Traces of a round: when so many are due, the commits and look-ups of a round are shared by all of them.
const TRACES_MAX: usize = 2_048;
/// Parts of a trace that are put together at once.
const PARTS_OF_A_TRACE_MAX: usize = 20_000;
/// Bytes of sealed parts of a round, after which no further trace joins it. Two rounds are in memory at a time.
const ROUND_BYTES_MAX: usize = 8 << 20;
/// Traces whose parts are read in one transaction, or answers that are looked for: a few milliseconds.
const TRACES_PER_READ: usize = 128;

/// In debug builds a test may set another number, to see rounds without many traces.
fn traces_max() -> usize {
    #[cfg(debug_assertions)]
    if let Some(set) = std::env::var("TRAILKEEP_TEST_ROUND_TRACES")
        .ok()
        .and_then(|text| text.parse().ok())
    {
        return set;
    }
    TRACES_MAX
}

/// Up to when what is due arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct DueBy {
    /// The local root of a trace, or the newest part where a round has used the root.
    pub(super) root: UnixMillis,
    /// The first part of a trace.
    pub(super) first: UnixMillis,
}

impl DueBy {
    /// All that waits.
    pub(super) const EVERYTHING: Self = Self {
        root: UnixMillis::MAX,
        first: UnixMillis::MAX,
    };
}

/// Traces that are due, opened and put together. Nothing is written yet.
pub(super) struct Gathered {
    due: HashSet<Tag>,
    rows: Vec<OpenedRow>,
    unreadable: Vec<i64>,
    assembled: Assembled,
    /// The last of its traces; none where no further trace is due behind it.
    pub(super) goes_on_after: Option<Tag>,
}

/// What is still asked of the row of a part when the part is in an event.
struct OpenedRow {
    id: i64,
    trace: Tag,
    span: Tag,
    is_used: bool,
    is_about_a_person: bool,
}

/// Takes the next traces that are due behind one, with those in which another report of a call of theirs waits.
pub(super) fn gather(
    inbox: &Inbox,
    ledger: &Ledger,
    by: DueBy,
    after: Option<Tag>,
) -> Result<Option<Gathered>, StagingError> {
    let (file, number, limit) = (&inbox.file, ledger.record.number, traces_max());
    let mut traces = file.due_traces(number, by.root, by.first, after, limit)?;
    if traces.is_empty() {
        return Ok(None);
    }
    let found = traces.len();
    let mut parts = read(inbox, &ledger.record, &traces, ROUND_BYTES_MAX)?;
    traces.truncate(parts.len());
    let is_last = found < limit && parts.len() == found;
    let goes_on_after = traces.last().copied().filter(|_| !is_last);
    let due: HashSet<Tag> = traces.into_iter().collect();
    let others = other_reports(inbox, &ledger.record, &parts, &due)?;
    parts.extend(read(inbox, &ledger.record, &others, usize::MAX)?);
    let keys = keys_of(inbox, &ledger.record, &parts)?;
    let keep = inbox.settings.keep;
    let shares = on_all_cores(parts, |parts| {
        let opened = open(&ledger.record, &keys, parts.into_iter().flatten());
        Ok::<_, StagingError>(map_calls(opened, &due, keep))
    })?;
    let (mut rows, mut unreadable, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for share in shares {
        rows.extend(share.rows);
        unreadable.extend(share.unreadable);
        calls.push(share.calls);
    }
    Ok(Some(Gathered {
        due,
        rows,
        unreadable,
        assembled: assemble(calls),
        goes_on_after,
    }))
}

/// The parts of the first of some traces, by trace, as many as have room in `bytes_max`.
pub(super) fn read(
    inbox: &Inbox,
    ledger: &LedgerRecord,
    traces: &[Tag],
    bytes_max: usize,
) -> Result<Vec<Vec<StagedPart>>, StagingError> {
    let mut parts: Vec<Vec<StagedPart>> = Vec::with_capacity(traces.len());
    let mut bytes = 0;
    while parts.len() < traces.len() && bytes < bytes_max {
        let left = &traces[parts.len()..];
        let some = &left[..left.len().min(TRACES_PER_READ)];
        let room = bytes_max - bytes;
        let read = inbox
            .file
            .parts_of(ledger.number, some, PARTS_OF_A_TRACE_MAX, room)?;
        let sizes = read.iter().flatten().map(|part| part.sealed.len());
        bytes += sizes.sum::<usize>();
        parts.extend(read);
    }
    Ok(parts)
}

/// The traces that are not due in which another report of the same call waits.
fn other_reports(
    inbox: &Inbox,
    ledger: &LedgerRecord,
    parts: &[Vec<StagedPart>],
    due: &HashSet<Tag>,
) -> Result<Vec<Tag>, StagingError> {
    let answers: BTreeSet<Tag> = parts
        .iter()
        .flatten()
        .filter_map(|row| row.answer)
        .collect();
    let answers: Vec<Tag> = answers.into_iter().collect();
    let mut others = BTreeSet::new();
    for some in answers.chunks(TRACES_PER_READ) {
        others.extend(inbox.file.traces_of_answers(ledger.number, some)?);
    }
    others.retain(|trace| !due.contains(trace));
    Ok(others.into_iter().collect())
}

/// The staging keys of some parts, by day; none where the vault has none.
pub(super) type DayKeys = HashMap<u32, Option<Arc<DataKey>>>;

/// The staging keys under which some parts are sealed.
pub(super) fn keys_of(
    inbox: &Inbox,
    ledger: &LedgerRecord,
    parts: &[Vec<StagedPart>],
) -> Result<DayKeys, StagingError> {
    let days: BTreeSet<u32> = parts.iter().flatten().map(|part| part.day).collect();
    let key = |day| Ok((day, inbox.keys.of_day(&inbox.journal, ledger, day)?));
    days.into_iter().map(key).collect()
}

/// Parts, opened, and their rows.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) parts: Vec<Part>,
    pub(super) rows: Vec<StagedPart>,
    pub(super) unreadable: Vec<i64>,
}

/// Opens parts.
pub(super) fn open(
    ledger: &LedgerRecord,
    keys: &DayKeys,
    rows: impl Iterator<Item = StagedPart>,
) -> Opened {
    let mut opened = Opened::default();
    for row in rows {
        let key = keys.get(&row.day).and_then(Option::as_ref);
        let place = place_of_part(ledger, row.tag);
        let text = key.and_then(|key| open_staged(key, &row.sealed, &place).ok());
        let part = text.and_then(|text: Zeroizing<Vec<u8>>| serde_json::from_slice(&text).ok());
        if let Some(part) = part {
            opened.parts.push(part);
            opened.rows.push(row);
        } else {
            tracing::error!(
                "a part of staging.db cannot be decrypted: its key is missing, or it was changed"
            );
            opened.unreadable.push(row.id);
        }
    }
    opened
}

/// What one core made of its share of the traces.
struct Share {
    rows: Vec<OpenedRow>,
    unreadable: Vec<i64>,
    calls: Calls,
}

fn map_calls(opened: Opened, due: &HashSet<Tag>, keep: Keep) -> Share {
    let Opened {
        parts,
        rows,
        unreadable,
    } = opened;
    let of_due = parts.iter().zip(&rows);
    let due_ids = of_due
        .filter(|(_, row)| due.contains(&row.trace))
        .filter_map(|(part, _)| part.trace_id().map(str::to_owned));
    let calls = Calls::of(&parts, due_ids.collect(), keep);
    let row = |(row, part): (StagedPart, &Part)| OpenedRow {
        id: row.id,
        trace: row.trace,
        span: row.span,
        is_used: row.is_used,
        is_about_a_person: is_about_a_person(part, keep),
    };
    Share {
        rows: rows.into_iter().zip(&parts).map(row).collect(),
        unreadable,
        calls,
    }
}

impl Gathered {
    /// Compares what was put together with the ledger, which must hold the events of the rounds before, and puts the
    /// events in the place of their parts. Gives the events, which are on disk and not in the ledger.
    pub(super) fn finish(
        self,
        inbox: &Inbox,
        ledger: &Ledger,
    ) -> Result<Vec<AssembledEvent>, StagingError> {
        let mut round = self.outcome(ledger);
        let used_before = self.rows.iter().filter(|row| row.is_used).count() as u64;
        let (dropped, merged) = (self.assembled.dropped_spans, self.assembled.merged);
        let events = seal_events(inbox, ledger, self.assembled, &mut round)?;
        FailPoint::BeforeAssembled.reach();
        let numbers = inbox.file.finish_round(ledger.record.number, &round)?;
        FailPoint::AfterAssembled.reach();
        let gone = [&round.done, &round.used, &round.unreadable].map(Vec::len);
        inbox.changed(round.events.len(), gone.iter().sum());
        let counters = &inbox.counters;
        count(&counters.spans_dropped, dropped.saturating_sub(used_before));
        count(&counters.reports_merged, merged);
        count(&counters.unreadable, round.unreadable.len() as u64);
        let numbered = numbers.into_iter().zip(events);
        let assembled = numbered.map(|(number, form)| AssembledEvent {
            number,
            form: Some(form),
        });
        Ok(assembled.collect())
    }

    /// What becomes of the rows.
    fn outcome(&self, ledger: &Ledger) -> Round {
        let tag = |(trace, span): &(String, String)| {
            let span = format!("{trace}:{span}");
            staging_tag(&ledger.index_key, "span", span.as_bytes())
        };
        let taken_up: HashSet<Tag> = self.assembled.taken_up.iter().map(tag).collect();
        let mut round = Round {
            unreadable: self.unreadable.clone(),
            ..Round::default()
        };
        for row in &self.rows {
            let is_due = self.due.contains(&row.trace);
            if is_due && row.is_about_a_person {
                round.used.extend((!row.is_used).then_some(row.id));
            } else if is_due || taken_up.contains(&row.span) {
                round.done.push(row.id);
            }
        }
        round
    }
}

/// Seals the events, each on its own, and gives them as they are taken in.
fn seal_events(
    inbox: &Inbox,
    ledger: &Ledger,
    assembled: Assembled,
    round: &mut Round,
) -> Result<Vec<Taken>, StagingError> {
    let now = inbox.journal.clock.wall();
    let late = on_all_cores(assembled.persons, |persons| {
        resolve_persons(inbox, ledger, &persons)
    })?;
    if assembled.events.is_empty() && late.iter().all(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let held = inbox
        .keys
        .of_today(&inbox.journal, &ledger.record, now, Sealing::Event)?;
    let (day, key) = (held.day, Arc::clone(&held.key));
    let seal = |events: Vec<Map<String, Value>>| {
        let seal = |event| {
            let text =
                Zeroizing::new(serde_json::to_vec(&event).expect("a map of JSON has a JSON form"));
            let sealed = seal_staged(&key, &text, &place_of_event(&ledger.record))
                .map_err(KeyError::from)?;
            Ok::<_, StagingError>((sealed, taken(&text)))
        };
        events.into_iter().map(seal).collect::<Result<Vec<_>, _>>()
    };
    let mut shares = on_all_cores(assembled.events, |events| {
        seal(resolve(inbox, ledger, events)?)
    })?;
    for late in late {
        shares.push(seal(late)?);
    }
    let mut events = Vec::new();
    for (sealed, form) in shares.into_iter().flatten() {
        round.events.push((day, sealed));
        events.push(form);
    }
    Ok(events)
}
