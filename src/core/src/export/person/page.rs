//! person.html: what is recorded about a person, for that person. No script, nothing from elsewhere. What stays with
//! others in the bundle stays with them here.

use std::io::{self, Write};

use askama::Template;

use crate::export::ExportError;
use crate::export::html::filters;
use crate::export::person::PersonScope;
use crate::export::person::card::date;
use crate::export::person::look_ups::{LookUp, look_ups};
use crate::export::person::telling::words;
use crate::export::person::withheld::in_words;
use crate::export::plan::Plan;
use crate::export::statements::Explaining;
use crate::export::summary::{Summary, Tally};
use crate::journal::Journal;
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::spool::Spool;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Person;
use trailkeep_proof::period::CalendarPeriod;
use trailkeep_proof::privacy::{Day, Regime, Withheld};
use trailkeep_proof::time::UnixMillis;

/// Events that are shown one by one.
const CARDS_MAX: usize = 1_000;
/// Bytes after which no further event is shown: a browser opens such a page without trouble.
const CARDS_BYTES_MAX: usize = 16 << 20;
/// Days that are listed one by one; more are listed by month.
const DAYS_MAX: usize = 31;
/// Events of a single day that are listed together.
const EVENTS_OF_A_BLOCK: usize = 50;

/// The page under way: what was collected from the events.
#[derive(Default)]
pub(in crate::export) struct PersonPage {
    purposes: Tally,
    /// The events that are shown.
    shown: Vec<Seq>,
    bytes: usize,
    is_full: bool,
    /// Days in their order, each with the first event that is shown and how many are.
    days: Vec<Stretch>,
}

/// Events of one day or month that are shown.
struct Stretch {
    first_at: UnixMillis,
    seq: Seq,
    events: u64,
}

impl PersonPage {
    /// Whether the next events are shown one by one.
    pub(in crate::export) const fn wants_cards(&self) -> bool {
        !self.is_full
    }

    /// Takes what one event gives: what it was for, and its card where it is shown.
    pub(in crate::export) fn add(
        &mut self,
        entry: &Entry,
        purpose: Option<String>,
        card: Option<String>,
        cards: &mut impl Write,
    ) -> io::Result<()> {
        let purpose = purpose.filter(|purpose| !purpose.is_empty());
        self.purposes
            .add(purpose.unwrap_or_else(|| "Not recorded".to_owned()));
        if let Some(card) = card.filter(|_| self.wants_cards()) {
            self.is_full = self.shown.len() >= CARDS_MAX
                || self.bytes.saturating_add(card.len()) > CARDS_BYTES_MAX;
            if self.is_full {
                return Ok(());
            }
            self.shown.push(entry.seq);
            self.bytes += card.len();
            self.list(entry);
            cards.write_all(card.as_bytes())?;
        }
        Ok(())
    }

    fn list(&mut self, entry: &Entry) {
        let day = |at: UnixMillis| Day::of(at);
        match self.days.last_mut() {
            Some(last) if day(last.first_at) == day(entry.recorded_at) => last.events += 1,
            _ => self.days.push(Stretch {
                first_at: entry.recorded_at,
                seq: entry.seq,
                events: 1,
            }),
        }
    }

    /// Where in the page the events of each day or month begin; of many on one day, every so many.
    fn contents(&self) -> Vec<(String, Seq, u64)> {
        let by_day = self.days.len() <= DAYS_MAX;
        let name = |at: UnixMillis| {
            if by_day {
                date(at)
            } else {
                at.to_datetime().format("%B %Y").to_string()
            }
        };
        let mut contents: Vec<(String, Seq, u64)> = Vec::new();
        for day in &self.days {
            let name = name(day.first_at);
            match contents.last_mut() {
                Some((last, _, events)) if *last == name => *events += day.events,
                _ => contents.push((name, day.seq, day.events)),
            }
        }
        if contents.len() < 2 {
            contents = self.blocks();
        }
        contents
    }

    fn blocks(&self) -> Vec<(String, Seq, u64)> {
        if self.shown.len() <= EVENTS_OF_A_BLOCK {
            return Vec::new();
        }
        let blocks = self.shown.chunks(EVENTS_OF_A_BLOCK).enumerate();
        let block = |(index, seqs): (usize, &[Seq])| {
            let first = index * EVENTS_OF_A_BLOCK + 1;
            let name = format!("Events {first} to {}", first + seqs.len() - 1);
            (name, seqs[0], seqs.len() as u64)
        };
        blocks.map(block).collect()
    }
}

/// The page up to the events, which are copied from where they wait.
#[derive(Template)]
#[template(path = "person/before.html")]
struct Before<'a> {
    title: &'static str,
    about: String,
    origin: &'a str,
    receipt: &'a str,
    received_on: Day,
    exported_at: UnixMillis,
    held: u64,
    cards: u64,
    contents: Vec<(String, Seq, u64)>,
    /// Name of one, name of several, how many.
    tiles: [(&'static str, &'static str, u64); 3],
    /// The first and the last day.
    recorded: Option<(String, String)>,
    tallies: [(&'static str, Vec<(String, u64)>); 3],
}

/// The page after the events.
#[derive(Template)]
#[template(path = "person/after.html")]
struct After {
    look_ups: Vec<LookUp>,
    /// Accesses in `look_ups`, of all.
    shown: u64,
    look_ups_total: u64,
    show_staff: bool,
    periods: Vec<Periods>,
    /// Sentences.
    withheld: Vec<String>,
    regime: Regime,
}

struct Periods {
    rules: String,
    minimum: String,
    after: String,
}

/// Writes the page.
pub(in crate::export) fn render(
    journal: &Journal,
    ledger: &Ledger,
    (plan, person): (&Plan, &PersonScope),
    (page, summary, withheld): (&PersonPage, &Summary, &[Withheld]),
    explaining: &Explaining,
    cards: &Spool,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let (look_ups, look_ups_total) = look_ups(journal, ledger, plan)?;
    let (held, look_ups_total) = (plan.entries(), look_ups_total as u64);
    let models = summary.models.most_frequent();
    let actions = summary.actions.most_frequent().into_iter();
    let before = Before {
        title: "What is recorded about you",
        about: named(&person.subject),
        origin: ledger.record.origin.as_str(),
        receipt: &person.receipt,
        received_on: person.received_on,
        exported_at: plan.exported_at,
        held,
        cards: page.shown.len() as u64,
        contents: page.contents(),
        tiles: [
            ("event about you", "events about you", held),
            ("access to them", "accesses to them", look_ups_total),
            ("model answered", "models answered", models.len() as u64),
        ],
        recorded: summary
            .first_recorded
            .zip(summary.last_recorded)
            .map(|(first, last)| (date(first), date(last))),
        tallies: [
            ("Purpose", page.purposes.most_frequent()),
            (
                "What was done",
                actions
                    .map(|(action, count)| (words(&action), count))
                    .collect(),
            ),
            ("Model that answered", models),
        ],
    };
    before.write_into(out)?;
    if held > 0 {
        io::copy(&mut cards.reader(), out)?;
    }
    let after = After {
        shown: look_ups.len() as u64,
        look_ups,
        look_ups_total,
        show_staff: person.show_staff,
        periods: periods(ledger, explaining),
        withheld: withheld.iter().map(|row| in_words(row, held)).collect(),
        regime: person.regime,
    };
    after.write_into(out)?;
    Ok(())
}

/// A data subject, as a page for them names them.
pub(crate) fn named(subject: &Person) -> String {
    let Person { id, namespace } = subject;
    if namespace.is_empty() {
        id.clone()
    } else {
        format!("{id} ({namespace})")
    }
}

fn periods(ledger: &Ledger, explaining: &Explaining) -> Vec<Periods> {
    let classes = explaining.classes.iter().zip(&explaining.periods);
    classes
        .map(|(class, (minimum, after))| {
            let rules = class.policies.iter().map(|named| {
                let stated = ledger.classes.policy(&named.sha256);
                stated.map_or_else(|| named.id.clone(), |stated| stated.policy.title.clone())
            });
            Periods {
                rules: rules.collect::<Vec<_>>().join("; "),
                minimum: period_words(minimum, "no minimum"),
                after: period_words(after, "at once"),
            }
        })
        .collect()
}

/// `P6Y3M` as `6 years 3 months`.
fn period_words(period: &str, none: &str) -> String {
    match CalendarPeriod::parse(period) {
        Ok(CalendarPeriod::NONE) => none.to_owned(),
        Ok(period) => period.in_words(),
        Err(_) => period.to_owned(),
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
