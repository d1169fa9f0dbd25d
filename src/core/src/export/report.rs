//! report.html: the summary for a reader. No script, nothing from elsewhere; every text is escaped.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::plan::{Plan, question};
use super::statements::Explaining;
use super::summary::{Cell, EventRow, Summary};
use crate::ledger::{Ledger, Published};
use trailkeep_proof::bundle::manifest::{Counts, Proof};
use trailkeep_proof::bundle::sources;
use trailkeep_proof::bundle::verify::fingerprint;
use trailkeep_proof::ledger::sources::ListedSource;
use trailkeep_proof::text::block;

/// Rows of the table of producers; manifest.json has all.
const SOURCES_SHOWN: usize = 50;

const STYLE: &str = include_str!("report.css");

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
    let origin = escape(ledger.record.origin.as_str());
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>Audit bundle of {origin}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"kind\">Trailkeep audit bundle</p>\n<h1>{origin}</h1>\n\
         <p>Exported {at} by <code>{by}</code></p>\n</header>\n\
         <p class=\"note\"><strong>A summary for reading, not a proof.</strong> This page is signed together with \
         the bundle, but not verified. Verify the bundle with <code>trailkeep-verify BUNDLE.zip --key \
         PUBLIC.pem</code>, with a key from another source than this bundle.</p>",
        at = plan.exported_at,
        by = escape(&plan.request.asked_by),
    )?;
    write_question(plan, counts, out)?;
    write_numbers(plan, counts, out)?;
    write_timeline(&summary.timeline(), out)?;
    write_tallies(summary, out)?;
    if plan.seqs.proof() == Proof::Range {
        write_sources(&sources::listed(&summary.sources), out)?;
    }
    write_classes(explaining, out)?;
    write_events(&summary.rows, counts.disclosed, out)?;
    write_proof(ledger, published, out)?;
    writeln!(
        out,
        "<footer>Written by trailkeep {}. It contains personal data: store it accordingly.</footer>\n</main>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    )
}

/// Text as it may stand in HTML, in an element or an attribute. Control characters show as escapes.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let text = block(text);
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// 1234567 as 1,234,567.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn write_question(plan: &Plan, counts: &Counts, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<h2>Query</h2>\n<dl>")?;
    let question = question(&plan.request);
    let asked = question.as_object().filter(|asked| !asked.is_empty());
    for (name, value) in asked.into_iter().flatten() {
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
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&text))?;
    }
    if asked.is_none() {
        writeln!(out, "<dt>Entries</dt><dd>all of the ledger</dd>")?;
    }
    writeln!(out, "</dl>")?;
    match plan.seqs.range() {
        Some(range) => writeln!(
            out,
            "<p>Proof <strong>range</strong>: every entry from seq {} to seq {} is in this bundle. The verification \
             fails if any of them was changed, dropped or left out.</p>",
            range.first, range.last
        )?,
        None => writeln!(
            out,
            "<p>Proof <strong>selection</strong>: each of the {} events is genuine. A selection does not prove that nothing \
             was left out.</p>",
            grouped(counts.disclosed)
        )?,
    }
    if !plan.request.redact.is_empty() {
        let names = plan.request.redact.join(", ");
        writeln!(
            out,
            "<p>Redacted: <strong>{}</strong>. Redacted sections are replaced by their digests; the events are still proven.</p>",
            escape(&names)
        )?;
    }
    Ok(())
}

fn write_numbers(plan: &Plan, counts: &Counts, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<h2>Contents</h2>\n<ul class=\"tiles\">")?;
    let tiles = [
        ("entries", counts.entries),
        ("events disclosed", counts.disclosed),
        ("statements", counts.statements),
        ("expired", counts.expired),
        ("erased", counts.erased),
        ("restricted", counts.restricted),
        ("withheld", counts.withheld),
    ];
    let shown = if plan.seqs.proof() == Proof::Range {
        7
    } else {
        3
    };
    for (name, count) in &tiles[..shown] {
        writeln!(
            out,
            "<li><b>{}</b><span>{name}</span></li>",
            grouped(*count)
        )?;
    }
    writeln!(out, "</ul>")
}

fn write_timeline(bars: &[(String, u64)], out: &mut impl Write) -> io::Result<()> {
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        return Ok(());
    };
    if bars.len() == 1 {
        return writeln!(
            out,
            "<h2>When</h2>\n<p>All {} events were recorded within the hour from {} (UTC).</p>",
            grouped(first.1),
            first.0
        );
    }
    let most = bars
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(1)
        .max(1);
    writeln!(out, "<h2>When</h2>\n<ul class=\"line\">")?;
    for (label, count) in bars {
        let percent = count * 100 / most;
        let title = format!("{label}: {} events", grouped(*count));
        writeln!(
            out,
            "<li style=\"height:{percent}%\" title=\"{title}\"><span>{title}</span></li>"
        )?;
    }
    writeln!(
        out,
        "</ul>\n<p class=\"ends\"><span>{}</span><span>most in one bar: {}</span><span>{}</span></p>",
        first.0,
        grouped(most),
        last.0
    )
}

fn write_tallies(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<h2>What</h2>\n<div class=\"columns\">")?;
    let tallies = [
        ("Actions", &summary.actions),
        ("Outcomes", &summary.outcomes),
        ("Models", &summary.models),
    ];
    for (name, tally) in tallies {
        let values = tally.most_frequent();
        let most = values.iter().map(|(_, count)| *count).max().unwrap_or(1);
        if values.is_empty() {
            continue;
        }
        writeln!(
            out,
            "<table><caption>{name}</caption><thead><tr><th scope=\"col\">Value</th><th scope=\"col\" class=\"n\">Events</th></tr></thead><tbody>"
        )?;
        for (value, count) in values {
            writeln!(
                out,
                "<tr><td class=\"w\">{}<span class=\"bar\" style=\"width:{}%\"></span></td><td class=\"n\">{}</td></tr>",
                escape(&value),
                (count * 100 / most).max(1),
                grouped(count)
            )?;
        }
        writeln!(out, "</tbody></table>")?;
    }
    writeln!(out, "</div>")
}

/// What producers numbered: those with something missing first.
fn write_sources(listed: &[ListedSource], out: &mut impl Write) -> io::Result<()> {
    if listed.is_empty() {
        return Ok(());
    }
    let mut shown: Vec<&ListedSource> = listed.iter().collect();
    shown.sort_by_key(|source| std::cmp::Reverse(source.missing));
    writeln!(
        out,
        "<h2>Completeness by producer</h2>\n<p>{} producers number their events. A missing number was never recorded, unless it \
         belongs to an event that is not disclosed.</p>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">Producer</th>\
         <th scope=\"col\" class=\"n\">Events</th><th scope=\"col\" class=\"n\">Missing</th>\
         <th scope=\"col\" class=\"n\">may be not disclosed</th><th scope=\"col\" class=\"n\">Repeated</th>\
         <th scope=\"col\" class=\"n\">Restarts</th></tr></thead><tbody>",
        grouped(listed.len() as u64)
    )?;
    for source in &shown[..shown.len().min(SOURCES_SHOWN)] {
        write!(out, "<tr><td class=\"w\">{}</td>", escape(&source.name))?;
        for number in [
            source.events,
            source.missing,
            source.may_have_gone,
            source.repeats,
            source.restarts,
        ] {
            write!(out, "<td class=\"n\">{}</td>", grouped(number))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn write_classes(explaining: &Explaining, out: &mut impl Write) -> io::Result<()> {
    if explaining.classes.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Retention</h2>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">Class</th><th scope=\"col\">Policies</th>\
         <th scope=\"col\">Kept at least</th><th scope=\"col\">Deleted after</th></tr></thead><tbody>"
    )?;
    for (class, (minimum, after)) in explaining.classes.iter().zip(&explaining.periods) {
        let policies = class
            .policies
            .iter()
            .map(|policy| format!("{} v{}", policy.id, policy.version));
        writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            class.number,
            escape(&policies.collect::<Vec<_>>().join(", ")),
            escape(minimum),
            escape(after)
        )?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn write_events(rows: &[EventRow], disclosed: u64, out: &mut impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "<h2>Events</h2>\n<p>No event is disclosed.</p>");
    }
    let shown = rows.len() as u64;
    let note = if shown < disclosed {
        format!(
            "The first {} of {} events; events.csv and events.jsonl have all of them.",
            grouped(shown),
            grouped(disclosed)
        )
    } else {
        "All events, shortened; events.jsonl has them in full.".to_owned()
    };
    writeln!(
        out,
        "<h2>Events</h2>\n<p>{note}</p>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\" class=\"n\">Seq</th>\
         <th scope=\"col\">Recorded (UTC)</th><th scope=\"col\">Actor</th><th scope=\"col\">Action, model</th>\
         <th scope=\"col\">Outcome</th><th scope=\"col\">Input</th><th scope=\"col\">Output</th></tr></thead><tbody>"
    )?;
    for row in rows {
        let [actor, input, output] = &row.cells;
        let time = row.recorded_at.to_string();
        let mut line = format!(
            "<tr><td class=\"n\">{}</td><td class=\"t\">{}<br>{}</td>",
            row.seq,
            &time[..10],
            &time[11..19]
        );
        write_cell(&mut line, actor);
        let _ = write!(line, "<td class=\"w\">{}", escape(&row.action));
        if !row.model.is_empty() {
            let _ = write!(
                line,
                "<br><span class=\"none\">{}</span>",
                escape(&row.model)
            );
        }
        let _ = write!(line, "</td><td>{}</td>", escape(&row.outcome));
        write_cell(&mut line, input);
        write_cell(&mut line, output);
        writeln!(out, "{line}</tr>")?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn write_cell(line: &mut String, cell: &Cell) {
    // Writing to a string can't fail.
    let _ = match cell {
        Cell::Text(text) => write!(line, "<td class=\"w\" dir=\"auto\">{}</td>", escape(text)),
        Cell::Redacted => write!(
            line,
            "<td><span class=\"mark\" title=\"replaced by its digest, which the entry commits to\">redacted</span></td>"
        ),
        Cell::Absent => write!(line, "<td class=\"none\">\u{2013}</td>"),
    };
}

fn write_proof(ledger: &Ledger, published: &Published, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "<h2>Checkpoint and key</h2>\n<p>The signed checkpoint covers all of it. Compare it with one that someone else \
         keeps, and compare the fingerprint with the operator over another channel.</p>\n\
         <dl><dt>Entries under it</dt><dd>{}</dd><dt>Root</dt><dd><code>{}</code></dd><dt>Key</dt><dd><code>{}</code></dd>\
         <dt>Fingerprint (SHA-256)</dt><dd><code>{}</code></dd></dl>\n<pre>{}</pre>",
        grouped(published.head.size),
        published.head.root,
        escape(&ledger.verifier.to_string()),
        fingerprint(&ledger.verifier),
        escape(&published.head.note)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailkeep_proof::time::UnixMillis;

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "<script>alert('x')</script>\"&";
        let row = EventRow {
            seq: 1,
            recorded_at: UnixMillis::new(0),
            action: hostile.to_owned(),
            outcome: hostile.to_owned(),
            model: hostile.to_owned(),
            cells: [Cell::Text(hostile.to_owned()), Cell::Redacted, Cell::Absent],
        };
        let mut out = Vec::new();
        write_events(&[row], 2, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            !text.contains("<script") && !text.contains("alert('x')"),
            "{text}"
        );
        assert_eq!(text.matches("&lt;script&gt;").count(), 4, "{text}");
        assert!(text.contains("The first 1 of 2 events"), "{text}");
    }

    #[test]
    fn one_bar_is_a_sentence() {
        let bar = |label: &str, count| (label.to_owned(), count);
        let page = |bars: &[(String, u64)]| {
            let mut out = Vec::new();
            write_timeline(bars, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(page(&[]), "");
        assert!(
            page(&[bar("2026-11-24 09:00", 3)]).contains("within the hour from 2026-11-24 09:00")
        );
        let two = page(&[bar("2026-11-24", 3), bar("2026-11-25", 0)]);
        assert_eq!(two.matches("<li").count(), 2, "{two}");
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
