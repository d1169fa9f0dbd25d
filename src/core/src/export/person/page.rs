//! person.html: what is recorded about a person, for that person. No script, nothing from elsewhere; every text is
//! escaped. What stays with others in the bundle stays with them here.

use std::io::{self, Write};

use super::PersonScope;
use super::card::{date, moment, words};
use super::look_ups::{LookUp, look_ups};
use crate::Engine;
use crate::export::ExportError;
use crate::export::plan::Plan;
use crate::export::report::{escape, grouped};
use crate::export::statements::Explaining;
use crate::export::summary::{Summary, Tally};
use crate::ledger::Ledger;
use trailkeep_crypto::spool::Spool;
use trailkeep_proof::privacy::{Regime, Withheld, Withholding};

const STYLE: &str = concat!(include_str!("../report.css"), include_str!("person.css"));

/// Events that are shown one by one.
pub(in crate::export) const CARDS_MAX: u64 = 1_000;

/// The page under way: what was collected from the events.
#[derive(Default)]
pub(in crate::export) struct PersonPage {
    pub(in crate::export) purposes: Tally,
    pub(in crate::export) cards: u64,
}

impl PersonPage {
    /// Takes what one event gives: what it was for, and its card where it is shown.
    pub(in crate::export) fn add(
        &mut self,
        purpose: Option<String>,
        card: Option<String>,
        cards: &mut impl Write,
    ) -> io::Result<()> {
        let purpose = purpose.filter(|purpose| !purpose.is_empty());
        self.purposes
            .add(purpose.unwrap_or_else(|| "Not recorded".to_owned()));
        if let Some(card) = card.filter(|_| self.cards < CARDS_MAX) {
            self.cards += 1;
            cards.write_all(card.as_bytes())?;
        }
        Ok(())
    }
}

/// Writes the page.
pub(in crate::export) fn render(
    engine: &Engine,
    ledger: &Ledger,
    (plan, person): (&Plan, &PersonScope),
    (page, summary, withheld): (&PersonPage, &Summary, &[Withheld]),
    explaining: &Explaining,
    cards: &Spool,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let (look_ups, look_ups_total) = look_ups(engine, ledger, plan)?;
    write_head(ledger, plan, person, out)?;
    let held = plan.entries();
    if held == 0 {
        writeln!(
            out,
            "<p class=\"note\"><strong>Nothing is held.</strong> On {} this ledger had no event about this identifier. If \
             you are known under another identifier, tell the sender, who can then search for it, too.</p>",
            date(plan.exported_at)
        )?;
    } else {
        write_short(held, look_ups_total, summary, out)?;
        write_tallies(page, summary, out)?;
        writeln!(out, "<h2>What was recorded</h2>")?;
        if page.cards < held {
            writeln!(
                out,
                "<p>The first {} of {} events. The file events.csv next to this page has all of them; any spreadsheet program \
                 opens it.</p>",
                grouped(page.cards),
                grouped(held)
            )?;
        }
        io::copy(&mut cards.reader(), out)?;
    }
    write_look_ups(&look_ups, look_ups_total, person.show_staff, out)?;
    write_periods(ledger, explaining, out)?;
    write_withheld(withheld, held, out)?;
    write_end(person, out)?;
    Ok(())
}

fn write_head(
    ledger: &Ledger,
    plan: &Plan,
    person: &PersonScope,
    out: &mut impl Write,
) -> io::Result<()> {
    let origin = escape(ledger.record.origin.as_str());
    let namespace = &person.subject.namespace;
    let about = if namespace.is_empty() {
        person.subject.id.clone()
    } else {
        format!("{} ({namespace})", person.subject.id)
    };
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>What is recorded about you</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main class=\"person\">\n\
         <header>\n<p class=\"kind\">Answer to your request</p>\n<h1>What is recorded about you</h1>\n</header>\n\
         <dl><dt>About</dt><dd>{}</dd><dt>Recorded in</dt><dd>{origin}</dd><dt>Your request</dt><dd>number {}, received \
         on {}</dd><dt>This answer</dt><dd>made on {}</dd></dl>",
        escape(&about),
        escape(&person.receipt),
        person.received_on,
        moment(plan.exported_at),
    )
}

fn write_short(
    held: u64,
    look_ups: usize,
    summary: &Summary,
    out: &mut impl Write,
) -> io::Result<()> {
    let models = summary.models.most_frequent().len();
    writeln!(out, "<ul class=\"tiles\">")?;
    for (one, several, count) in [
        ("event about you", "events about you", held),
        ("access to them", "accesses to them", look_ups as u64),
        ("model answered", "models answered", models as u64),
    ] {
        let name = if count == 1 { one } else { several };
        writeln!(out, "<li><b>{}</b><span>{name}</span></li>", grouped(count))?;
    }
    writeln!(out, "</ul>")?;
    if let (Some(first), Some(last)) = (summary.first_recorded, summary.last_recorded) {
        let (first, last) = (date(first), date(last));
        let when = if first == last {
            format!("They were recorded on {first}.")
        } else {
            format!("The first was recorded on {first}, the last on {last}.")
        };
        writeln!(
            out,
            "<p>{when} Each event is one action: a question to a model \
             and its answer, an access to a record, a message that was sent.</p>"
        )?;
    }
    Ok(())
}

fn write_tallies(page: &PersonPage, summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "<h2>What it was used for</h2>\n<div class=\"columns\">"
    )?;
    let tallies = [
        ("Purpose", page.purposes.most_frequent()),
        (
            "What was done",
            summary
                .actions
                .most_frequent()
                .into_iter()
                .map(|(action, count)| (words(&action), count))
                .collect(),
        ),
        ("Model that answered", summary.models.most_frequent()),
    ];
    for (name, values) in tallies {
        if values.is_empty() {
            continue;
        }
        writeln!(
            out,
            "<table><thead><tr><th scope=\"col\">{name}</th><th scope=\"col\" class=\"n\">Events</th></tr></thead><tbody>"
        )?;
        for (value, count) in values {
            writeln!(
                out,
                "<tr><td class=\"w\">{}</td><td class=\"n\">{}</td></tr>",
                escape(&value),
                grouped(count)
            )?;
        }
        writeln!(out, "</tbody></table>")?;
    }
    writeln!(out, "</div>")
}

fn write_look_ups(
    look_ups: &[LookUp],
    total: usize,
    show_staff: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "<h2>Who accessed it</h2>")?;
    if look_ups.is_empty() {
        writeln!(out, "<p>No access to these events is recorded.</p>")?;
    } else {
        if look_ups.len() < total {
            writeln!(
                out,
                "<p>The last {} of {} accesses.</p>",
                grouped(look_ups.len() as u64),
                grouped(total as u64)
            )?;
        }
        let by = if show_staff {
            "<th scope=\"col\">With the key</th>"
        } else {
            ""
        };
        writeln!(
            out,
            "<div class=\"wide\"><table><thead><tr><th scope=\"col\">When</th><th scope=\"col\">What</th>\
             <th scope=\"col\">Purpose</th>{by}</tr></thead><tbody>"
        )?;
        for look in look_ups {
            let purpose = look.purpose.as_deref().unwrap_or("none stated");
            let by = if show_staff {
                format!("<td><code>{}</code></td>", escape(&look.by))
            } else {
                String::new()
            };
            writeln!(
                out,
                "<tr><td class=\"t\">{}</td><td>{}</td><td class=\"w\" dir=\"auto\">{}</td>{by}</tr>",
                moment(look.at),
                look.what,
                escape(purpose)
            )?;
        }
        writeln!(out, "</tbody></table></div>")?;
    }
    writeln!(
        out,
        "<p>The list has accesses to single events and to lists of events. Copies for auditors are recorded, too, but not \
         by person: ask whether there were any in that time.</p>"
    )
}

fn write_periods(ledger: &Ledger, explaining: &Explaining, out: &mut impl Write) -> io::Result<()> {
    if explaining.classes.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>How long it is kept</h2>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">By which rule</th>\
         <th scope=\"col\">Kept at least</th><th scope=\"col\">Deleted after</th></tr></thead><tbody>"
    )?;
    for (class, (minimum, after)) in explaining.classes.iter().zip(&explaining.periods) {
        let rules = class.policies.iter().map(|named| {
            let stated = ledger.classes.policy(&named.sha256);
            stated.map_or_else(|| named.id.clone(), |stated| stated.policy.title.clone())
        });
        writeln!(
            out,
            "<tr><td class=\"w\">{}</td><td>{}</td><td>{}</td></tr>",
            escape(&rules.collect::<Vec<_>>().join("; ")),
            escape(&period_words(minimum, "no minimum")),
            escape(&period_words(after, "at once"))
        )?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn write_withheld(withheld: &[Withheld], held: u64, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<h2>What is not shown</h2>\n<ul>")?;
    for row in withheld {
        let (count, held) = (grouped(row.events), grouped(held));
        let events = if row.events == 1 { "event" } else { "events" };
        let what = match row.what {
            Withholding::Others => format!(
                "Data that may be about other people, in {count} of the {held} events. The events themselves are listed."
            ),
            Withholding::Staff => format!(
                "Which member of the staff acted, in {count} of the {held} events. Time and purpose are shown."
            ),
            Withholding::OnlyActed => format!(
                "{count} more {events} in which you are only the actor: they are about someone else, or about no one."
            ),
            Withholding::Unreadable => {
                format!("{count} {events} of the {held} that our program cannot read.")
            }
        };
        let sections = match row.sections.as_slice() {
            [] => String::new(),
            sections => format!(
                " Left out there, if it applies: {}.",
                escape(&sections.join(", "))
            ),
        };
        let ground = match row.citation.as_str() {
            "" => String::new(),
            citation => format!(" Ground: {}.", escape(citation)),
        };
        writeln!(out, "<li>{what}{sections}{ground}</li>")?;
    }
    writeln!(
        out,
        "<li>Data outside this log: this page covers only what this log recorded.</li>\n</ul>"
    )
}

fn write_end(person: &PersonScope, out: &mut impl Write) -> io::Result<()> {
    let rights = match person.regime {
        Regime::Gdpr | Regime::UkGdpr => {
            "You may ask for correction, deletion or restriction of the data, or object to their use, and you \
             may complain to a supervisory authority (GDPR Art. 15(1)(e) and (f))."
        }
        Regime::Ccpa => {
            "You may ask for deletion and correction, and must not be treated worse for it (Cal. Civ. Code 1798.105, \
             1798.106, 1798.125)."
        }
    };
    writeln!(
        out,
        "<h2>Your rights</h2>\n<p>{rights} Quote your request's number.</p>\n<h2>How to check this answer</h2>\n\
         <p>This page is signed together with the file that it came in. The other files prove that each event was \
         recorded as shown here: give them, with the file README.txt, to someone with technical knowledge.</p>\n\
         <footer>Written by trailkeep {}. It contains personal data: store it accordingly.</footer>\n</main>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    )
}

/// `P6Y3M` as `6 years 3 months`.
fn period_words(period: &str, none: &str) -> String {
    let Some(rest) = period.strip_prefix('P') else {
        return period.to_owned();
    };
    let mut parts = Vec::new();
    let mut digits = String::new();
    for c in rest.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            'Y' => "year",
            'M' => "month",
            'W' => "week",
            _ => "day",
        };
        let plural = if digits == "1" { "" } else { "s" };
        if digits != "0" {
            parts.push(format!("{digits} {unit}{plural}"));
        }
        digits.clear();
    }
    if parts.is_empty() {
        none.to_owned()
    } else {
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_become_words() {
        assert_eq!(period_words("P6Y3M", ""), "6 years 3 months");
        assert_eq!(period_words("P1Y", ""), "1 year");
        assert_eq!(period_words("P0D", "no minimum"), "no minimum");
        assert_eq!(period_words("kept without end", ""), "kept without end");
    }
}
