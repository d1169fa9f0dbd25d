//! report.html: the summary for a reader. No script, nothing from elsewhere.

use std::io::{self, Write};

use askama::Template;

use crate::export::html::filters;
use crate::export::plan::{Plan, question};
use crate::export::statements::Explaining;
use crate::export::summary::{Cell, EventRow, Summary};
use crate::tenant::ledger::{Ledger, Published};
use trailkeep_ports::StoredCheckpoint;
use trailkeep_proof::bundle::manifest::SeqRange;
use trailkeep_proof::bundle::manifest::{Counts, Proof};
use trailkeep_proof::bundle::sources;
use trailkeep_proof::bundle::verify::fingerprint;
use trailkeep_proof::ledger::sources::ListedSource;

/// Rows of the table of producers; manifest.json has all.
const SOURCES_SHOWN: usize = 50;

/// What `templates/report.html` shows.
#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    title: String,
    origin: &'a str,
    exported_at: String,
    asked_by: &'a str,
    question: Vec<(&'static str, String)>,
    /// Of a bundle that proves a range.
    range: Option<SeqRange>,
    redacted: String,
    counts: Counts,
    timeline: Vec<Bar>,
    most_in_one_bar: u64,
    tallies: [(&'static str, Vec<Bar>); 3],
    /// What producers numbered: those with something missing first.
    sources: Vec<ListedSource>,
    sources_total: u64,
    classes: Vec<Class<'a>>,
    /// Events in `rows`, of those that are disclosed.
    shown: u64,
    rows: &'a [EventRow],
    checkpoint: &'a StoredCheckpoint,
    key: String,
    fingerprint: String,
}

/// A count that is shown with a bar.
struct Bar {
    label: String,
    count: u64,
    /// Of the longest bar.
    percent: u64,
}

struct Class<'a> {
    number: u16,
    policies: String,
    minimum: &'a str,
    after: &'a str,
}

/// Writes the page.
pub(super) fn render(
    ledger: &Ledger,
    plan: &Plan,
    published: &Published,
    counts: &Counts,
    summary: &Summary,
    explaining: &Explaining,
    out: &mut impl Write,
) -> io::Result<()> {
    let origin = ledger.record.origin.as_str();
    let mut sources = match plan.seqs.proof() {
        Proof::Range => sources::listed(&summary.sources),
        Proof::Selection => Vec::new(),
    };
    sources.sort_by_key(|source| std::cmp::Reverse(source.missing));
    let sources_total = sources.len() as u64;
    sources.truncate(SOURCES_SHOWN);
    let tallies = [
        ("Actions", &summary.actions),
        ("Outcomes", &summary.outcomes),
        ("Models", &summary.models),
    ];
    let timeline = summary.timeline();
    let report = Report {
        title: format!("Audit bundle of {origin}"),
        origin,
        exported_at: plan.exported_at.to_string(),
        asked_by: &plan.request.asked_by,
        question: asked(plan),
        range: plan.seqs.range(),
        redacted: plan.request.redact.join(", "),
        counts: *counts,
        most_in_one_bar: most(&timeline),
        timeline: bars(timeline, 0),
        tallies: tallies.map(|(name, tally)| (name, bars(tally.most_frequent(), 1))),
        sources,
        sources_total,
        classes: classes(explaining),
        shown: summary.rows.len() as u64,
        rows: &summary.rows,
        checkpoint: &published.head,
        key: ledger.verifier.to_string(),
        fingerprint: fingerprint(&ledger.verifier),
    };
    report.write_into(out)
}

/// What the request asks for, in words.
fn asked(plan: &Plan) -> Vec<(&'static str, String)> {
    let question = question(&plan.request);
    let asked = question.as_object().into_iter().flatten();
    asked
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let name = match name.as_str() {
                "from" => "Recorded from",
                "to" => "Recorded before",
                "seq" => "Entries",
                "action" => "Action",
                "subject" => "Person",
                "request" => "Data subject request",
                "include_acted" => "With events in which they are only the actor",
                "withholds" => "Withheld",
                _ => "Redacted",
            };
            (name, text)
        })
        .collect()
}

fn most(counts: &[(String, u64)]) -> u64 {
    let counts = counts.iter().map(|(_, count)| *count);
    counts.max().unwrap_or_default()
}

fn bars(counts: Vec<(String, u64)>, percent_min: u64) -> Vec<Bar> {
    let most = most(&counts).max(1);
    let counts = counts.into_iter();
    counts
        .map(|(label, count)| Bar {
            label,
            count,
            percent: (count * 100 / most).max(percent_min),
        })
        .collect()
}

fn classes(explaining: &Explaining) -> Vec<Class<'_>> {
    let classes = explaining.classes.iter().zip(&explaining.periods);
    classes
        .map(|(class, (minimum, after))| {
            let policies = class.policies.iter();
            let policies = policies.map(|policy| format!("{} v{}", policy.id, policy.version));
            Class {
                number: class.number,
                policies: policies.collect::<Vec<_>>().join(", "),
                minimum,
                after,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailkeep_proof::ids::RootHash;
    use trailkeep_proof::time::UnixMillis;

    fn checkpoint() -> StoredCheckpoint {
        StoredCheckpoint {
            size: 1,
            root: RootHash::new([0; 32]),
            note: String::new(),
            stated: None,
        }
    }

    fn empty(checkpoint: &StoredCheckpoint) -> Report<'_> {
        Report {
            title: String::new(),
            origin: "",
            exported_at: String::new(),
            asked_by: "",
            question: Vec::new(),
            range: None,
            redacted: String::new(),
            counts: Counts::default(),
            timeline: Vec::new(),
            most_in_one_bar: 0,
            tallies: [("", Vec::new()), ("", Vec::new()), ("", Vec::new())],
            sources: Vec::new(),
            sources_total: 0,
            classes: Vec::new(),
            shown: 0,
            rows: &[],
            checkpoint,
            key: String::new(),
            fingerprint: String::new(),
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "<script>alert('x')</script>\"&\u{202e}\u{1b}[2J";
        let row = EventRow {
            seq: 1,
            recorded_at: UnixMillis::new(0),
            action: hostile.to_owned(),
            outcome: hostile.to_owned(),
            model: hostile.to_owned(),
            cells: [Cell::Text(hostile.to_owned()), Cell::Redacted, Cell::Absent],
        };
        let checkpoint = checkpoint();
        let mut report = empty(&checkpoint);
        report.rows = std::slice::from_ref(&row);
        report.shown = 1;
        report.counts.disclosed = 2;
        report.title = hostile.to_owned();
        report.origin = hostile;
        report.asked_by = hostile;
        report.redacted = hostile.to_owned();
        report.question = vec![("Action", hostile.to_owned())];
        report.timeline = bars(vec![(hostile.to_owned(), 1)], 0);
        report.tallies[0].1 = bars(vec![(hostile.to_owned(), 1)], 1);
        let text = report.to_string();
        for raw in ["<script", "alert('x')", "\"&\\u", "\u{202e}", "\u{1b}"] {
            assert!(!text.contains(raw), "{raw:?} is in {text}");
        }
        assert_eq!(text.matches("&lt;script&gt;").count(), 11, "{text}");
        assert_eq!(text.matches("\\u202e\\u001b[2J").count(), 11, "{text}");
        assert!(text.contains("The first 1 of 2 events"), "{text}");
    }

    #[test]
    fn one_bar_is_a_sentence() {
        let bar = |label: &str, count| (label.to_owned(), count);
        let page = |counts: Vec<(String, u64)>| {
            let checkpoint = checkpoint();
            let mut report = empty(&checkpoint);
            report.most_in_one_bar = most(&counts);
            report.timeline = bars(counts, 0);
            report.to_string()
        };
        assert!(!page(Vec::new()).contains("<h2>When"));
        assert!(
            page(vec![bar("2026-11-24 09:00", 3)])
                .contains("within the hour from 2026-11-24 09:00 (UTC)")
        );
        let two = page(vec![bar("2026-11-24", 3), bar("2026-11-25", 0)]);
        assert_eq!(two.matches("<li style").count(), 2, "{two}");
        assert!(two.contains("most in one bar: 3"), "{two}");
    }
}
