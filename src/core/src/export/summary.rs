//! What the events of a bundle have in common, counted while they are written, for report.html.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::export::gaps::{Flag, Gaps, flags_of};
use trailkeep_proof::bundle::line::Line;
use trailkeep_proof::bundle::sources;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::sources::{Sighting, SourceBook};
use trailkeep_proof::time::UnixMillis;

/// Events that report.html shows one by one.
pub(super) const ROWS_MAX: usize = 500;
/// Characters of an input or output that it shows.
const EXCERPT_CHARACTERS: usize = 240;
/// Different values of one kind that are counted; the rest is counted together.
const VALUES_MAX: usize = 1_000;
/// Rows of a table of counts.
const VALUES_SHOWN: usize = 12;
/// Bars of the timeline at most.
const BARS_MAX: usize = 60;

/// An event in short.
pub(super) struct Brief {
    seq: u64,
    recorded_at: UnixMillis,
    action: String,
    outcome: String,
    model: String,
    flags: Vec<Flag>,
    source: Option<Sighting>,
    excerpts: Option<Box<[Cell; 3]>>,
}

/// What stands in a cell of the table of events.
pub(super) enum Cell {
    /// A text.
    Text(String),
    /// It stands as a digest.
    Redacted,
    /// The event has none.
    Absent,
}

/// A line of the table of events.
pub(super) struct EventRow {
    pub(super) seq: u64,
    pub(super) recorded_at: UnixMillis,
    pub(super) action: String,
    pub(super) outcome: String,
    pub(super) model: String,
    /// Actor, input and output.
    pub(super) cells: [Cell; 3],
}

impl EventRow {
    pub(super) fn day(&self) -> String {
        self.recorded_at.to_string()[..10].to_owned()
    }

    pub(super) fn time(&self) -> String {
        self.recorded_at.to_string()[11..19].to_owned()
    }
}

impl Brief {
    pub(super) fn of(line: &Line<'_>, entry: &Entry, with_excerpts: bool) -> Self {
        let text = |name: &str| {
            line.text(name)
                .and_then(|text| serde_json::from_str::<String>(text).ok())
                .unwrap_or_default()
        };
        let llm = value(line, "llm");
        let model = ["/response_model", "/request_model"]
            .iter()
            .find_map(|pointer| llm.pointer(pointer)?.as_str());
        let excerpts = || {
            let actor = value(line, "actor");
            let actor = actor.pointer("/id").and_then(Value::as_str);
            [
                cell(line, "actor", |_| actor.unwrap_or_default().to_owned()),
                cell(line, "input", reading),
                cell(line, "output", reading),
            ]
        };
        Self {
            seq: entry.seq.get(),
            recorded_at: entry.recorded_at,
            action: text("action"),
            outcome: text("outcome"),
            model: model.unwrap_or_default().to_owned(),
            flags: flags_of(line),
            source: sources::sighting(line),
            excerpts: with_excerpts.then(excerpts).map(Box::new),
        }
    }
}

fn value(line: &Line<'_>, name: &str) -> Value {
    line.text(name)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(Value::Null)
}

fn cell(line: &Line<'_>, name: &str, read: impl Fn(&str) -> String) -> Cell {
    match line.text(name) {
        Some(text) => Cell::Text(cut(&read(text))),
        None if line.redacted().any(|redacted| redacted == name) => Cell::Redacted,
        None => Cell::Absent,
    }
}

/// The words of an input or output without the JSON around them, where they are found easily: strings, and
/// the last message of a conversation.
pub(super) fn reading(text: &str) -> String {
    fn words(value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Array(items) => items.iter().rev().find_map(words),
            Value::Object(members) => ["messages", "content", "text", "parts"]
                .iter()
                .find_map(|name| members.get(*name).and_then(words)),
            _ => None,
        }
    }
    let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    words(&value).unwrap_or_else(|| text.to_owned())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

/// How often each value occurs, the most frequent first.
#[derive(Default)]
pub(super) struct Tally(HashMap<String, u64>);

impl Tally {
    pub(super) fn add(&mut self, value: String) {
        if value.is_empty() {
            return;
        }
        let known = self.0.len() < VALUES_MAX || self.0.contains_key(&value);
        let name = if known { value } else { "(others)".to_owned() };
        *self.0.entry(name).or_default() += 1;
    }

    pub(super) fn most_frequent(&self) -> Vec<(String, u64)> {
        let mut values: Vec<(String, u64)> = self
            .0
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .collect();
        values.sort_by(|(one, first), (other, second)| second.cmp(first).then(one.cmp(other)));
        if values.len() > VALUES_SHOWN {
            let rest = values.split_off(VALUES_SHOWN - 1);
            values.push((
                "(others)".to_owned(),
                rest.iter().map(|(_, count)| count).sum(),
            ));
        }
        values
    }
}

/// Collected over all events.
pub(super) struct Summary {
    pub(super) actions: Tally,
    pub(super) outcomes: Tally,
    pub(super) models: Tally,
    pub(super) gaps: Gaps,
    pub(super) rows: Vec<EventRow>,
    pub(super) first_recorded: Option<UnixMillis>,
    pub(super) last_recorded: Option<UnixMillis>,
    pub(super) sources: SourceBook,
    hours: BTreeMap<u64, u64>,
}

const HOUR_MS: u64 = 3_600_000;

impl Summary {
    pub(super) fn new() -> Self {
        Self {
            actions: Tally::default(),
            outcomes: Tally::default(),
            models: Tally::default(),
            gaps: Gaps::default(),
            rows: Vec::new(),
            first_recorded: None,
            last_recorded: None,
            sources: sources::book(),
            hours: BTreeMap::new(),
        }
    }

    /// Whether the next events are shown one by one.
    pub(super) fn wants_rows(&self) -> bool {
        self.rows.len() < ROWS_MAX
    }

    pub(super) fn add(&mut self, brief: Brief) {
        self.first_recorded.get_or_insert(brief.recorded_at);
        self.last_recorded = Some(brief.recorded_at);
        *self
            .hours
            .entry(brief.recorded_at.get() / HOUR_MS)
            .or_default() += 1;
        if let Some(cells) = brief.excerpts
            && self.wants_rows()
        {
            self.rows.push(EventRow {
                seq: brief.seq,
                recorded_at: brief.recorded_at,
                action: brief.action.clone(),
                outcome: brief.outcome.clone(),
                model: brief.model.clone(),
                cells: *cells,
            });
        }
        self.actions.add(brief.action);
        self.outcomes.add(brief.outcome);
        self.models.add(brief.model);
        self.gaps.add(brief.flags);
        brief
            .source
            .into_iter()
            .for_each(|seen| self.sources.see(seen));
    }

    /// Events per hour, day, week or longer: so many hours that the bars fit. Each bar with its first day or
    /// hour (UTC).
    pub(super) fn timeline(&self) -> Vec<(String, u64)> {
        let (Some(first), Some(last)) = (self.hours.keys().next(), self.hours.keys().last()) else {
            return Vec::new();
        };
        let hours = last - first + 1;
        let widths = [1, 3, 6, 24, 7 * 24, 30 * 24, 91 * 24, 365 * 24];
        let fits = |width: &&u64| hours.div_ceil(**width) < BARS_MAX as u64;
        let width = widths.iter().find(fits).copied().unwrap_or(3_650 * 24);
        let mut bars: BTreeMap<u64, u64> =
            (first / width..=last / width).map(|bar| (bar, 0)).collect();
        for (hour, count) in &self.hours {
            *bars.entry(hour / width).or_default() += count;
        }
        let label = |bar: u64| {
            let text = UnixMillis::new(bar * width * HOUR_MS).to_string();
            let end = if width < 24 { 16 } else { 10 };
            text[..end].replace('T', " ")
        };
        bars.into_iter()
            .map(|(bar, count)| (label(bar), count))
            .collect()
    }
}
